"""Two runs, or two series, side by side: what differs, and whether it may be compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab.core import words
from lab.core.verdict import Verdict
from lab.records.metric import Better, Metric
from lab.records.metricrows import metric, ordered, read
from lab.records.result import Result
from lab.records.spread import Conditions, Series, conditions

MEASURED_SETTINGS: Final = frozenset({"clock_error_seconds", "processor_wait_share"})
"""They stand among a run's settings, but come from the run: they always differ."""


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of one side. Of a series: the median, its range, and how many runs have it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    measured: int = 1
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a run, or a series with a seed for each run. `page` is its own report."""

    name: str
    title: str
    verdict: Verdict
    seeds: tuple[int | None, ...]
    conditions: Conditions | None
    figures: Mapping[str, Value]
    page: str


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both sides as text.

    `sign` shows the direction that B went, `judgement` what that means: better, worse, same, more
    or less (for figures of which neither is better), or nothing if one of them is missing.
    `overlap` says that one lies in the range of the other: then the difference may be chance.
    """

    title: str
    headline: bool
    a: str
    b: str
    a_range: str
    b_range: str
    difference: str = ""
    ratio: str = ""
    sign: str = ""
    judgement: str = ""
    overlap: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole comparison. `notes` say why the two may not be comparable; none is best."""

    a: Side
    b: Side
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def of_run(name: str, result: Result) -> Side:
    """A single run as one side."""
    return Side(
        name=name,
        title=result.title,
        verdict=result.verdict,
        seeds=(result.seed,),
        conditions=conditions(result),
        figures={figure: Value(value) for figure, value in read(result).items()},
        page="report.html",
    )


def of_series(name: str, series: Series) -> Side:
    """A series as one side: medians, with their range."""
    return Side(
        name=name,
        title=f"{series.title} ({words.count(len(series.runs), 'run')})",
        verdict=series.verdict,
        seeds=tuple(run.seed for run in series.runs),
        conditions=series.conditions,
        figures={
            row.figure: Value(row.median, row.minimum, row.maximum, row.measured, row.runs)
            for row in series.spread
        },
        page="spread.html",
    )


def compare(a: Side, b: Side) -> Comparison:
    """Put B beside A: differences are B − A, ratios B ÷ A."""
    names = ordered({**a.figures, **b.figures})
    missing = Value(None)
    pairs = ((n, a.figures.get(n, missing), b.figures.get(n, missing)) for n in names)
    rows = (
        _row(row, left, right)
        for name, left, right in pairs
        if (row := metric(name)).headline or left.value is not None or right.value is not None
    )
    return Comparison(a, b, tuple(rows), tuple(_notes(a, b)))


def _row(figure: Metric, a: Value, b: Value) -> Row:
    unit = figure.unit
    texts = (words.number(a.value, unit), words.number(b.value, unit))
    ranges = (_range(a, unit), _range(b, unit))
    if a.value is None or b.value is None:
        return Row(figure.title, figure.headline, *texts, *ranges)
    change = b.value - a.value
    sign = "=" if texts[0] == texts[1] else "▲" if change > 0 else "▼"
    return Row(
        figure.title,
        figure.headline,
        *texts,
        *ranges,
        difference=_signed(change, unit) if sign != "=" else "",
        ratio=_ratio(b.value / a.value) if a.value > 0 and sign != "=" else "",
        sign=sign,
        judgement=_JUDGEMENT[figure.better, sign],
        overlap=sign != "="
        and _meet(_ends(a) or (a.value, a.value), _ends(b) or (b.value, b.value)),
    )


_JUDGEMENT: Final[Mapping[tuple[Better, str], str]] = {
    (Better.LOWER, "▲"): "worse",
    (Better.LOWER, "▼"): "better",
    (Better.HIGHER, "▲"): "better",
    (Better.HIGHER, "▼"): "worse",
    (Better.NEITHER, "▲"): "more",
    (Better.NEITHER, "▼"): "less",
    **{(better, "="): "same" for better in Better},
}


def _range(item: Value, unit: str) -> str:
    """`2.90 – 3.50 s (4 of 5)`; only what is needed, and nothing for a single run."""
    if (ends := _ends(item)) is None:
        return ""
    low, high = (words.number(each, unit) for each in ends)
    partly = f"({item.measured} of {item.runs})" if item.measured < item.runs else ""
    number, _, same_unit = low.partition(" ")
    if " " not in same_unit and same_unit == high.partition(" ")[2]:
        low = number if low != high else low
    return " ".join(filter(None, [low if low == high else f"{low} – {high}", partly]))


def _meet(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether two ranges have a value in common."""
    return a[0] <= b[1] and b[0] <= a[1]


def _ends(item: Value) -> tuple[float, float] | None:
    """The range of a series; None for a single run, which has none."""
    return None if item.low is None or item.high is None else (item.low, item.high)


def _signed(change: float, unit: str) -> str:
    return ("−" if change < 0 else "+") + words.number(abs(change), unit)


def _ratio(value: float) -> str:
    return f"×{value:.2f}" if value < 10 else f"×{value:,.0f}"


def _notes(a: Side, b: Side) -> Iterator[str]:
    """Each difference in conditions, in words."""
    for side in (a, b):
        if side.conditions is None:
            yield f"{side.name} has no run that ended: nothing is known of its conditions"
    if a.conditions and b.conditions:
        yield from differences(a.conditions, b.conditions, ("A", "B"))
    if a.seeds != b.seeds:
        yield f"seed: {_seeds(a.seeds)} in A, {_seeds(b.seeds)} in B"
    if len(a.seeds) == 1 or len(b.seeds) == 1:
        yield ("single runs differ by chance, too; how far: lab drill NAME --repeat 5")


def differences(one: Conditions, other: Conditions, called: tuple[str, str]) -> Iterator[str]:
    """Each condition that makes two sides hard to compare; `called` are their names."""
    first, second = _facts(one), _facts(other)
    for name in {**first, **second}:
        if first.get(name) != second.get(name):
            values = zip((first.get(name), second.get(name)), called, strict=True)
            yield f"{name}: {', '.join(f'{_said(value)} in {side}' for value, side in values)}"


def _facts(item: Conditions) -> dict[str, object]:
    """Everything that should be equal, by what it is called."""
    settings = {
        name.replace("_", " "): value
        for name, value in item.settings.items()
        if name not in MEASURED_SETTINGS
    }
    return {
        "drill": item.drill,
        "pattern": item.pattern,
        **settings,
        "lab version": item.versions.lab,
        "PostgreSQL": item.versions.postgresql,
        "engine": item.versions.engine,
        "CPUs": item.machine.cpus,
        "memory": words.size(item.machine.memory_bytes),
        "system": f"{item.machine.system} {item.machine.kernel} {item.machine.architecture}",
    }


def _said(value: object) -> str:
    return "not set" if value is None else str(value)


def _seeds(seeds: tuple[int | None, ...]) -> str:
    known = [seed for seed in seeds if seed is not None]
    if len(known) > 1 and known == list(range(known[0], known[-1] + 1)):
        return f"{known[0]} to {known[-1]}"
    return ", ".join(map(str, known)) or "none"
