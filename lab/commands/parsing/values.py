"""Words of a command line as the values that commands take: a row for each kind of value.

What is wrong is said in the lab's words, with what to write instead. Typer leaves it to pydantic,
which would be loaded for that, and whose words it passes on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from lab.core.errors import UsageError, quoted

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a value is given for: `--seed`, and the least and the most that it may be."""

    name: str
    least: float = -math.inf
    most: float = math.inf

    @classmethod
    def of(cls, param: Any) -> Asked:
        """What a parameter of Typer says of itself."""
        about = param.type_descriptor.parameter_info
        bounds = {"least": about.min, "most": about.max}
        return cls(named(param), **{key: at for key, at in bounds.items() if at is not None})

    def wrong(self, text: str, problem: str) -> UsageError:
        """The error for a number that is none, or too small or too large."""
        return UsageError(
            f"{self.name} {quoted(text)} {problem}",
            f"write one from {self.least} to {self.most}",
        )

    def within(self, value: float, text: str) -> None:
        """Raise UsageError unless the value lies between the least and the most."""
        if value < self.least:
            raise self.wrong(text, f"is less than {self.least}")
        if value > self.most:
            raise self.wrong(text, f"is more than {self.most}")


def named(param: Any) -> str:
    """How people call an option or an argument: `--seed`, FAULT."""
    long = (str(each) for each in param.opts if each.startswith("--"))
    return next(long, str(param.metavar or param.name.upper()))


def _whole(text: str, asked: Asked) -> int:
    if not _WHOLE.fullmatch(text):
        raise asked.wrong(text, "is no whole number")
    asked.within(value := int(text), text)
    return value


def _number(text: str, asked: Asked) -> float:
    if not _NUMBER.fullmatch(text):
        raise asked.wrong(text, "is no number")
    asked.within(value := float(text), text)
    return value


def _path(text: str, asked: Asked) -> Path:
    if not text:
        raise UsageError(f"{asked.name} names no file", f"name one: {asked.name} FILE")
    return Path(text)


def _text(text: str, _asked: Asked) -> str:
    return text


Reader: TypeAlias = Callable[[str, Asked], object]
READERS: Final[Mapping[object, Reader]] = {int: _whole, float: _number, Path: _path, str: _text}
