"""Words of a command line that need no conversion are taken as they are.

Typer has pydantic turn text into text, and builds a validator for each option, also for those that
are not given. Where nothing else needs pydantic, that was a third of a command's time.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Commands(typer.Typer):
    """A Typer that converts only options that were given and are no plain text."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=_Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """As Typer's."""
        return super().command(name, cls=_Command, **settings)


class _Late:
    """Typer asks this to convert a value. Other versions of Typer may convert without asking."""

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        """The value as its command takes it. Raises what Typer raises for one that is wrong."""
        several, wanted = param.multiple or param.nargs == -1, param.type_descriptor.annotation
        if value is None:
            return () if several else None
        if several and wanted == list[str] and all(map(_is_plain, value)):
            return [*value]
        if _is_plain(value) if wanted is str else type(value) is wanted:
            return value  # text, or a default
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _is_plain(value: object) -> bool:
    """Other text may hold bytes that are no characters: Typer says what is wrong with it."""
    return isinstance(value, str) and value.isascii()


def _converted_late(found: list[Any]) -> list[Any]:
    for each in found:
        each._runtime_param = _Late()
    return found


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _converted_late(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _converted_late(super().get_params(ctx))
