"""spread.json: the same drill several times, and how far its figures lie apart. Pure.

The models and the arithmetic; `lab.drills.execution` runs the drills. Runs are named by their
folder, which stands beside the folder of the series.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from lab.core import jsondocuments
from lab.core.verdict import Verdict, worst
from lab.records.metricrows import metric, ordered, read
from lab.records.result import Result
from lab.records.resultrows import Count, Machine, Model, Number, Scalar, Versions, Whole

SCHEMA: Final[Literal[1]] = 1
FILE: Final = "spread.json"


class Conditions(Model):
    """What must be equal for two runs to be compared: everything but the seed and chance."""

    drill: str
    pattern: str
    versions: Versions
    machine: Machine
    settings: dict[str, Scalar]


class SeriesRun(Model):
    """One run of a series. `error` says why it has no figures; its verdict is unknown then.

    `earlier` are the folders of attempts before it whose verdict was unknown.
    """

    number: Count
    seed: Whole
    folder: str | None
    verdict: Verdict
    error: str = ""
    figures: dict[str, Number | None] = Field(default_factory=dict)
    earlier: tuple[str, ...] = ()


class SpreadRow(Model):
    """One figure over all runs: of `runs` runs that ended, `measured` have a value."""

    figure: str
    title: str
    unit: str
    headline: bool
    median: Number | None
    minimum: Number | None
    maximum: Number | None
    measured: Count
    runs: Count


class Series(Model):
    """All of spread.json. `asked` runs were wanted, `runs` are those that came to an end."""

    schema_version: Literal[1] = SCHEMA
    drill: str
    title: str
    command: str
    seed: Whole
    asked: Count
    interrupted: bool
    verdict: Verdict
    verdicts: dict[Verdict, Count]
    conditions: Conditions | None
    spread: tuple[SpreadRow, ...]
    runs: tuple[SeriesRun, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """The spread and the verdict follow from the runs: where they do not, one is damaged."""
        names = {name for run in self.runs for name in run.figures}
        if {row.figure for row in self.spread} != names:
            raise ValueError("its spread has other figures than its runs")
        for row in self.spread:
            told = (row.median, row.minimum, row.maximum, row.measured, row.runs)
            if told != _ends([run.figures.get(row.figure) for run in self.runs]):
                raise ValueError(f"the spread of {row.figure} is not that of the runs")
        if self.verdict is not worst(run.verdict for run in self.runs):
            raise ValueError(f"verdict is {self.verdict}, and not the worst of the runs")
        if self.verdicts != _counted(self.runs):
            raise ValueError("verdicts are not those of the runs")
        return self


def conditions(result: Result) -> Conditions:
    """The conditions under which a run took place."""
    return Conditions(
        drill=result.drill,
        pattern=result.pattern,
        versions=result.versions,
        machine=result.machine,
        settings=result.settings,
    )


def finished(
    number: int, seed: int, folder: str, result: Result, earlier: tuple[str, ...] = ()
) -> SeriesRun:
    """A run that has a result."""
    return SeriesRun(
        number=number,
        seed=seed,
        folder=folder,
        verdict=result.verdict,
        figures=read(result),
        earlier=earlier,
    )


def died(
    number: int, seed: int, folder: str | None, error: str, earlier: tuple[str, ...] = ()
) -> SeriesRun:
    """A run that ended with an error."""
    return SeriesRun(
        number=number,
        seed=seed,
        folder=folder,
        verdict=Verdict.UNKNOWN,
        error=error,
        earlier=earlier,
    )


def spread(runs: Sequence[SeriesRun]) -> tuple[SpreadRow, ...]:
    """Median, minimum and maximum of every figure that any run has; null values are left out."""
    names = {name: None for run in runs for name in run.figures}
    return tuple(_row(name, [run.figures.get(name) for run in runs]) for name in ordered(names))


Ends: TypeAlias = tuple[float | None, float | None, float | None, int, int]


def _row(name: str, values: Sequence[float | None]) -> SpreadRow:
    row, (median, least, most, measured, runs) = metric(name), _ends(values)
    return SpreadRow(
        figure=name,
        title=row.title,
        unit=row.unit,
        headline=row.headline,
        median=median,
        minimum=least,
        maximum=most,
        measured=measured,
        runs=runs,
    )


def _ends(values: Sequence[float | None]) -> Ends:
    """Median, minimum, maximum; how many were measured, and of how many."""
    known = [value for value in values if value is not None]
    median = statistics.median(known) if known else None
    return median, min(known, default=None), max(known, default=None), len(known), len(values)


def _counted(runs: Iterable[SeriesRun]) -> dict[Verdict, int]:
    counts = Counter(run.verdict for run in runs)
    return {verdict: counts[verdict] for verdict in Verdict}


def series(
    *,
    drill: str,
    title: str,
    command: str,
    seed: int,
    asked: int,
    interrupted: bool,
    conditions: Conditions | None,
    runs: Sequence[SeriesRun],
) -> Series:
    """The document of a series. Its verdict is the worst; of no runs at all it is unknown."""
    return Series(
        drill=drill,
        title=title,
        command=command,
        seed=seed,
        asked=asked,
        interrupted=interrupted,
        verdict=worst(run.verdict for run in runs),
        verdicts=_counted(runs),
        conditions=conditions,
        spread=spread(runs),
        runs=tuple(runs),
    )


def to_json(document: Series) -> str:
    """The text of spread.json."""
    return document.model_dump_json(indent=2) + "\n"


def from_file(path: Path) -> Series:
    """Read spread.json; raises UsageError when it is none, or of another schema version."""
    hint = "run the series again with this lab"
    return jsondocuments.versioned(path, Series, ("spread", "series"), hint)
