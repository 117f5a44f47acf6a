"""An earlier run that a new one must keep up with: its figures as objectives.

The limit of a figure is its value there and what its row tolerates (`lab.records.metricrows`). Of
a series the worst run counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.core import words
from lab.core.errors import UsageError
from lab.core.paths import is_file
from lab.core.verdict import Comparison, Objective
from lab.metrics.customobjectives import Wanted
from lab.records import compare, result, spread
from lab.records.compare import Side, Value
from lab.records.metric import Metric, Tolerance
from lab.records.metricrows import METRICS
from lab.records.result import Result
from lab.records.runfiles import SPREAD
from lab.report import folders

FLAG: Final = "--baseline"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a command line compares with; nothing without the option."""

    wanted: Wanted = field(default_factory=Wanted)
    side: Side | None = None

    def doubts(self, found: Result) -> Iterator[str]:
        """What makes a run and its baseline hard to compare, in words."""
        if self.side is not None and self.side.conditions is not None:
            called = "the baseline", "this run"
            yield from compare.differences(self.side.conditions, spread.conditions(found), called)


def read(given: str | None, drill: str) -> Baseline:
    """The baseline of a run of `drill`: a run or a series, or a file that was kept of one.

    Raises UsageError if it is of another drill, or has no figure to compare.
    """
    if given is None:
        return Baseline()
    side = _side(given)
    of = side.conditions.drill if side.conditions else "nothing that ended"
    if of != drill:
        raise UsageError(
            f"{FLAG} {given} is a run of {of}, and this is {drill}", "name a run of the same drill"
        )
    more = tuple(_objectives(side))
    if not more:
        raise UsageError(f"{FLAG} {given} measured no figure that is compared", "name another run")
    return Baseline(Wanted(arguments=(FLAG, given), more=more), side)


def _side(given: str) -> Side:
    path = Path(given)
    if not is_file(path):
        return folders.side(given)[1]
    if path.name == SPREAD:
        return compare.of_series(given, spread.from_file(path))
    return compare.of_run(given, result.from_file(path))


def _objectives(side: Side) -> Iterator[Objective]:
    for row in METRICS:
        value = _worst(row, side)
        if row.tolerance is not None and value is not None:
            yield _objective(row, row.tolerance, value, side.name)


def _objective(row: Metric, tolerance: Tolerance, value: float, name: str) -> Objective:
    more = tolerance.of(value)
    limit = round(value + more, 3 if row.unit == "s" else None)
    there, tolerated = words.number(value, row.unit), words.number(limit - value, row.unit)
    why = f"{there} in the baseline {name}; {tolerated} more is no regression"
    return Objective(row.name, limit, row.unit, Comparison.AT_MOST, why, baseline=value)


def _worst(row: Metric, side: Side) -> float | None:
    """Its value of the population and the run of a series that fared worst.

    None if one that came to an end has none: then nothing says what is worse.
    """
    ended = max((each.measured for each in side.figures.values()), default=0)
    own = [each for name, each in side.figures.items() if name.partition(".")[0] == row.name]
    known = [value for each in own if (value := _most(each, ended)) is not None]
    return max(known) if known and len(known) == len(own) else None


def _most(figure: Value, ended: int) -> float | None:
    if figure.measured < ended:
        return None
    return figure.value if figure.high is None else figure.high
