"""The charts of a report as inline SVG: traffic over time with the runbook above it, and phases.

Pure: figures in, text out. Colours come from the page's style sheet by class (`east`, `fail`, …),
and what went wrong is hatched as well, so that no colour has to be told from another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.history import Outcome
from lab.record import Phase
from lab.result import PhaseRow, Result, TrafficRow
from lab.svg import Scale, drawing, label, tag, ticks, width_of
from lab.words import moment, number, seconds

LANE: Final = 18.0
PLOT: Final = 190.0
LEFT: Final = 46.0
RIGHT: Final = 12.0
AXIS: Final = 38.0
SERIES: Final = ("region-1", "region-2", "local", "unknown", "fail")
"""Classes of the stacked parts, from the bottom up."""


@dataclass(frozen=True, slots=True)
class Event:
    """One lane above the traffic: a step with its length, or a moment (`started` = `ended`)."""

    text: str
    started: float
    ended: float
    class_: str


def traffic(result: Result, width: float) -> Markup:
    """Writes that ended per second, stacked, on the time axis of the fault and the steps."""
    if not result.traffic:
        return Markup("")
    each = _bar_seconds(result.traffic, width)
    stacks = stack(result.traffic, regions(result), each)
    events = _events(result)
    top = LANE * len(events) + 14
    low = min([*stacks, *(event.started for event in events)])
    high = max(stacks) + each
    x = Scale(low, high, LEFT, width - RIGHT)
    peak = max(sum(parts.values()) for parts in stacks.values()) / each
    y = Scale(0, peak * 1.05, top + PLOT, top)
    return drawing(
        width,
        top + PLOT + AXIS,
        "Writes per second before, during and after the fault, with the steps of the runbook",
        patterns(f"w{width:.0f}"),
        _grid(x, y, width),
        _outage(result, x, y),
        *(_bar(at, parts, each, (x, y), f"w{width:.0f}") for at, parts in sorted(stacks.items())),
        *(_lane(n, event, x, y, width) for n, event in enumerate(events)),
        class_="chart",
    )


def regions(result: Result) -> tuple[str, ...]:
    """Names of the regions that answered, sorted: the first is drawn in the first colour."""
    return tuple(sorted({row.region for row in result.traffic if row.region}))


def _bar_seconds(rows: Iterable[TrafficRow], width: float) -> int:
    """Whole seconds per bar, so that no bar is thinner than 5 px."""
    seconds_shown = [row.at for row in rows]
    span = max(seconds_shown) - min(seconds_shown) + 1
    return math.ceil(span * 5 / (width - LEFT - RIGHT))


def stack(
    rows: Iterable[TrafficRow], names: tuple[str, ...], each: int
) -> Mapping[int, Mapping[str, int]]:
    """Writes by class of `SERIES` in bars of `each` seconds; none reaches across the fault."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SERIES, 0))
    for row in rows:
        name = row.outcome.value
        if row.outcome is Outcome.OK:
            name = "region-2" if row.region in names[1:] else "region-1"
        found[row.at // each * each][name] += row.count
    return found


def patterns(suffix: str) -> Markup:
    """Hatches for what did not go well; ids must differ between pictures of one page."""
    return tag(
        "defs",
        *(
            tag(
                "pattern",
                tag("rect", width=6, height=6, class_=f"back-{name}"),
                tag("path", d=path, class_=f"hatch-{name}"),
                id=f"{name}-{suffix}",
                width=6,
                height=6,
                patternUnits="userSpaceOnUse",
            )
            for name, path in _HATCHES.items()
        ),
    )


_HATCHES: Final = {
    "fail": "M-1 1L1 -1M0 6L6 0M5 7L7 5",
    "unknown": "M1.5 1.5h.1M4.5 4.5h.1",
    "local": "M0 3H6",
}


def _events(result: Result) -> tuple[Event, ...]:
    """Fault, steps and returns that fall into the time of the traffic, by their beginning."""
    last = max((row.at + 1 for row in result.traffic), default=0)
    found = [
        Event(step.name, step.started, step.ended, f"step {step.path.value}")
        for step in result.steps
        if step.started <= last
    ]
    if result.time_zero == "fault_started":
        found.append(Event("fault", 0.0, 0.0, "moment fault"))
    for name, back in result.rto_seconds.items():
        if name != "max" and back:
            found.append(Event(f"users {name} back", back, back, "moment back"))
    return tuple(sorted(found, key=lambda event: (event.started, event.ended)))


def _grid(x: Scale, y: Scale, width: float) -> Markup:
    """Both axes with their units."""
    parts: list[Markup] = []
    for value in ticks(0, y.high, 5):
        parts.append(tag("line", x1=x.start, x2=x.stop, y1=y(value), y2=y(value), class_="grid"))
        parts.append(label(x.start - 6, y(value) + 4, number(value), anchor="end"))
    for value in ticks(x.low, x.high, 11 if width > 600 else 6):
        parts.append(
            tag("line", x1=x(value), x2=x(value), y1=y.start, y2=y.start + 4, class_="axis")
        )
        parts.append(label(x(value), y.start + 17, _signed(value), anchor="middle"))
    parts.append(tag("line", x1=x.start, x2=x.stop, y1=y.start, y2=y.start, class_="axis"))
    parts.append(label(x.stop, y.start + 33, "seconds after the fault", "unit", "end"))
    parts.append(label(4, y.start + 33, "↑ writes per second", "unit"))
    return tag("g", *parts)


def _outage(result: Result, x: Scale, y: Scale) -> Markup:
    """The time in which the slowest users could not write."""
    back = result.rto_seconds.get("max")
    if result.time_zero != "fault_started" or back == 0:
        return Markup("")
    end = x.high if back is None else min(back, x.high)
    return tag(
        "rect", x=x(0), y=y.stop, width=x(end) - x(0), height=y.start - y.stop, class_="outage"
    )


def _bar(
    at: int, parts: Mapping[str, int], each: int, scales: tuple[Scale, Scale], suffix: str
) -> Markup:
    """One bar: rates of its parts stacked, and the counts as a tool tip."""
    x, y = scales
    drawn: list[Markup] = []
    base = 0
    for name in SERIES:
        if parts[name]:
            fill = f"url(#{name}-{suffix})" if name in _HATCHES else None
            drawn.append(
                tag(
                    "rect",
                    x=x(at) + 0.5,
                    y=y((base + parts[name]) / each),
                    width=x(at + each) - x(at) - 1,
                    height=y(base / each) - y((base + parts[name]) / each),
                    class_=name,
                    fill=fill,
                )
            )
            base += parts[name]
    told = ", ".join(f"{count:,} {_NAMES[name]}" for name, count in parts.items() if count)
    return tag("g", tag("title", f"{at:+d} s to {at + each:+d} s: {told}"), *drawn)


_NAMES: Final = {
    "region-1": "acknowledged by the first region",
    "region-2": "acknowledged by the second region",
    "local": "acknowledged with a warning",
    "unknown": "without an answer",
    "fail": "failed",
}


def _lane(row: int, event: Event, x: Scale, y: Scale, width: float) -> Markup:
    """A step as a bar, a moment as a diamond with a line down into the traffic; text beside it."""
    middle = row * LANE + 12
    start, end = x(event.started), min(x(event.ended), x.stop)
    if event.class_.startswith("moment"):
        mark = tag(
            "g",
            tag("line", x1=start, x2=start, y1=middle, y2=y.start, class_="rule"),
            tag("path", d=f"M{start:.1f} {middle - 5:.1f}l5 5l-5 5l-5 -5z"),
        )
        took = moment(event.started) if event.started else ""
    else:
        size = max(end - start, 2.5)
        mark = tag("rect", x=start, y=middle - 5, width=size, height=10.0, rx=2)
        end = start + size
        took = seconds(event.ended - event.started)
    text = label_beside(start - 8, end + 8, middle + 4, (event.text, took), width)
    return tag("g", mark, text, class_=event.class_)


def label_beside(
    left: float, right: float, y: float, words: tuple[str, str], width: float
) -> Markup:
    """Text to the right of a mark; without its figure if that is too long; else to the left."""
    for text in (" ".join(filter(None, words)), words[0]):
        if right + width_of(text) < width:
            return label(right, y, text, "halo")
    return label(left, y, " ".join(filter(None, words)), "halo", "end")


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"


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
        height + AXIS,
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
