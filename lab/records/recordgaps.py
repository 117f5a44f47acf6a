"""What is missing of the users' record: then nobody knows all of what users were told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from lab.core.load import of_users
from lab.core.words import count
from lab.records.columns import LOGIN, Floats, Operations
from lab.records.history import CutLine
from lab.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Planned:
    """Who was to work: populations, each of which starts `rate` operations a second.

    The rate, of writes and reads together, is None where a run does not say it. `written` says how
    many operations of every kind a population counted as it wrote them down; a run whose users
    did not tell has nothing there.
    """

    populations: frozenset[str] = frozenset()
    rate: float | None = None
    written: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A population that recorded fewer operations than it was to start."""

    population: str
    recorded: int
    planned: int


@dataclass(frozen=True, slots=True)
class Miscount:
    """A population whose record has another number of operations than it wrote down."""

    population: str
    recorded: int
    written: int


@dataclass(frozen=True, slots=True)
class RecordGaps:
    """What is missing.

    `unheard` are populations that were to work and recorded nothing. `short` are those that lack
    more operations than they start in `patience` seconds: they catch up with whatever they are
    late with. `miscounted` are those whose record is not as long as they say. `cut` are cut lines
    after which more was to come: their population's record goes on, or ends more than `patience`
    before the load did. `orders` are orders of users on the winner that no record has; so are those
    `elsewhere`, on other nodes alone.
    """

    unheard: tuple[str, ...] = ()
    short: tuple[Shortfall, ...] = ()
    cut: tuple[CutLine, ...] = ()
    orders: int = 0
    elsewhere: int = 0
    miscounted: tuple[Miscount, ...] = ()

    @property
    def count(self) -> int:
        """All of them."""
        listed = (self.unheard, self.short, self.miscounted, self.cut)
        return sum(map(len, listed)) + self.orders + self.elsewhere

    def reasons(self, winner: str) -> Iterator[str]:
        """Each of them in words."""
        for name in self.unheard:
            yield f"users {name} have no record"
        for lacks in self.short:
            yield (
                f"users {lacks.population} recorded {lacks.recorded:,} of {lacks.planned:,}"
                " operations"
            )
        for told in self.miscounted:
            yield (
                f"users {told.population} wrote down {told.written:,} operations, and their record"
                f" has {told.recorded:,}"
            )
        for cut in self.cut:
            yield (
                f"the record of users {cut.population} is cut in its middle"
                f" ({PurePath(cut.source).name}, line {cut.line})"
            )
        if self.orders:
            yield f"no record has {_orders(self.orders)} that {winner} holds"
        if self.elsewhere:
            yield f"no record has {_orders(self.elsewhere)} that other nodes alone hold"


def _orders(number: int) -> str:
    return count(number, "order of users", "orders of users")


def record_gaps(
    ledger: Ledger,
    planned: Planned,
    unrecorded: Iterable[str],
    load: tuple[float, float],
    patience: float,
    elsewhere: Iterable[str] = (),
) -> RecordGaps:
    """Hold the record against the populations that were to work, and against the nodes' orders.

    `unrecorded` are the winner's keys that no record has, `elsewhere` those that neither a record
    nor the winner has and another node does. `load` is from when to when populations
    worked at their rate.
    """
    since, until = load
    known = planned.populations | set(ledger.populations)
    starts = _starts(ledger.operations, known)
    ends = {name: float(each.max()) for name, each in starts.items()}
    heard = {name: starts[name] for name in sorted(planned.populations & starts.keys())}
    unheard = planned.populations - starts.keys()
    return RecordGaps(
        tuple(sorted(unheard)),
        tuple(_short(heard, planned.rate, since, until, patience)),
        tuple(
            cut
            for cut in ledger.cut_lines
            if cut.followed or until - ends.get(cut.population, until) > patience
        ),
        sum(of_users(key, known) for key in unrecorded),
        sum(of_users(key, known) for key in elsewhere),
        tuple(
            each
            for each in _miscounts(ledger.operations, planned.written)
            if each.population not in unheard
        ),
    )


def _starts(operations: Operations, populations: Iterable[str]) -> dict[str, Floats]:
    """When each population that recorded anything started its reads and writes."""
    work = operations.kind != LOGIN
    every = {name: operations.start[operations.members(name) & work] for name in populations}
    return {name: each for name, each in every.items() if len(each)}


def _short(
    starts: Mapping[str, Floats], rate: float | None, since: float, until: float, patience: float
) -> Iterator[Shortfall]:
    if rate is None:
        return
    planned = rate * (until - since)
    for name, each in starts.items():
        recorded = int(np.count_nonzero((each > since) & (each <= until)))
        if planned - recorded > rate * patience:
            yield Shortfall(name, recorded, round(planned))


def _miscounts(operations: Operations, written: Mapping[str, int]) -> Iterator[Miscount]:
    """A population that was started again counts from then on: what it did before is in doubt."""
    for name, told in sorted(written.items()):
        recorded = int(np.count_nonzero(operations.members(name)))
        if recorded != told:
            yield Miscount(name, recorded, told)
