"""The replication topology as a picture: regions as boxes, nodes with their roles, arrows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from lab.charts.svg import drawing, label, tag
from lab.records.resultrows import NodeView

WIDTH: Final = 132.0
HEIGHT: Final = 54.0
COLUMN: Final = 200.0
ROW: Final = 96.0

Point = tuple[float, float]


def topology(nodes: Sequence[NodeView], name: str) -> Markup:
    """Draw the nodes; `name` tells this picture from others of the page.

    Nodes are called region.machine. Regions are columns in the order of their first node.
    """
    if not nodes:
        return Markup("")
    columns = _columns(nodes)
    centres = {
        node.node: (COLUMN * (column + 0.5), 62 + ROW * row)
        for column, members in enumerate(columns.values())
        for row, node in enumerate(members)
    }
    rows = max(map(len, columns.values()))
    height = 62 + ROW * (rows - 1) + HEIGHT / 2 + 18
    return drawing(
        COLUMN * len(columns),
        height,
        f"Databases {name}: {'; '.join(_told(node) for node in nodes)}",
        _arrowhead(name),
        *(_region(n, region, height) for n, region in enumerate(columns)),
        *_arrows(nodes, centres, name),
        *(_node(node, centres[node.node]) for node in nodes),
        class_="topology",
    )


def _columns(nodes: Iterable[NodeView]) -> Mapping[str, list[NodeView]]:
    found: dict[str, list[NodeView]] = {}
    for node in nodes:
        found.setdefault(node.node.partition(".")[0], []).append(node)
    return found


def _told(node: NodeView) -> str:
    return f"{node.node} {node.role}" + (f", follows {node.follows}" if node.follows else "")


def _arrowhead(name: str) -> Markup:
    tip = tag("path", d="M0 0L8 4L0 8z", class_="tip")
    sizes = {"markerWidth": 8, "markerHeight": 8, "refX": 7, "refY": 4}
    kind = tag(
        "marker", tip, id=f"tip-{name}", orient="auto", markerUnits="userSpaceOnUse", **sizes
    )
    return tag("defs", kind)


def _region(column: int, name: str, height: float) -> Markup:
    x = COLUMN * column + 12
    return tag(
        "g",
        tag("rect", x=x, y=4, width=COLUMN - 24, height=height - 8, rx=10, class_="region"),
        label(x + 12, 24, name, "unit"),
    )


def _arrows(nodes: Iterable[NodeView], centres: Mapping[str, Point], name: str) -> Iterable[Markup]:
    """From each upstream to the node that follows it, if both are drawn."""
    for node in nodes:
        if node.follows in centres:
            start, end = centres[str(node.follows)], centres[node.node]
            (x1, y1), (x2, y2) = _border(start, end), _border(end, start)
            kind = "sync" if node.sync else "async"
            yield tag(
                "line",
                x1=x1,
                y1=y1,
                x2=x2,
                y2=y2,
                class_=f"stream {kind}",
                marker_end=f"url(#tip-{name})",
            )


def _border(at: Point, towards: Point) -> Point:
    """Where the line between two nodes leaves the first one's box."""
    dx, dy = towards[0] - at[0], towards[1] - at[1]
    reach = max(abs(dx) / (WIDTH / 2 + 2), abs(dy) / (HEIGHT / 2 + 2)) or 1.0
    return at[0] + dx / reach, at[1] + dy / reach


def _node(node: NodeView, centre: Point) -> Markup:
    x, y = centre[0] - WIDTH / 2, centre[1] - HEIGHT / 2
    up = node.role in ("primary", "standby")
    role = node.role + (f", timeline {node.timeline}" if node.timeline and up else "")
    kind = node.role if up else "gone"
    return tag(
        "g",
        tag("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6),
        label(centre[0], centre[1] - 4, node.node, "name", "middle"),
        label(centre[0], centre[1] + 14, role if up else f"✕ {role}", "role", "middle"),
        class_=f"node {kind}",
    )
