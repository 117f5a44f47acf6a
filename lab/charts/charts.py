"""The charts of a report as inline SVG: lanes on one time axis, and what recovery was spent on.

Pure: figures in, text out. Colours come from the page's style sheet by class (`region-1`, `fail`,
…); what went wrong is hatched and bands are named, so that no colour has to be told from another.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from lab.charts import events
from lab.charts.axis import FOOT, grid, legend, of, patterns
from lab.charts.lanes import LANES
from lab.charts.svg import Scale, drawing, label, tag, ticks
from lab.core.words import seconds
from lab.records.journalfile import Phase
from lab.records.result import Result
from lab.records.resultrows import PhaseRow

_TITLE: Final = 20.0
_BETWEEN: Final = 14.0


def timeline(result: Result, width: float) -> Markup:
    """Every lane that has something to show, above each other on one time axis."""
    axis = of(result, width)
    if axis is None:
        return Markup("")
    drawn: list[Markup] = []
    bottom = 0.0
    for lane in LANES:  # from the top down
        block = lane.draw(result, axis)
        if block is not None:
            top = bottom + (_BETWEEN if bottom else 4)
            keys, height = legend(block.keys, axis, _TITLE)
            title = label(4, 14, lane.title, "lane")
            body = tag("g", block.drawn, transform=f"translate(0 {_TITLE + height + 4:.0f})")
            drawn.append(tag("g", title, keys, body, transform=f"translate(0 {top:.0f})"))
            bottom = round(top) + _TITLE + height + 4 + block.height
    return drawing(
        width,
        bottom + FOOT,
        "The run over time: " + ", ".join(lane.title for lane in LANES),
        patterns(axis.suffix),
        events.outage(result, axis, 4, bottom),
        grid(axis, bottom, result.time_zero),
        # Last the topmost lane, the runbook: its text stands on the lines that run through all.
        *drawn[1:],
        events.rules(result, axis, 4, bottom),
        *drawn[:1],
        class_="chart",
    )


def waterfall(result: Result, width: float) -> Markup:
    """Each phase of the recovery time as bars on one axis; phases may overlap."""
    rows = result.rto_phases
    back = result.rto_seconds.get("max")
    longest = max((end for row in rows for _, end in row.spans), default=0.0)
    high = max(longest, back or 0.0)
    if not rows or high <= 0:
        return Markup("")
    x = Scale(0, high, 108, width - 96)
    height = (len(rows) + 1) * 24 + 6
    return drawing(
        width,
        height + FOOT,
        "What the recovery time was spent on",
        _seconds_axis(x, height, width),
        *(_phase(n, row, x) for n, row in enumerate(rows)),
        _total(len(rows), back, x),
        class_="chart",
    )


def _seconds_axis(x: Scale, height: float, width: float) -> Markup:
    parts: list[Markup] = []
    for value in ticks(0, x.high, 9 if width > 600 else 4):
        parts.append(tag("line", x1=x(value), x2=x(value), y1=4, y2=height, class_="grid"))
        parts.append(label(x(value), height + 15, f"{value:g}", anchor="middle"))
    parts.append(label(x.stop, height + 32, "seconds after the fault", "unit", "end"))
    return tag("g", *parts)


def _phase(row: int, phase: PhaseRow, x: Scale) -> Markup:
    y = row * 24.0 + 10
    kind = "phase unexplained" if phase.phase is Phase.UNEXPLAINED else "phase"
    bars = (
        tag("rect", x=x(start), y=y, width=max(x(end) - x(start), 1.5), height=14, rx=2)
        for start, end in phase.spans
    )
    after = x(max((end for _, end in phase.spans), default=0.0)) + 6
    return tag(
        "g",
        label(100, y + 11, phase.phase.value, anchor="end"),
        *bars,
        label(after, y + 11, seconds(phase.seconds), "halo"),
        class_=kind,
    )


def _total(row: int, back: float | None, x: Scale) -> Markup:
    y = row * 24.0 + 10
    end = x.high if back is None else back
    return tag(
        "g",
        label(100, y + 11, "users back", anchor="end"),
        tag("rect", x=x(0), y=y, width=max(x(end) - x(0), 1.5), height=14, rx=2),
        label(x(end) + 6, y + 11, "not seen" if back is None else seconds(back), "halo"),
        class_="phase total",
    )
