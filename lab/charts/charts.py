"""The charts of a report as inline SVG: lanes on one time axis, and what recovery was spent on.

Pure: figures in, text out. Colours come from the page's style sheet by class (`region-1`, `fail`,
…); what went wrong is hatched and bands are named, so that no colour has to be told from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from lab.charts import events
from lab.charts.axis import FOOT, figures, grid, legend, of, patterns
from lab.charts.lanes import LANES
from lab.charts.svg import Scale, drawing, label, tag
from lab.core.words import seconds
from lab.records.journalfile import Phase
from lab.records.result import Result

_TITLE: Final = 20.0
_BETWEEN: Final = 14.0


def timeline(result: Result, width: float) -> Markup:
    """Every lane that has something to show, above each other on one time axis."""
    axis = of(result, width)
    if axis is None:
        return Markup("")
    heads: list[Markup] = []
    bodies: list[Markup] = []
    bottom = 0.0
    for lane in LANES:  # from the top down
        block = lane.draw(result, axis)
        if block is not None:
            top = round(bottom + (_BETWEEN if bottom else 4))
            keys, height = legend(block.keys, axis, _TITLE)
            title = label(4, 14, lane.title, "lane")
            heads.append(tag("g", title, keys, transform=f"translate(0 {top})"))
            top += round(_TITLE + height + 4)
            bodies.append(tag("g", block.drawn, transform=f"translate(0 {top})"))
            bottom = top + block.height
    return drawing(
        width,
        bottom + FOOT,
        "The run over time: " + ", ".join(lane.title for lane in LANES),
        patterns(axis.suffix),
        events.outage(result, axis, 4, bottom),
        grid(axis, bottom, result.time_zero),
        # Text stands on the lines that run through all: titles, legends, the runbook's lane.
        *bodies[1:],
        events.rules(result, axis, 4, bottom),
        *heads,
        *bodies[:1],
        class_="chart",
    )


def waterfall(result: Result, width: float) -> Markup:
    """Each phase of the recovery time as bars on one axis; phases may overlap."""
    phases = result.rto_phases
    back = result.rto_seconds.get("max")
    high = max([back or 0.0, *(end for row in phases for _, end in row.spans)])
    if not phases or high <= 0:
        return Markup("")
    x = Scale(0, high, 108, width - 96)
    height = (len(phases) + 1) * 24 + 6
    unseen = {Phase.UNEXPLAINED: "phase unexplained"}
    rows = [
        _row(n, row.phase.value, row.spans, seconds(row.seconds), unseen.get(row.phase, "phase"), x)
        for n, row in enumerate(phases)
    ]
    whole = [(0.0, high if back is None else back)]
    told = "not seen" if back is None else seconds(back)
    return drawing(
        width,
        height + FOOT,
        "What the recovery time was spent on",
        figures(x, height, 9 if width > 600 else 4, "{:g}".format, "seconds after the fault"),
        *rows,
        _row(len(phases), "users back", whole, told, "phase total", x),
        class_="chart",
    )


def _row(
    n: int, name: str, spans: Sequence[tuple[float, float]], text: str, class_: str, x: Scale
) -> Markup:
    """A row of the waterfall: its boxes, and the text behind the last."""
    y = n * 24.0 + 10
    boxes = (
        tag("rect", x=x(start), y=y, width=max(x(end) - x(start), 1.5), height=14, rx=2)
        for start, end in spans
    )
    after = x(max((end for _, end in spans), default=0.0)) + 6
    words = label(100, y + 11, name, anchor="end"), label(after, y + 11, text, "halo")
    return tag("g", *boxes, *words, class_=class_)
