"""What may be said of a step beside its name: kinds, units, limits, choices. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, TypeAlias

from lab.core.fitting import Fit

Value: TypeAlias = str | int | float | bool | tuple[int, ...] | tuple[str, ...]
Options: TypeAlias = Mapping[str, Value]


class Texts(tuple[str, ...]):
    """The kind of an option that is a list of texts."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """How a unit is read out. A time has `seconds`, and may be written as a duration (`5m`).

    `usual` are the units that a hint names for such a duration.
    """

    word: str
    seconds: int = 0
    usual: tuple[str, ...] = ()


UNITS: Final[Mapping[str, Unit]] = {
    "s": Unit("seconds", 1, ("s", "ms", "m")),
    "min": Unit("minutes", 60, ("m", "h", "s")),
    "%": Unit("per cent"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may be said of a step in a runbook. `kind` is a type that YAML knows.

    A number is in `unit` ("s", "min", "%", or what is counted), and from `least` to `most`, if that
    is given. `choices` are for a text, or for each of a list. `barred` are words that a reader may
    expect among them, and `why_barred` says why they are not.
    """

    name: str
    kind: type
    default: Value
    why: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    unit: str = ""
    barred: tuple[str, ...] = ()
    why_barred: str = ""

    @property
    def measure(self) -> Unit:
        """Its unit. What is counted is its own word."""
        return UNITS.get(self.unit, Unit(self.unit))

    @property
    def told(self) -> str:
        """What it is for, and its unit: `operations that may fail (per cent)`."""
        return f"{self.why} ({self.measure.word})" if self.unit else self.why

    def holds(self, value: Value) -> bool:
        """True for what is no number, or lies between the limits."""
        if self.most is None or not isinstance(value, int | float):
            return True
        return self.least <= value <= self.most

    def refuse_unfit(self, value: object) -> None:
        """Raise Unfit for a value of another kind, beyond the limits, or of no choice."""
        self._fit.refuse(self.name, value)

    @property
    def _fit(self) -> Fit:
        if self.kind is Texts:
            return Fit(str, many=True, choices=self.choices, written='"a text"')
        if self.kind is tuple:
            return Fit(int, many=True, written="1")
        most = inf if self.most is None else self.most
        example = self.default if isinstance(self.default, float | int) and self.unit else None
        return Fit(self.kind, self.unit, self.least, most, example=example, choices=self.choices)
