"""A metric: one row of the registry, and what a result says of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from lab.core import words
from lab.core.topology import REGIONS
from lab.core.verdict import Found
from lab.records.journalfile import Phase
from lab.records.result import Result
from lab.records.thresholds import filled

Values: TypeAlias = Mapping[str, Found]
"""What was found, by whom it is of; WHOLE is the whole run, MOST the slowest of all users."""

WHOLE: Final = ""
MOST: Final = "max"


class Better(StrEnum):
    """Which of two values one would rather have."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


class Shown(StrEnum):
    """Where a metric is shown. An objective may name each, and docs and report list each."""

    FIRST = "first in comparisons and series"
    COMPARED = "in comparisons and series"
    ALONE = "in the report of its run"


@dataclass(frozen=True, slots=True)
class Each:
    """Of what a metric has a value each: what one of them is called, and which there are."""

    noun: str
    names: tuple[str, ...]


USERS: Final = Each("population", tuple(each.name for each in REGIONS))
PHASES: Final = Each("phase", tuple(Phase))


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much more than in a baseline is no regression: `least`, or `share` per cent if more."""

    least: float
    share: float = 25

    def of(self, baseline: float) -> float:
        """How much more is tolerated than this."""
        return max(self.least, baseline * self.share / 100)

    def told(self, unit: str) -> str:
        """`0.50 s or 25 %`."""
        return f"{words.number(self.least, unit)} or {self.share:g} %"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: all that objectives, comparison, series, report and docs know of a figure.

    `title` heads its cells, with a gap for whom it is of where there are several (`of`). `means`
    is what it is in a sentence, `formula` how it is computed, with gaps for thresholds; `missing`
    says why a run has no value. `flag` is a short option of `lab drill` that sets its upper limit.
    `tolerance` is for a figure that `--baseline` compares; it must be one that is better if lower.
    """

    name: str
    unit: str
    title: str
    means: str
    formula: str
    find: Callable[[Result], Values]
    better: Better = Better.LOWER
    shown: Shown = Shown.COMPARED
    of: Each | None = None
    missing: str = ""
    flag: str = ""
    tolerance: Tolerance | None = None

    def measured(self, result: Result | None = None) -> str:
        """Its formula, with the thresholds of a run, or of a run as it comes."""
        if result is None:
            return filled(self.formula)
        return filled(self.formula, window=result.rto_window, patience=result.rto_patience)

    @property
    def headline(self) -> bool:
        """Whether it is shown first, and always."""
        return self.shown is Shown.FIRST

    def of_whom(self, whom: str) -> Metric:
        """The same of one of several: its name and its title say of which."""
        title = self.title.format("slowest users" if whom == MOST else whom)
        return replace(self, name=f"{self.name}.{whom}" if whom else self.name, title=title)

    def found(self, result: Result, whom: str = WHOLE) -> Found:
        """One value; of the whole run, where there are several, that of those who fared worst."""
        values = self.find(result)
        if whom in values:
            return self._explained(values[whom])
        if whom or not values:
            return Found(None, self.missing)
        return self._explained(values.get(MOST) or worst(values.values(), self.better))

    def _explained(self, found: Found) -> Found:
        told = found.value is not None or found.detail
        return found if told else Found(None, self.missing, found.at_least)


def worst(found: Collection[Found], better: Better = Better.LOWER) -> Found:
    """Of several values the worst; none if one of them is none, and then what bounds it from below.

    Of no values at all it is none, too.
    """
    if better is Better.HIGHER:
        return min(found, key=_value, default=Found(None))
    missing = next((each for each in found if each.value is None), None)
    if missing:
        bounds = [value for each in found for value in (each.value, each.at_least)]
        known = [value for value in bounds if value is not None]
        return Found(None, missing.detail, max(known, default=None))
    return max(found, key=_value, default=Found(None))


def _value(found: Found) -> float:
    return found.value or 0.0
