"""The graph of a runbook as a picture: one SVG file that needs no other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from markupsafe import Markup

from lab.charts import typeset
from lab.charts.stepboxes import (
    FIRST_LANE,
    INDENT,
    LANE,
    LEFT,
    LINE,
    NAME_SIZE,
    PAD,
    RIGHT,
    TEXT_SIZE,
    Box,
    Lane,
    Row,
    layout,
    mark_width,
)
from lab.charts.svg import label, legal, tag
from lab.runbooks.runbook import told
from lab.runbooks.stepgraph import Edge, Graph

_STYLE: Final = Markup(
    """
svg { color-scheme: light dark; font-family: system-ui, sans-serif;
  --page: #fbfbf9; --card: #fff; --ink: #1b1f24; --quiet: #5a626b; --line: #b9bfc6;
  --fail: #a8281f; --fail-back: #f3d3cf; --pass: #0b5c7d; --pass-back: #d9edf6;
  --open: #6b4e00; --open-back: #fbeecb; --idle: #4c535b; --idle-back: #dfe2e5; }
@media (prefers-color-scheme: dark) { svg {
  --page: #14171a; --card: #1d2125; --ink: #e8eaed; --quiet: #a2abb5; --line: #4a525b;
  --fail: #ff9c90; --fail-back: #4d211d; --pass: #9bd5f0; --pass-back: #123a4c;
  --open: #f3d480; --open-back: #463808; --idle: #c3cad1; --idle-back: #3a4047; } }
.page { fill: var(--page); }
text { fill: var(--ink); font-size: 12px; }
.title { font-size: 16px; font-weight: 600; } .quiet, .options { fill: var(--quiet); }
.box > rect { fill: var(--card); stroke: var(--line); stroke-width: 1.2; }
.box.unsafe > rect { stroke: var(--fail); stroke-width: 2.5; }
.name { font-size: 14px; font-weight: 600; } .number { fill: var(--quiet); }
.mark text { font-weight: 600; }
.done .mark rect { fill: var(--pass-back); } .done .mark text { fill: var(--pass); }
.idle .mark rect { fill: var(--idle-back); } .idle .mark text { fill: var(--idle); }
.costly .mark rect { fill: var(--open-back); } .costly .mark text { fill: var(--open); }
.unsafe .mark rect { fill: var(--fail-back); } .unsafe .mark text { fill: var(--fail); }
.wrong { fill: var(--fail); }
.lane path { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
.lane .halo { stroke: var(--page); stroke-width: 5; }
.lane .tip { fill: var(--quiet); stroke: none; } .lane circle { fill: var(--quiet); }
.lane.violated .line, .lane.violated .cross { stroke: var(--fail); stroke-width: 2; }
.lane.violated .line { stroke-dasharray: 6 3; }
.lane.violated .tip, .lane.violated circle { fill: var(--fail); }
.lane .touch { stroke: #000; stroke-opacity: 0; stroke-width: 10; }
"""
)

_TOP: Final = 34.0
_TITLE_SIZE: Final = 16.0
_CORNER: Final = 5.0
_STUB: Final = 16.0
_LEAST_WIDTH: Final = FIRST_LANE + LANE + LEFT


def svg(graph: Graph) -> str:
    """The whole file. Colours follow what the reader's system says: light or dark."""
    head, top = _head(graph)
    placed = layout(graph, top)
    width = max(placed.width, _LEAST_WIDTH)
    legend = list(_legend(graph, placed.bottom))
    height = placed.bottom + LINE * (len(legend) / 2 + 1.5)
    drawn = tag(
        "svg",
        tag("title", graph.runbook.title, id="title"),
        tag("desc", str(graph), id="desc"),
        tag("style", _STYLE),
        tag("rect", width=width, height=height, class_="page"),
        *head,
        *(_box(each) for each in placed.boxes),
        *(_lane(each) for each in sorted(placed.lanes, key=lambda each: each.violated)),
        *legend,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_labelledby="title desc",
    )
    return legal(drawn) + "\n"


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def _head(graph: Graph) -> tuple[list[Markup], float]:
    """Title and situation, and where the boxes may begin."""
    room, book = RIGHT - LEFT, graph.runbook
    title = typeset.wrapped(f"{book.name}: {book.title}", room, _TITLE_SIZE, bold=True)
    plan = told("{old} → {new}", book.plan)
    where = f"{plan}. {graph.scenario.name}: {graph.scenario.told}"
    below = _TOP + LINE * 1.3 * len(title)
    under = typeset.wrapped(where, room, TEXT_SIZE)
    lines = [label(LEFT, _TOP + LINE * 1.3 * n, text, "title") for n, text in enumerate(title)]
    lines += [label(LEFT, below + LINE * n, text, "quiet") for n, text in enumerate(under)]
    return lines, below + LINE * len(under)


def _legend(graph: Graph, bottom: float) -> Iterator[Markup]:
    edges = [edge for node in graph.nodes for edge in node.edges]
    rows = []
    if any(edge.maker and not edge.violated for edge in edges):
        rows.append((False, "from the step that makes something true to the one that needs it"))
    if any(edge.violated for edge in edges):
        rows.append((True, "the step that makes it true comes too late, or is missing"))
    for n, (violated, text) in enumerate(rows):
        y = bottom + LINE * (n + 1.5)
        path = tag("path", d=f"M{LEFT:g} {y - 4:g}h30", class_="line")
        yield tag("g", path, _tip(LEFT + 30, y - 4, right=True), class_=_class(violated))
        yield label(LEFT + 40, y, text, "quiet")


# ── boxes ────────────────────────────────────────────────────────────────────────────────────


def _box(box: Box) -> Markup:
    name_y = box.top + 22
    number = f"{box.number} " if box.number else ""
    shift = typeset.width(number, NAME_SIZE, bold=True)
    return tag(
        "g",
        tag("rect", x=LEFT, y=box.top, width=RIGHT - LEFT, height=box.height, rx=6),
        label(LEFT + PAD, name_y, number.strip(), "name number") if number else "",
        label(LEFT + PAD + shift, name_y, box.name, "name"),
        _mark(box, name_y),
        *(part for row in box.rows for part in _row(row)),
        class_=f"box {box.kind}",
    )


def _mark(box: Box, y: float) -> Markup:
    wide = mark_width(box.mark)
    right = RIGHT - PAD
    return tag(
        "g",
        tag("rect", x=right - wide, y=y - 14, width=wide, height=20, rx=10),
        label(right - wide / 2, y, box.mark, anchor="middle"),
        class_="mark",
    )


def _row(row: Row) -> Iterator[Markup]:
    if row.sign:
        yield label(LEFT + PAD, row.y, row.sign, row.kind)
    indent = INDENT if row.sign else 0
    for n, line in enumerate(row.lines):
        yield label(LEFT + PAD + indent, row.y + LINE * n, line, row.kind)


# ── lanes ────────────────────────────────────────────────────────────────────────────────────


def _lane(lane: Lane) -> Markup:
    """Halos come first: where lanes cross, the later one passes over the earlier."""
    paths = [_path(lane, y) for y, _ in lane.ends]
    begin = _cross(lane.start) if lane.x is None else tag("circle", cx=RIGHT, cy=lane.start, r=3)
    return tag(
        "g",
        *(tag("path", d=path, class_="halo") for path in paths),
        *(tag("path", d=path, class_="line") for path in paths),
        *(_tip(RIGHT, y) for y, _ in lane.ends),
        begin,
        *(_touch(path, edge) for path, (_, edge) in zip(paths, lane.ends, strict=True)),
        class_=_class(lane.violated),
    )


def _class(violated: bool) -> str:
    return "lane violated" if violated else "lane"


def _path(lane: Lane, y: float) -> str:
    """Out of the box that makes it true, along the lane, and into the one that needs it."""
    if lane.x is None:
        return f"M{RIGHT + _STUB:g} {y:g}H{RIGHT:g}"
    corner = _CORNER if y > lane.start else -_CORNER
    return (
        f"M{RIGHT:g} {lane.start:g}H{lane.x - _CORNER:g}"
        f"Q{lane.x:g} {lane.start:g} {lane.x:g} {lane.start + corner:g}V{y - corner:g}"
        f"Q{lane.x:g} {y:g} {lane.x - _CORNER:g} {y:g}H{RIGHT + 6:g}"
    )


def _tip(x: float, y: float, *, right: bool = False) -> Markup:
    back = -8 if right else 8
    return tag("path", d=f"M{x:g} {y:g}l{back} -4v8z", class_="tip")


def _cross(y: float) -> Markup:
    x = RIGHT + _STUB
    return tag("path", d=f"M{x:g} {y - 4:g}l8 8m0 -8l-8 8", class_="cross")


def _touch(path: str, edge: Edge) -> Markup:
    """What a pointer finds near the line."""
    told = " ".join(filter(None, [f"{edge.says}: {edge.origin}.", edge.consequence]))
    return tag("path", tag("title", told), d=path, class_="touch")
