"""Where everything stands in the picture of a runbook's graph: boxes with their lines, lanes. Pure.

Steps stand below each other in their order. What they need are lines in their boxes; from the right
end of each, a lane leads to the box of the step that makes it true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lab.charts.typeset import width, wrapped
from lab.runbooks.checkup import Word
from lab.runbooks.predict import End
from lab.runbooks.runbook import Call
from lab.runbooks.stepgraph import BEGINNING, Edge, Graph, Node, options_of

LEFT: Final = 16.0
RIGHT: Final = 556.0
"""The sides of every box."""

PAD: Final = 12.0
LINE: Final = 17.0
HEAD: Final = 34.0
"""Height of a box with a name and nothing else."""

GAP: Final = 12.0
NAME_SIZE: Final = 14.0
TEXT_SIZE: Final = 12.0
INDENT: Final = 18.0
LANE: Final = 14.0
FIRST_LANE: Final = RIGHT + 30

_ROOM: Final = RIGHT - LEFT - 2 * PAD


@dataclass(frozen=True, slots=True)
class Row:
    """Some lines of a box that belong together. `y` is the first one's baseline.

    `sign` stands before them. With an `edge`, that is where a lane ends.
    """

    y: float
    lines: tuple[str, ...]
    kind: str
    sign: str = ""
    edge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A step, or the end. `number` is 0 for the end, `kind` what it looks like."""

    number: int
    name: str
    mark: str
    kind: str
    top: float
    height: float
    rows: tuple[Row, ...]

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.top + self.height

    @property
    def ports(self) -> Iterator[tuple[float, Edge]]:
        """The heights at which arrows arrive, and what for."""
        return ((row.y - TEXT_SIZE / 3, row.edge) for row in self.rows if row.edge is not None)


@dataclass(frozen=True, slots=True)
class Lane:
    """All arrows of one kind that begin at one step. `x` is None where no step begins them.

    They begin at `start` and end at the height of each of `ends`.
    """

    x: float | None
    start: float
    violated: bool
    ends: tuple[tuple[float, Edge], ...]

    @property
    def span(self) -> tuple[float, float]:
        """From where to where it leads, from top to bottom."""
        heights = [self.start, *(y for y, _ in self.ends)]
        return min(heights), max(heights)


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything in its place."""

    boxes: tuple[Box, ...]
    lanes: tuple[Lane, ...]
    width: float
    bottom: float


def layout(graph: Graph, top: float) -> Layout:
    """Put a graph's boxes below each other, from `top` on, and its lanes beside them."""
    boxes: list[Box] = []
    for make in (*map(_of_step, graph.nodes), _of_end(graph)):
        boxes.append(make.at(boxes[-1].bottom + GAP if boxes else top))
    lanes = tuple(_placed(_lanes(boxes)))
    far = max((each.x for each in lanes if each.x is not None), default=FIRST_LANE)
    return Layout(tuple(boxes), lanes, far + LANE + LEFT / 2, boxes[-1].bottom)


# ── boxes ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that is to be put into a box."""

    text: str
    kind: str
    sign: str = ""
    edge: Edge | None = None

    def at(self, y: float) -> Row:
        room = _ROOM - (INDENT if self.sign else 0)
        return Row(y, wrapped(self.text, room, TEXT_SIZE), self.kind, self.sign, self.edge)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A box that has no place yet."""

    number: int
    name: str
    mark: str
    kind: str
    pieces: tuple[_Piece, ...]

    def at(self, top: float) -> Box:
        rows: list[Row] = []
        y = top + HEAD + PAD
        for piece in self.pieces:
            rows.append(piece.at(y))
            y += LINE * len(rows[-1].lines)
        height = y - LINE - top + PAD - 2 if rows else HEAD
        return Box(self.number, self.name, self.mark, self.kind, top, height, tuple(rows))


_KIND: Final[Mapping[Word, str]] = {
    Word.DONE: "done",
    Word.NOT_NEEDED: "idle",
    Word.NOT_REACHED: "idle",
    Word.EARLY: "costly",
    Word.CANNOT: "unsafe",
}


def _of_step(node: Node) -> _Draft:
    kind = "unsafe" if node.unsafe else _KIND[node.word]
    call = node.went.call
    return _Draft(node.number, call.step, node.word, kind, tuple(_pieces(node, call)))


def _pieces(node: Node, call: Call) -> Iterator[_Piece]:
    if call.options:
        yield _Piece(options_of(call), "options")
    if node.went.reason:
        yield _Piece(node.went.reason, "wrong", "✕")
    for edge in node.edges:
        kind, sign = ("wrong", "✕") if edge.violated else ("kept", "✓")
        yield _Piece(f"{edge.says} ({edge.origin})", kind, sign, edge)
        if edge.violated:
            yield _Piece(edge.consequence, "wrong", "→")


def _of_end(graph: Graph) -> _Draft:
    kind = "done" if graph.end is End.RIGHT else "unsafe"
    pieces = (_Piece(each, "wrong", "✕") for each in graph.lacking)
    return _Draft(0, "the end", graph.end, kind, tuple(pieces))


# ── lanes ────────────────────────────────────────────────────────────────────────────────────


def _lanes(boxes: Sequence[Box]) -> Iterator[Lane]:
    """One for each maker and kind, in no place yet; those that no step begins are alone."""
    ends: dict[tuple[int, bool], list[tuple[float, Edge]]] = {}
    for y, edge in (port for box in boxes for port in box.ports):
        if edge.maker is None:
            yield Lane(None, y, edge.violated, ((y, edge),))
        elif edge.maker != BEGINNING:
            ends.setdefault((edge.maker, edge.violated), []).append((y, edge))
    for (maker, violated), found in ends.items():
        start = boxes[maker - 1].top + (PAD + 12 if violated else PAD + 2)
        yield Lane(0.0, start, violated, tuple(found))


def _placed(lanes: Iterable[Lane]) -> Iterator[Lane]:
    """Short ones stand nearest to the boxes; no two share a place where both are."""
    taken: list[list[tuple[float, float]]] = []
    for lane in sorted(lanes, key=lambda each: each.span[1] - each.span[0]):
        if lane.x is None:
            yield lane
            continue
        place = _free(taken, lane.span)
        taken[place].append(lane.span)
        yield Lane(FIRST_LANE + LANE * place, lane.start, lane.violated, lane.ends)


def _free(taken: list[list[tuple[float, float]]], span: tuple[float, float]) -> int:
    """The first place where nothing is in the way; a new one if there is none."""
    for place, spans in enumerate(taken):
        if all(span[1] + GAP < low or high + GAP < span[0] for low, high in spans):
            return place
    taken.append([])
    return len(taken) - 1


def mark_width(mark: str) -> float:
    """Pixels of the pill that says how a step goes."""
    return width(mark, TEXT_SIZE, bold=True) + 16
