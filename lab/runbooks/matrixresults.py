"""The results of a matrix as a document, and what they say about pairs of steps. Pure.

Of 120 orders, 60 have one step before another. If all 60 do harm and none of the other 60 does,
the lab calls that pair of steps a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from lab.runbooks.permutations import FIVE, LETTERS
from lab.runbooks.predict import PARTS, End, Vector

SCHEMA: Final = 1
_ENOUGH: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One order in one scenario: predicted, observed, and what it cost.

    `observed` is None when it could not be played; `problem` says why then. `outage` is seconds,
    None for one that did not end. `lost` are client keys.
    """

    order: str
    scenario: str
    predicted: Vector
    observed: Vector | None
    acknowledged: int = 0
    lost: tuple[str, ...] = ()
    doubled: int = 0
    outage: float | None = None
    stale: int = 0
    seconds: float = 0.0
    problem: str = ""
    steps: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True when users saw what was predicted."""
        return self.observed == self.predicted


@dataclass(frozen=True, slots=True)
class Grid:
    """A whole matrix. `seconds` is how long it took, on `labs` labs at once."""

    rows: tuple[Row, ...]
    seconds: float
    labs: int
    machine: str
    version: str
    begun: str
    schema: int = SCHEMA

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Those that were played, in their order."""
        return tuple(dict.fromkeys(row.scenario for row in self.rows))

    def of(self, scenario: str) -> tuple[Row, ...]:
        """The rows of one."""
        return tuple(row for row in self.rows if row.scenario == scenario)

    @property
    def disagreeing(self) -> tuple[Row, ...]:
        """Orders of which users saw something else than predicted."""
        return tuple(row for row in self.rows if row.observed is not None and not row.agrees)

    @property
    def unplayed(self) -> tuple[Row, ...]:
        """Orders that could not be played."""
        return tuple(row for row in self.rows if row.observed is None)


_GRID: Final = TypeAdapter(Grid)


def to_json(grid: Grid) -> str:
    """The text of matrix.json."""
    return _GRID.dump_json(grid, indent=1).decode() + "\n"


def plain(grid: Grid) -> dict[str, object]:
    """The document as JSON's own types."""
    found: dict[str, object] = _GRID.dump_python(grid, mode="json")
    return found


def from_json(text: str) -> Grid:
    """A matrix from its text. Raises pydantic's ValidationError."""
    return _GRID.validate_json(text)


@dataclass(frozen=True, slots=True)
class Question:
    """Something that orders may do to users: asked of the observed vector."""

    name: str
    title: str
    is_so: Callable[[Vector], bool]


def _part(name: str) -> Callable[[Vector], bool]:
    return lambda vector: bool(getattr(vector, name))


QUESTIONS: Final = (
    *(Question(name, name.replace("_", " "), _part(name)) for name in PARTS),
    Question("end", "end not right", lambda vector: vector.end is not End.RIGHT),
)


@dataclass(frozen=True, slots=True)
class Share:
    """Of the orders that were observed with `first` before `then`, how many did it."""

    first: str
    then: str
    did: int
    of: int

    @property
    def part(self) -> float | None:
        """0 to 1; None when none was observed."""
        return self.did / self.of if self.of else None


def shares(rows: Iterable[Row], question: Question) -> tuple[Share, ...]:
    """For every pair of different steps."""
    seen = [(row.order, question.is_so(row.observed)) for row in rows if row.observed is not None]
    return tuple(
        _share(first, then, seen) for first in LETTERS for then in LETTERS if first != then
    )


def _share(first: str, then: str, seen: Iterable[tuple[str, bool]]) -> Share:
    found = [did for order, did in seen if order.index(first) < order.index(then)]
    return Share(first, then, sum(found), len(found))


def rules(rows: Iterable[Row]) -> Iterator[str]:
    """Sentences: pairs that decide a question alone, whatever else is done when.

    Of a few orders many pairs seem to: nothing is said of those.
    """
    titles = {each.letter: each.title for each in FIVE}
    known = tuple(rows)
    for question in QUESTIONS:
        by_pair = {(each.first, each.then): each for each in shares(known, question)}
        for (first, then), share in by_pair.items():
            back = by_pair[then, first]
            enough = min(share.of, back.of) >= _ENOUGH
            if enough and share.part == 1.0 and back.part == 0.0:
                yield (
                    f"“{titles[first]}” before “{titles[then]}”: {question.title} in all {share.of}"
                    f" sequences with this order, and in none of the {back.of} with the opposite"
                    " order"
                )
