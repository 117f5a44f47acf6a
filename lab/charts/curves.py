"""Lanes of curves: latency of writes, and how far standbys are behind. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.charts.axis import LEFT, Axis, Block, Key, levels, region_class, stretches
from lab.charts.svg import Scale, label, tag
from lab.core.words import milliseconds, seconds, size
from lab.records.result import Result
from lab.records.resultrows import LatencyRow

LATENCY: Final = 74.0
LAG: Final = 38.0
FLOOR: Final = 0.001
_STRIP: Final = 8.0


@dataclass(frozen=True, slots=True)
class Bar:
    """The worst second of one bar: percentiles in seconds, None for endless."""

    at: int
    p50: float | None
    p99: float | None


def latency(result: Result, axis: Axis) -> Block | None:
    """p50 and p99 of each population's writes, logarithmic; a row per population."""
    populations = sorted({row.population for row in result.latencies})
    if not populations:
        return None
    known = [v for row in result.latencies for v in (row.p50, row.p99) if v]
    high = max([1.0, result.latency_limit or 0.0, *known])
    drawn: list[Markup] = []
    for index, population in enumerate(populations):
        top = index * (LATENCY + 8)
        y = Scale(math.log10(FLOOR), math.log10(high) + 0.1, top + LATENCY, top + _STRIP + 4)
        bars = worst(result.latencies, population, axis.each)
        drawn.append(_latency_row(bars, axis, y, population, result.latency_limit))
    keys = [
        Key("p50: half were quicker", "ink", "line"),
        Key("p99", "ink", "thin"),
        Key("never acknowledged: strip ≥ 1 %, full height ≥ half", "fail"),
    ]
    if result.latency_limit is not None:
        keys.append(Key(f"limit {milliseconds(result.latency_limit)}", "limit", "thin"))
    return Block(tag("g", *drawn), len(populations) * (LATENCY + 8) + 4, tuple(keys))


def worst(rows: Iterable[LatencyRow], population: str, each: int) -> Sequence[Bar]:
    """The worst second of each bar: percentiles of several seconds cannot be put together."""
    found: dict[int, list[LatencyRow]] = defaultdict(list)
    for row in rows:
        if row.population == population and row.started:
            found[row.at // each * each].append(row)
    return [
        Bar(at, _most(r.p50 for r in some), _most(r.p99 for r in some))
        for at, some in sorted(found.items())
    ]


def _most(values: Iterable[float | None]) -> float | None:
    each = list(values)
    real = [value for value in each if value is not None]
    return max(real) if len(real) == len(each) else None


def _latency_row(
    bars: Sequence[Bar], axis: Axis, y: Scale, population: str, limit: float | None
) -> Markup:
    decades = range(-3, math.floor(y.high) + 1)
    marks = [(y(n), _power(n)) for n in decades]
    kind = region_class(population)
    parts = [levels(axis, marks)]
    parts.extend(_bar(bar, axis, y, kind) for bar in bars)
    for values, shape in (([b.p99 for b in bars], "thin"), ([b.p50 for b in bars], "line")):
        path = _steps([b.at for b in bars], values, axis, y)
        if path:
            parts.append(tag("path", d=path, class_=f"curve {shape} {kind}"))
    if limit is not None and limit >= FLOOR:
        at = y(math.log10(limit))
        parts.append(tag("line", x1=axis.x.start, x2=axis.x.stop, y1=at, y2=at, class_="limit"))
    parts.append(label(LEFT + 5, y.stop + 6, f"users {population}", "inside"))
    return tag("g", *parts)


def _bar(bar: Bar, axis: Axis, y: Scale, kind: str) -> Markup:
    """The band between both percentiles, and a hatch where there is none."""
    left, room = axis.stretch(bar.at, bar.at + axis.each) or (axis.x.stop, 0.0)
    box: dict[str, object] = {"x": left, "width": room}
    told = f"p50 {_told(bar.p50)}, p99 {_told(bar.p99)}"
    title = tag("title", f"{bar.at:+d} s to {bar.at + axis.each:+d} s: {told}")
    if bar.p99 is None:
        top = y.stop - _STRIP
        height = _STRIP if bar.p50 is not None else y.start - top
        hatch = tag("rect", y=top, height=height, class_="fail", fill=axis.fill("fail"), **box)
        return tag("g", title, hatch)
    high, low = _y(bar.p99, y), _y(bar.p50 or FLOOR, y)
    band = tag("rect", y=high, height=max(low - high, 0.5), class_=f"between {kind}", **box)
    return tag("g", title, band)


def _told(value: float | None) -> str:
    return "endless" if value is None else milliseconds(value)


def _y(value: float, y: Scale) -> float:
    return y(math.log10(max(value, FLOOR)))


def _power(exponent: int) -> str:
    return f"{10 ** (exponent + 3):g} ms" if exponent < 0 else f"{10**exponent:g} s"


def _steps(starts: Sequence[int], values: Sequence[float | None], axis: Axis, y: Scale) -> str:
    """A line with a step per bar, broken where there is no value."""
    path: list[str] = []
    last: int | None = None
    for at, value in zip(starts, values, strict=True):
        if value is None:
            last = None
            continue
        left, room = axis.stretch(at, at + axis.each) or (axis.x.stop, 0.0)
        move = "L" if last == at else "M"
        path.append(f"{move}{left:.1f} {_y(value, y):.1f}h{room:.1f}")
        last = at + axis.each
    return "".join(path)


# ── replication ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Behind:
    """How far one standby was behind from `start` to `end` at most."""

    start: float
    end: float
    bytes_: int
    seconds: float | None


def lag(result: Result, axis: Axis) -> Block | None:
    """Bytes of WAL that each standby had yet to receive, a row per standby, all on one scale."""
    rows = {node: behind(result, node, axis) for node in _standbys(result)}
    rows = {node: some for node, some in rows.items() if some}
    if not rows:
        return None
    high = max(1.0, *(float(item.bytes_) for some in rows.values() for item in some))
    drawn: list[Markup] = []
    for index, (node, some) in enumerate(rows.items()):
        top = index * (LAG + 8)
        drawn.append(_lag_row(node, some, axis, Scale(0, high, top + LAG, top + 14)))
    return Block(tag("g", *drawn), len(rows) * (LAG + 8) + 4)


def _standbys(result: Result) -> Sequence[str]:
    return sorted({n.node for s in result.samples for n in s.nodes if n.lag_bytes is not None})


def behind(result: Result, node: str, axis: Axis) -> Sequence[Behind]:
    """What was sampled of one standby, the most of each pixel; gaps where it is unknown."""
    found: dict[int, Behind] = {}
    own = [(s.at, n) for s in result.samples for n in s.nodes if n.node == node]
    held = stretches([at for at, _ in own])
    for (at, end), (_, sample) in zip(held, own, strict=True):
        if sample.lag_bytes is None or axis.stretch(at, end) is None:
            continue
        pixel = int(axis.x(at))
        old = found.get(pixel) or Behind(at, end, 0, None)
        ages = [v for v in (old.seconds, sample.lag_seconds) if v is not None]
        most = max(old.bytes_, sample.lag_bytes)
        found[pixel] = Behind(old.start, end, most, max(ages, default=None))
    return list(found.values())


def _lag_row(node: str, some: Sequence[Behind], axis: Axis, y: Scale) -> Markup:
    kind = region_class(node.partition(".")[0])
    parts = [levels(axis, [(y.stop, size(y.high)), (y.start, "0")])]
    for item in some:
        left, room = axis.stretch(item.start, item.end) or (axis.x.stop, 0.0)
        top = y(item.bytes_)
        box = {"x": left, "y": min(top, y.start - 1), "width": room + 0.3}
        title = tag("title", f"{item.start:+.1f} s: {_behind(item.bytes_, item.seconds)}")
        height = max(y.start - top, 1.0)
        parts.append(tag("g", title, tag("rect", class_=f"lag {kind}", height=height, **box)))
    ages = [item.seconds for item in some if item.seconds is not None]
    most = _behind(max(item.bytes_ for item in some), max(ages, default=None))
    parts.append(label(LEFT + 5, y.stop - 3, f"{node}: at most {most}", "inside"))
    return tag("g", *parts)


def _behind(many: int, age: float | None) -> str:
    old = "" if age is None else f", {seconds(age)} old"
    return f"{size(many)} behind{old}"
