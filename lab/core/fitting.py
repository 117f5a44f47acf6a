"""What a value that a person writes in a script must be, and how any other one is refused. Pure.

Rows say it: options of steps, fields of drills, a load's rates, parameters of `lab.api`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lab.core.errors import Unfit, UnknownName, UsageError, brief, quoted
from lab.core.quantity import strength

_WORDS: Final = {"s": "seconds", "ms": "milliseconds", "min": "minutes", "%": "per cent"}
_DIGITS: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*")
_SIMPLE: Final = (str, int, float, bool, type(None))
_FEW: Final = 4
_NOUNS: Final = {str: "a text in quotes", bool: "True or False"}


@dataclass(frozen=True, slots=True)
class Fit:
    """What a value must be.

    A number (`kind` is int or float) is in `unit`, from `least` to `most`, or `above` the least; it
    is finite, if it may not be `endless`. `example` is one that fits. A text is one of `choices`,
    if there are any, and not empty if it is `filled`. Of anything else `written` shows how one is
    written. `many` values are a tuple.
    """

    kind: type | tuple[type, ...]
    unit: str = ""
    least: float = 0.0
    most: float = math.inf
    above: bool = False
    endless: bool = False
    example: float | None = None
    choices: tuple[str, ...] = ()
    filled: bool = False
    written: str = ""
    many: bool = False

    def refuse(self, name: str, value: object) -> None:
        """Raise Unfit, which names the field, if the value is another one."""
        if self.many:
            self._refuse_many(name, value)
        elif not self._is_of_kind(value):
            raise Unfit(name, f"cannot be {_shown(value)}", f"write {self._meant(value)}")
        elif not self._is_within(value):
            raise Unfit(name, f"cannot be {_shown(value)}", f"write {self._noun}{self._range}")
        elif self.filled and not str(value).strip():
            raise Unfit(name, "cannot be empty", f"write {self._noun}")
        elif self.choices and value not in self.choices:
            raise Unfit(name, f"cannot be {_shown(value)}", self._chosen(str(value)))

    def _refuse_many(self, name: str, value: object) -> None:
        instead = f"write {name}=({self.written},)"
        if not isinstance(value, tuple):
            raise Unfit(name, f"cannot be {_shown(value)}", instead)
        one = Fit(self.kind, filled=self.filled, choices=self.choices)
        for each in value:
            if not one._is_of_kind(each):
                raise Unfit(name, f"cannot hold {_shown(each)}", instead)
            one.refuse(f"one of {name}", each)

    @property
    def _is_number(self) -> bool:
        return self.kind in (int, float)

    def _is_of_kind(self, value: object) -> bool:
        if isinstance(value, bool):
            return self.kind is bool
        return isinstance(value, (int, float) if self.kind is float else self.kind)

    def _is_within(self, value: object) -> bool:
        if not self._is_number or not isinstance(value, int | float):
            return True
        if self.endless and value == math.inf:
            return True
        low = value > self.least if self.above else value >= self.least
        return low and value <= self.most and math.isfinite(value)

    @property
    def _noun(self) -> str:
        if not self._is_number:
            kind = self.kind if isinstance(self.kind, type) else object
            return _NOUNS.get(kind, self.written)
        number = "a whole number" if self.kind is int else "a number"
        unit = _WORDS.get(self.unit, self.unit.replace("/s", " per second"))
        return f"{number} of {unit}" if unit else number

    @property
    def _range(self) -> str:
        low = f"above {self.least:g}" if self.above else f"from {self.least:g}"
        if self.most < math.inf:
            return f" {low}{', at most' if self.above else ' to'} {self.most:g}"
        return f" {low}{'' if self.above else ' on'}"

    def _meant(self, value: object) -> str:
        """What is wanted instead, with the number that a text such as `6s` means."""
        number = self._number_in(value) if isinstance(value, str) and self._is_number else None
        number = self.example if number is None else number
        return self._noun if number is None else f"{self._noun}, such as {number:g}"

    def _number_in(self, text: str) -> float | None:
        found = _DIGITS.fullmatch(text)
        try:
            number = float(found[1]) if found else strength(text, self.unit, "")
        except (UsageError, KeyError):
            return None
        return (
            number if self._is_within(number) and (self.kind is float or number % 1 == 0) else None
        )

    def _chosen(self, word: str) -> str:
        if len(self.choices) <= _FEW:
            return f"one of: {', '.join(self.choices)}"
        return UnknownName("", word, self.choices).next_step


NAME: Final = Fit(str, filled=True)
"""A text that says something."""

TEXT: Final = Fit(str)


def refuse_unfit(fit: Fit, **values: object) -> None:
    """Raise Unfit for the first value that does not fit."""
    for name, value in values.items():
        fit.refuse(name, value)


def _shown(value: object) -> str:
    """A value as a message shows it: of a long one its beginning, of an object its type."""
    if isinstance(value, str):
        return quoted(value)
    simple = all(type(each) in _SIMPLE for each in _items(value))
    return brief(repr(value)) if simple else f"a value of type {type(value).__name__}"


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple | dict) else (value,)
