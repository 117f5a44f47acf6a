"""How the command line is parsed: by Typer, with values and complaints of our own.

Typer has pydantic turn text into text, and builds a validator for each option, also for those that
are not given. Where nothing else needs pydantic, that was a third of a command's time.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lab.commands.parsing import errors, values
from lab.core.errors import UnknownName, UsageError


class Commands(typer.Typer):
    """A Typer that converts only options that were given, and says in plain words what is wrong."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=_Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """As Typer's."""
        return super().command(name, cls=_Command, **settings)


class _Late:
    """Typer asks this to convert a value. Other versions of Typer may convert without asking."""

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        """The value as its command takes it. Raises UsageError for one that is wrong."""
        several, wanted = param.multiple or param.nargs == -1, param.type_descriptor.annotation
        if value is None:
            return () if several else None
        if isinstance(value, str) and wanted in values.READERS:
            return values.READERS[wanted](value, values.Asked.of(param))
        if several and wanted == list[str]:
            return [*value]
        if wanted == tuple[str, str]:
            return tuple(value)
        if type(value) is wanted:
            return value  # a default
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _converted_late(found: list[Any]) -> list[Any]:
    for each in found:
        each._runtime_param = _Late()
    return found


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _converted_late(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, which would name words that are left over in its own way."""
        taken, ctx.allow_extra_args = ctx.allow_extra_args, True
        with errors.told(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not taken and not ctx.resilient_parsing:
            raise errors.left_over(rest[0], ctx)
        return rest


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _converted_late(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's. The program alone prints its help; a group alone lacks a command."""
        if not args and ctx.parent is not None and not ctx.resilient_parsing:
            raise UsageError("no command is named", errors.see(ctx))
        if not args:
            return super().parse_args(ctx, args)
        with errors.told(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer's. Raises UnknownName."""
        try:
            return super().resolve_command(ctx, args)
        except errors.REFUSAL as error:
            raise UnknownName("command", args[0], self.list_commands(ctx)) from error

    def invoke(self, ctx: Any) -> Any:
        """As Typer's, which refuses words among which no command is."""
        try:
            return super().invoke(ctx)
        except errors.REFUSAL as error:
            raise UsageError("no command is named", errors.see(ctx)) from error
