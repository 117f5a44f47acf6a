"""What patience costs and what it spares: each patience as a point, and the best of them. Pure.

The picture is one SVG file that needs no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from lab.charts.axis import figures
from lab.charts.svg import Scale, label, tag, width_of
from lab.patience.cells import Point, Tuned, by_rto, frontier, points

_STYLE: Final = Markup(
    """
.frontier { color-scheme: light dark; font-family: system-ui, sans-serif;
  --page: #fbfbf9; --ink: #1b1f24; --quiet: #5a626b; --grid: #e6e8eb; --moved: #0072b2;
  --promoted: #a8281f; }
@media (prefers-color-scheme: dark) { .frontier {
  --page: #14171a; --ink: #e8eaed; --quiet: #a2abb5; --grid: #2b3036; --moved: #4aa8de;
  --promoted: #ff9c90; } }
.frontier .page { fill: var(--page); }
.frontier text { fill: var(--ink); font-size: 12px; }
.frontier .unit { fill: var(--quiet); }
.frontier .title { font-size: 15px; font-weight: 600; }
.frontier .grid { stroke: var(--grid); }
.frontier .line { fill: none; stroke-width: 2; }
.frontier .moved { stroke: var(--moved); fill: var(--moved); }
.frontier .promoted { stroke: var(--promoted); fill: var(--promoted); }
.frontier .line.promoted { stroke-dasharray: 6 3; }
.frontier .line.moved, .frontier .line.promoted { fill: none; }
.frontier .name { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.frontier .default .name { font-weight: 700; }
.frontier .ring { fill: none; stroke: var(--ink); stroke-width: 2; }
"""
)
_TITLE: Final = "What patience costs, and what it spares"
_WIDTH, _HEIGHT = 760.0, 440.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 24.0, 84.0, 52.0
_MARK: Final = 5.0
_LINE: Final = 14.0


@dataclass(frozen=True, slots=True)
class Harm:
    """What the share of blips is of: its class, its words, where a point has it."""

    name: str
    title: str
    of: Callable[[Point], float]


_HARMS: Final = (
    Harm("moved", "blips that moved users", lambda point: point.moved),
    Harm("promoted", "blips after which the runbook would promote", lambda point: point.promoted),
)


def svg(found: Tuned) -> str:
    """The whole file. Colours follow what the reader's system says: light or dark."""
    known = points(found)
    x = Scale(0.0, max((each.cost for each in known), default=1.0) * 1.1, _LEFT, _WIDTH - _RIGHT)
    y = Scale(0.0, 1.0, _HEIGHT - _BOTTOM, _TOP)
    return tag(
        "svg",
        tag("title", _TITLE),
        tag("desc", "; ".join(map(_told, known))),
        tag("style", _STYLE),
        tag("rect", width=_WIDTH, height=_HEIGHT, class_="page"),
        label(16, 26, _TITLE, "title"),
        *_legend(),
        figures(x, y.start, 10, lambda value: f"{value:g}", _cost(found), _TOP),
        *_shares(y),
        *(_line(frontier(known, harm.of), harm, x, y) for harm in _HARMS),
        *(_marks(each, x, y) for each in known),
        *_names(known, x, y),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        width=_WIDTH,
        height=_HEIGHT,
        class_="frontier",
        role="img",
    )


def _told(point: Point) -> str:
    shares = f"{point.moved:.0%} moved users, {point.promoted:.0%} would promote"
    return f"{point.patience}: {point.cost:.2f} s, {shares}"


def _cost(found: Tuned) -> str:
    what = "RTO of a real loss" if by_rto(found) else "time until a real loss is noticed"
    return f"{what}, seconds"


def _legend() -> Iterator[Markup]:
    left = 16.0
    for each in _HARMS:
        yield _mark(each, left + _MARK, 44.0)
        yield label(left + 3 * _MARK, 48, f"share of {each.title}", "unit")
        left += 4 * _MARK + width_of(f"share of {each.title}") + 16
    yield label(16, 68, "Lines join what no other patience beats. A ring: the default.", "unit")


def _shares(y: Scale) -> Iterator[Markup]:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(share), y2=y(share), class_="grid")
        yield label(_LEFT - 8, y(share) + 4, f"{share:.0%}", "unit", "end")


def _line(best: Sequence[Point], harm: Harm, x: Scale, y: Scale) -> Markup:
    """Steps, not slopes: what lies between two patiences was not tried."""
    path = [f"M{x(each.cost):.1f} {y(harm.of(each)):.1f}" for each in best[:1]]
    path += [f"H{x(each.cost):.1f}V{y(harm.of(each)):.1f}" for _, each in pairwise(best)]
    return tag("path", d="".join(path), class_=f"line {harm.name}")


def _marks(point: Point, x: Scale, y: Scale) -> Markup:
    drawn = [_mark(each, x(point.cost), y(each.of(point))) for each in _HARMS]
    ring = [
        tag("circle", cx=x(point.cost), cy=y(each.of(point)), r=2 * _MARK, class_="ring")
        for each in _HARMS
        if point.is_default
    ]
    return tag("g", *drawn, *ring)


def _mark(harm: Harm, x: float, y: float) -> Markup:
    """Harms differ by shape, not by colour alone."""
    if harm is _HARMS[0]:
        return tag("circle", cx=x, cy=y, r=_MARK, class_=harm.name)
    side = 2 * _MARK - 1
    place = {"x": x - side / 2, "y": y - side / 2, "width": side, "height": side}
    return tag("rect", class_=harm.name, **place)


def _names(known: Iterable[Point], x: Scale, y: Scale) -> Iterator[Markup]:
    """A name above the upper mark of each point; higher where another name is in the way."""
    taken = list[tuple[float, float, float]]()
    for each in sorted(known, key=lambda point: point.cost):
        half = width_of(each.patience) / 2
        middle = min(max(x(each.cost), _LEFT + half), _WIDTH - _RIGHT - half)
        base = y(max(each.moved, each.promoted)) - 2 * _MARK - 4
        while any(
            abs(middle - at) < half + wide and abs(base - on) < _LINE for at, on, wide in taken
        ):
            base -= _LINE
        taken.append((middle, base, half))
        kind = "default" if each.is_default else None
        yield tag("g", label(middle, base, each.patience, "name", "middle"), class_=kind)
