"""The dot plot of a series: every run is a mark on a line, the median is a rule. Pure.

Marks tell verdicts by shape, not by colour alone: circle pass, square fail, diamond unknown. Runs
that lie close together are stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.charts.svg import Scale, drawing, label, tag, ticks, width_of
from lab.core import words
from lab.core.verdict import Verdict
from lab.records.spread import Series, SeriesRun, SpreadRow

MARK: Final = 8.0
"""Half the width of a mark, in pixels."""

_ABOVE, _BELOW, _EDGE, _TICKS = 24.0, 24.0, 18.0, {True: 4, False: 9}


@dataclass(frozen=True, slots=True)
class Mark:
    """One run's place on the line: pixels from the left, and how high in the stack."""

    run: SeriesRun
    value: float
    x: float
    level: int


def place(runs: Sequence[tuple[SeriesRun, float]], scale: Scale) -> tuple[Mark, ...]:
    """Put marks where their values are, on the lowest level where none is touched."""
    found: list[Mark] = []
    for run, value in sorted(runs, key=lambda pair: (pair[1], pair[0].number)):
        x = scale(value)
        taken = {mark.level for mark in found if abs(mark.x - x) < 2 * MARK + 2}
        level = next(level for level in range(len(runs)) if level not in taken)
        found.append(Mark(run, value, x, level))
    return tuple(found)


def plot(series: Series, row: SpreadRow, width: int) -> Markup:
    """One figure of all runs; empty if no run has it."""
    runs = [
        (run, value) for run in series.runs if (value := run.figures.get(row.figure)) is not None
    ]
    if not runs or row.median is None:
        return Markup()
    scale = Scale(*_ends([value for _, value in runs]), _EDGE, width - _EDGE)
    marks = place(runs, scale)
    line = _ABOVE + (max(mark.level for mark in marks) + 1) * 2 * (MARK + 1)
    return drawing(
        width,
        line + _BELOW,
        f"{row.title}: median {words.number(row.median, row.unit)}"
        f" of {words.count(len(runs), 'run')}",
        *_axis(scale, line, row.unit, width),
        *_median(row.median, row.unit, scale, line, width),
        *(_mark(mark, line, row.unit) for mark in marks),
        class_="chart dots",
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """What the axis spans: from 0, unless all values lie together far away from it."""
    low, high = min(values), max(values)
    if low > high / 2 and high > low:
        margin = (high - low) / 20
        return low - margin, high + margin
    return min(low, 0.0), high if high > min(low, 0.0) else 1.0


def _axis(scale: Scale, line: float, unit: str, width: int) -> list[Markup]:
    parts = [tag("line", x1=_EDGE, x2=width - _EDGE, y1=line, y2=line, class_="axis")]
    for value in ticks(scale.low, scale.high, _TICKS[width < 600]):
        x = scale(value)
        parts.append(tag("line", x1=x, x2=x, y1=line, y2=line + 4, class_="axis"))
        shown = f"{value:g} s" if unit == "s" else words.number(value)
        parts.append(label(x, line + 17, shown, "unit", _anchor(x, shown, width)))
    return parts


def _median(value: float, unit: str, scale: Scale, line: float, width: int) -> list[Markup]:
    x, text = scale(value), f"median {words.number(value, unit)}"
    return [
        tag("line", x1=x, x2=x, y1=_ABOVE - 6, y2=line, class_="median"),
        label(x, _ABOVE - 10, text, "halo median", _anchor(x, text, width)),
    ]


def _anchor(x: float, text: str, width: int) -> str:
    """Where a label must be held so that it stays inside."""
    half = width_of(text) / 2
    if x - half < 2:
        return "start"
    return "end" if x + half > width - 2 else "middle"


def _mark(mark: Mark, line: float, unit: str) -> Markup:
    x, y = mark.x, line - (MARK + 1) * (2 * mark.level + 1)
    told = f"run {mark.run.number}, seed {mark.run.seed}: {words.number(mark.value, unit)}"
    group = tag(
        "g",
        tag("title", f"{told}, {mark.run.verdict.value}"),
        shape(mark.run.verdict, x, y),
        label(x, y + 3.5, str(mark.run.number), anchor="middle"),
        class_=f"mark {mark.run.verdict.value}",
    )
    return tag("a", group, href=f"../{mark.run.folder}/report.html")


def shape(verdict: Verdict, x: float, y: float) -> Markup:
    """The mark of a verdict around a point."""
    if verdict is Verdict.PASS:
        return tag("circle", cx=x, cy=y, r=MARK)
    side = 2 * MARK - (4 if verdict is Verdict.UNKNOWN else 2)  # a turned one is wider
    turned = f"rotate(45 {x:.1f} {y:.1f})" if verdict is Verdict.UNKNOWN else None
    return tag("rect", x=x - side / 2, y=y - side / 2, width=side, height=side, transform=turned)
