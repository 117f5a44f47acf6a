"""Lanes of bands: what each resolver answered, and what each database was. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.charts.axis import Axis, Block, Key, name, region_class, stretches
from lab.charts.bars import region_at
from lab.charts.svg import label, tag, width_of
from lab.records.result import Result
from lab.records.samples import NodeSample, Sample

ROW: Final = 18.0
GAP: Final = 4.0


@dataclass(frozen=True, slots=True, order=True)
class State:
    """How a stretch is drawn. `texts` are from the longest to the shortest that may stand in it.

    `severity` decides what is shown where a pixel has room for one state only.
    """

    severity: int
    classes: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """From when to when one state was seen, in seconds of the result."""

    start: float
    end: float
    state: State


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of bands."""

    name: str
    seen: Sequence[tuple[float, State]]


def bands(seen: Sequence[tuple[float, State]], finest: float) -> Sequence[Band]:
    """Moments with their states as bands; of those closer than `finest` seconds the most severe."""
    slots = coarse(seen, finest)
    found: list[Band] = []
    for (at, end), (_, state) in zip(stretches([at for at, _ in slots]), slots, strict=True):
        # Thinned moments lie further apart than they were seen.
        last = found[-1] if found and at - found[-1].end < finest else None
        if last is not None and last.state == state:
            found[-1] = Band(last.start, end, state)
        else:
            found.append(Band(at if last is None else last.end, end, state))
    return found


def coarse(seen: Sequence[tuple[float, State]], finest: float) -> Sequence[tuple[float, State]]:
    """At most one state in each stretch of `finest` seconds: the most severe."""
    found: dict[int, tuple[float, State]] = {}
    for at, state in seen:
        slot = int(at // finest)
        if slot not in found:
            found[slot] = at, state
        elif state.severity > found[slot][1].severity:
            found[slot] = found[slot][0], state
    return list(found.values())


def answers(result: Result, axis: Axis) -> Block | None:
    """What each region's resolver said of the users' name."""
    regions = list(dict.fromkeys(name for sample in result.samples for name in sample.answers))
    rows = [
        _Row(f"dns {each}", [(s.at, answer_state(s.answers.get(each))) for s in result.samples])
        for each in regions
    ]
    return _block(rows, axis, _ANSWER_KEYS)


def answer_state(said: tuple[str, ...] | None) -> State:
    """No answer, no such name, or one band for each region that was named."""
    if said is None:
        return State(2, ("fail",), ("no answer", ""))
    if not said:
        return State(1, ("unknown",), ("no address", ""))
    named = [(region_class(region_at(each)), region_at(each) or each) for each in said]
    return State(0, tuple(kind for kind, _ in named), (" + ".join(text for _, text in named), ""))


_ANSWER_KEYS: Final = (
    Key("names east", "region-1"),
    Key("names west", "region-2"),
    Key("no answer", "fail"),
    Key("knows no address", "unknown"),
    Key("names another address", "region-0"),
)


def roles(result: Result, axis: Axis) -> Block | None:
    """What each database was seen as."""
    nodes = list(dict.fromkeys(node.node for sample in result.samples for node in sample.nodes))
    rows = [_Row(each, list(_seen(result.samples, each))) for each in nodes]
    return _block(rows, axis, _ROLE_KEYS)


def _seen(samples: Iterable[Sample], node: str) -> Iterable[tuple[float, State]]:
    for sample in samples:
        for each in sample.nodes:
            if each.node == node:
                yield sample.at, role_state(each)


def role_state(node: NodeSample) -> State:
    """A role that is known has a band of its own; any other word is drawn as no answer."""
    severity, class_ = _ROLES.get(node.role, (2, "unknown"))
    line = "" if node.timeline is None else f", timeline {node.timeline}"
    short = "" if node.timeline is None else f" {node.timeline}"
    return State(severity, (class_,), (f"{node.role}{line}", f"{node.role}{short}", node.role, ""))


_ROLES: Final = {
    "standby": (0, "standby"),
    "primary": (1, "primary"),
    "starting": (2, "unknown"),
    "silent": (3, "unknown"),
    "gone": (4, "fail"),
}
_ROLE_KEYS: Final = (
    Key("primary", "primary"),
    Key("standby", "standby"),
    Key("starting, or silent: no answer in time", "unknown"),
    Key("gone: it refused the question", "fail"),
)


def _block(rows: Sequence[_Row], axis: Axis, keys: Iterable[Key]) -> Block | None:
    if not rows:
        return None
    # Two pixels a band: more cannot be seen, and would only make the page heavy.
    finest = 2 * (axis.x.high - axis.x.low) / (axis.x.stop - axis.x.start)
    lines = [(row, bands(row.seen, finest)) for row in rows]
    drawn = [
        tag(
            "g",
            name(axis, _top(n) + ROW / 2, row.name),
            *(_band(band, axis, _top(n), row.name) for band in some),
        )
        for n, (row, some) in enumerate(lines)
    ]
    used = {kind for _, some in lines for band in some for kind in band.state.classes}
    shown = tuple(key for key in keys if key.class_ in used)
    return Block(tag("g", *drawn), len(rows) * (ROW + GAP) + 4, shown)


def _top(row: int) -> float:
    return row * (ROW + GAP) + 2


def _band(band: Band, axis: Axis, top: float, who: str) -> Markup:
    placed = axis.stretch(band.start, band.end)
    if placed is None:
        return Markup("")
    left, room = placed
    height = ROW / len(band.state.classes)
    boxes = (
        tag(
            "rect",
            x=left,
            y=top + n * height,
            width=max(room, 0.5),
            height=height,
            class_=kind,
            fill=axis.fill(kind),
        )
        for n, kind in enumerate(band.state.classes)
    )
    text = next(each for each in band.state.texts if not each or width_of(each) + 8 <= room)
    title = f"{who}, {band.start:+.1f} s to {band.end:+.1f} s: {band.state.texts[0]}"
    # Text on two colours, or on a hatch, needs a ground of its own.
    plain = len(band.state.classes) == 1 and axis.fill(band.state.classes[0]) is None
    kind = f"on-{band.state.classes[0]}" if plain else "inside"
    words = [label(left + 5, top + 13, text, kind)] if text else []
    return tag("g", tag("title", title), *boxes, *words)
