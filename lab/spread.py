"""spread.json: the same drill several times, and how far its figures lie apart. Pure.

The models and the arithmetic; `lab.series` runs the drills. Runs are named by their folder, which
stands beside the folder of the series.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.readings import ordered, read, reading
from lab.result import Result, read_document
from lab.rows import Machine, Versions
from lab.verdict import Verdict, worst

SCHEMA: Final[Literal[1]] = 1
FILE: Final = "spread.json"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Conditions(_Model):
    """What must be equal for two runs to be compared: everything but the seed and chance."""

    drill: str
    pattern: str
    versions: Versions
    machine: Machine
    settings: dict[str, str | int | float | bool | None]


class SeriesRun(_Model):
    """One run of a series. `error` says why it has no figures; its verdict is unknown then."""

    number: int
    seed: int
    folder: str | None
    verdict: Verdict
    error: str = ""
    figures: dict[str, float | None] = Field(default_factory=dict)


class SpreadRow(_Model):
    """One figure over all runs: of `runs` runs that ended, `measured` have a value."""

    figure: str
    title: str
    unit: str
    headline: bool
    median: float | None
    minimum: float | None
    maximum: float | None
    measured: int
    runs: int


class Series(_Model):
    """All of spread.json. `asked` runs were wanted, `runs` are those that came to an end."""

    schema_version: Literal[1] = SCHEMA
    drill: str
    title: str
    command: str
    seed: int
    asked: int
    interrupted: bool
    verdict: Verdict
    verdicts: dict[Verdict, int]
    conditions: Conditions | None
    spread: tuple[SpreadRow, ...]
    runs: tuple[SeriesRun, ...]


def conditions(result: Result) -> Conditions:
    """The conditions under which a run took place."""
    return Conditions(
        drill=result.drill,
        pattern=result.pattern,
        versions=result.versions,
        machine=result.machine,
        settings=result.settings,
    )


def finished(number: int, seed: int, folder: str, result: Result) -> SeriesRun:
    """A run that has a result."""
    return SeriesRun(
        number=number, seed=seed, folder=folder, verdict=result.verdict, figures=read(result)
    )


def died(number: int, seed: int, folder: str | None, error: str) -> SeriesRun:
    """A run that ended with an error."""
    return SeriesRun(number=number, seed=seed, folder=folder, verdict=Verdict.UNKNOWN, error=error)


def spread(runs: Sequence[SeriesRun]) -> tuple[SpreadRow, ...]:
    """Median, minimum and maximum of every figure that any run has; null values are left out."""
    names = {name: None for run in runs for name in run.figures}
    return tuple(_row(name, [run.figures.get(name) for run in runs]) for name in ordered(names))


def _row(name: str, values: Sequence[float | None]) -> SpreadRow:
    known = [value for value in values if value is not None]
    row = reading(name)
    return SpreadRow(
        figure=name,
        title=row.title,
        unit=row.unit,
        headline=row.headline,
        median=statistics.median(known) if known else None,
        minimum=min(known, default=None),
        maximum=max(known, default=None),
        measured=len(known),
        runs=len(values),
    )


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
    counts = Counter(run.verdict for run in runs)
    return Series(
        drill=drill,
        title=title,
        command=command,
        seed=seed,
        asked=asked,
        interrupted=interrupted,
        verdict=worst(run.verdict for run in runs),
        verdicts={verdict: counts[verdict] for verdict in Verdict},
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
    return read_document(path, Series, ("spread", "series"), SCHEMA, hint)
