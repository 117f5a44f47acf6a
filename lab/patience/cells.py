"""One patience against one blip: what recordings say, what a live run saw, and both. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from pydantic import TypeAdapter

from lab.core.verdict import Verdict
from lab.patience.rows import DEFAULT, Patience

SCHEMA: Final = 1
SLACK_SECONDS: Final = 0.3
"""A live loss is noticed as predicted within so many seconds: few losses were recorded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a blip, for users and for a runbook that waits for a loss."""

    east_moved: bool
    west_moved: bool
    alarmed: bool
    promoted: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a blip may do; `word` says it in a table."""

    name: str
    title: str
    word: str

    def of(self, outcome: Outcome) -> bool:
        """Whether it did."""
        return bool(getattr(outcome, self.name))


QUESTIONS: Final = (
    Question("promoted", "the runbook would have promoted a database", "promotes"),
    Question("east_moved", "east's users were moved", "moves"),
    Question("west_moved", "west's users were moved", "moves"),
    Question("alarmed", "the runbook's first step took it for a loss", "alarm"),
)
"""The worst effect comes first."""

NOTHING: Final = "sits out"
UNKNOWN: Final = "not recorded"


@dataclass(frozen=True, slots=True)
class Cell:
    """One patience, one kind of blip, one length.

    Of so many `replays`, `effects` says how many had each effect: none if nothing was recorded
    that can be played. `live` is what a live run saw; `problem` says why it saw nothing,
    or why that says nothing.
    """

    patience: str
    blip: str
    seconds: float
    replays: int = 0
    effects: Mapping[str, int] = field(default_factory=dict)
    live: Outcome | None = None
    problem: str = ""

    @property
    def place(self) -> tuple[str, str, float]:
        """Which cell it is."""
        return self.patience, self.blip, self.seconds

    @property
    def firm(self) -> bool:
        """True if all replays end alike."""
        return self.replays > 0 and all(n in (0, self.replays) for n in self.effects.values())

    @property
    def expected(self) -> Outcome | None:
        """How all replays end; None if they differ."""
        return (
            Outcome(**{e.name: self.share(e.name) == 1 for e in QUESTIONS}) if self.firm else None
        )

    @property
    def agrees(self) -> bool:
        """True if the live run saw what all replays say. Where they differ, it may see either."""
        return self.live is not None and all(
            self.effects[each.name] != (0 if each.of(self.live) else self.replays)
            for each in QUESTIONS
            if self.replays
        )

    def share(self, name: str) -> float | None:
        """How many replays, or the live run, had an effect: 0 to 1; None if it is not known."""
        if self.replays:
            return self.effects[name] / self.replays
        return None if self.live is None else float(getattr(self.live, name))

    @property
    def told(self) -> str:
        """The worst effect, and in how many replays, if not in all: `moves 4/10`."""
        if self.share("promoted") is None:
            return self.problem or UNKNOWN
        for each in QUESTIONS:
            if share := self.share(each.name):
                part = f" {self.effects[each.name]}/{self.replays}" if share < 1 else ""
                return f"{each.word}{part}"
        return NOTHING

    @property
    def moved(self) -> float | None:
        """The same for users of the region where it is greater."""
        shares = (self.share("east_moved"), self.share("west_moved"))
        return max((each for each in shares if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class Loss:
    """A real loss of the region with one patience; seconds after it, by recordings and live.

    `rto` are seconds until users of each region could order again.
    """

    patience: str
    noticed: tuple[float, ...] = ()
    live_noticed: float | None = None
    rto: Mapping[str, float | None] = field(default_factory=dict)
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """True if the live run noticed it when recordings say; without any, that it did."""
        if self.live_noticed is None:
            return False
        low, high = (min(self.noticed, default=0.0), max(self.noticed, default=float("inf")))
        return low - SLACK_SECONDS <= self.live_noticed <= high + SLACK_SECONDS

    @property
    def longest_rto(self) -> float | None:
        """Of the users who waited longest; None if that was not measured."""
        known = [each for each in self.rto.values() if each is not None]
        return max(known) if known and len(known) == len(self.rto) else None

    @property
    def typical(self) -> float | None:
        """When it is noticed: the median of the replays, or the live run's."""
        return median(self.noticed) if self.noticed else self.live_noticed


@dataclass(frozen=True, slots=True)
class Tuned:
    """All of it. `seconds` is how long it took; `live` says whether a lab was asked.

    On a slow machine, waits are longer: `stretch` times.
    """

    patiences: tuple[Patience, ...]
    cells: tuple[Cell, ...]
    losses: tuple[Loss, ...]
    seed: int
    live: bool
    seconds: float
    machine: str
    version: str
    begun: str
    stretch: float = 1.0
    schema: int = SCHEMA

    def of(self, patience: str) -> tuple[Cell, ...]:
        """The cells of one patience."""
        return tuple(each for each in self.cells if each.patience == patience)

    def loss(self, patience: str) -> Loss:
        """The real loss with one patience."""
        return next((each for each in self.losses if each.patience == patience), Loss(patience))

    @property
    def played(self) -> tuple[Cell | Loss, ...]:
        """What was tried on the lab."""
        cells = [each for each in self.cells if each.live or each.problem]
        return (*cells, *(e for e in self.losses if e.live_noticed is not None or e.problem))

    @property
    def verdict(self) -> Verdict:
        """Fail if the lab did something else than predicted, unknown if it could not be asked."""
        if any(not each.agrees and not each.problem for each in self.played):
            return Verdict.FAIL
        return Verdict.UNKNOWN if any(each.problem for each in self.played) else Verdict.PASS


_TUNED: Final = TypeAdapter(Tuned)


def to_json(found: Tuned) -> str:
    """The text of tune.json."""
    return _TUNED.dump_json(found, indent=1).decode() + "\n"


def plain(found: Tuned) -> dict[str, object]:
    """The document as JSON's own types."""
    document: dict[str, object] = _TUNED.dump_python(found, mode="json")
    return document


def from_json(text: str) -> Tuned:
    """The document from its text. Raises pydantic's ValidationError."""
    return _TUNED.validate_json(text)


# ── the frontier ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Point:
    """A patience on the picture: seconds that a loss costs, and the shares of blips that harm."""

    patience: str
    cost: float
    moved: float
    promoted: float

    @property
    def is_default(self) -> bool:
        """True for what the lab comes with."""
        return self.patience == DEFAULT.name

    def beats(self, other: Point) -> bool:
        """True if it is better in something, and worse in nothing."""
        ours, theirs = ((each.cost, each.moved, each.promoted) for each in (self, other))
        return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def by_rto(found: Tuned) -> bool:
    """True if the cost is the RTO of live losses; else it is how late they are noticed."""
    return bool(found.losses) and all(each.longest_rto is not None for each in found.losses)


def points(found: Tuned) -> tuple[Point, ...]:
    """Each patience of which all three are known."""
    return tuple(_points(found))


def _points(found: Tuned) -> Iterator[Point]:
    measured = by_rto(found)
    for each in found.patiences:
        loss, cells = found.loss(each.name), found.of(each.name)
        cost = loss.longest_rto if measured else loss.typical
        moved = [share for one in cells if (share := one.moved) is not None]
        promoted = [share for one in cells if (share := one.share("promoted")) is not None]
        if cost is not None and moved and promoted:
            yield Point(each.name, cost, sum(moved) / len(moved), sum(promoted) / len(promoted))


def frontier(known: Iterable[Point], harm: Callable[[Point], float]) -> tuple[Point, ...]:
    """The points that no other one beats in cost and one kind of harm, the cheapest first."""
    found = list[Point]()
    for each in sorted(known, key=lambda point: (point.cost, harm(point))):
        if not found or harm(each) < harm(found[-1]):
            found.append(each)
    return tuple(found)
