"""Lanes of bars: how writes ended per second, and where operations went. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from lab.charts.axis import Axis, Block, Key, levels, name, region_class
from lab.charts.svg import Scale, tag, ticks
from lab.core.addresses import Addresses
from lab.core.topology import REGIONS
from lab.core.words import number
from lab.records.history import Outcome
from lab.records.result import Result
from lab.records.resultrows import AddressRow, TrafficRow

PLOT: Final = 170.0
ROW: Final = 34.0
SERIES: Final = {
    "region-1": f"acknowledged by {REGIONS[0].name}",
    "region-2": f"acknowledged by {REGIONS[1].name}",
    "region-0": "acknowledged, region not named",
    "local": "acknowledged with a warning (not replicated)",
    "unknown": "no answer",
    "fail": "failed",
}
"""Classes of the stacked parts of a bar, from the bottom up, and what they mean."""

WHERE: Final = {
    "region-1": f"sent to {REGIONS[0].name}",
    "region-2": f"sent to {REGIONS[1].name}",
    "region-0": "sent elsewhere",
    "unknown": "had no address to go to",
}


Stacks = Mapping[int, Mapping[str, int]]


def traffic(result: Result, axis: Axis) -> Block | None:
    """Writes that ended per second, stacked by how."""
    if not result.traffic:
        return None
    stacks = stack(result.traffic, axis.each)
    peak = max(sum(parts.values()) for parts in stacks.values()) / axis.each
    y = Scale(0, peak * 1.05, PLOT, 6)
    marks = [(y(value), number(value)) for value in ticks(0, y.high, 5)]
    return Block(
        tag("g", levels(axis, marks), *_bars(stacks, axis, y, SERIES)),
        PLOT + 8,
        _keys(SERIES, stacks),
    )


def stack(rows: Iterable[TrafficRow], each: int) -> Stacks:
    """Writes by class of `SERIES` in bars of `each` seconds."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SERIES, 0))
    for row in rows:
        kind = region_class(row.region) if row.outcome is Outcome.OK else row.outcome.value
        found[row.at // each * each][kind] += row.count
    return found


def addresses(result: Result, axis: Axis) -> Block | None:
    """Where each population's operations went, one row each, all on one scale."""
    populations = sorted({row.population for row in result.addresses})
    if not populations:
        return None
    rows = {each: went(result.addresses, each, axis.each) for each in populations}
    peak = max(sum(parts.values()) for one in rows.values() for parts in one.values()) / axis.each
    drawn: list[Markup] = []
    for index, (population, stacks) in enumerate(rows.items()):
        y = Scale(0, peak or 1.0, (index + 1) * (ROW + 6) - 4, index * (ROW + 6) + 2)
        drawn.append(name(axis, (y.start + y.stop) / 2, f"users {population}"))
        drawn.extend(_bars(stacks, axis, y, WHERE))
        drawn.append(
            tag("line", x1=axis.x.start, x2=axis.x.stop, y1=y.start, y2=y.start, class_="axis")
        )
    both = {n: parts for n, one in enumerate(rows.values()) for parts in [_sum(one.values())]}
    return Block(tag("g", *drawn), len(rows) * (ROW + 6) + 4, _keys(WHERE, both))


def went(rows: Iterable[AddressRow], population: str, each: int) -> Stacks:
    """One population's operations by class of `WHERE` in bars of `each` seconds."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(WHERE, 0))
    for row in rows:
        if row.population == population:
            kind = "unknown" if row.address is None else region_class(region_at(row.address))
            found[row.at // each * each][kind] += row.count
    return found


def region_at(address: str) -> str | None:
    """The region whose gateway has this address on the users' side; None for any other."""
    host = address.partition(":")[0]
    own = Addresses(".".join(host.split(".")[:2]))
    return next((each.name for each in REGIONS if own.entry(each) == host), None)


def _sum(stacks: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for parts in stacks:
        for kind, count in parts.items():
            found[kind] += count
    return found


def _keys(names: Mapping[str, str], stacks: Stacks) -> tuple[Key, ...]:
    """What was really drawn."""
    seen = {kind for parts in stacks.values() for kind, count in parts.items() if count}
    return tuple(Key(text, kind) for kind, text in names.items() if kind in seen)


def _bars(stacks: Stacks, axis: Axis, y: Scale, names: Mapping[str, str]) -> Sequence[Markup]:
    """A bar per stack: rates of its parts on top of each other, and the counts as a tool tip."""
    return [_bar(at, parts, axis, y, names) for at, parts in sorted(stacks.items())]


def _bar(
    at: int, parts: Mapping[str, int], axis: Axis, y: Scale, names: Mapping[str, str]
) -> Markup:
    each = axis.each
    left, room = axis.stretch(at, at + each) or (axis.x.stop, 0.0)
    drawn: list[Markup] = []
    base = 0
    for kind in names:
        if parts[kind]:
            low, high = y(base / each), y((base + parts[kind]) / each)
            box = {"x": left + 0.5, "y": high, "width": max(room - 1, 0.5), "height": low - high}
            drawn.append(tag("rect", class_=kind, fill=axis.fill(kind), **box))
            base += parts[kind]
    told = ", ".join(f"{count:,} {names[kind]}" for kind, count in parts.items() if count)
    return tag("g", tag("title", f"{at:+d} s to {at + each:+d} s: {told}"), *drawn)
