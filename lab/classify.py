"""What became of every write: the history set against the final read of every database.

Two axes. The outcome is what the user was told, the location is where the row was found at the
end. Their product is a table (`Classification.counts`); the cells that matter have names:

    outcome × location   winner       loser_only        nowhere
    ok                   kept         lost (orphaned)   lost (unexplained)
    local                kept         local_lost        local_lost
    unknown              recovered    unknown_absent    unknown_absent
    fail                 unexpected   -                 -

The names follow Jepsen's set checker (lost, recovered, unexpected, duplicated).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from lab.errors import LabError, UsageError
from lab.history import Kind, Operation, Outcome


class Location(StrEnum):
    """Where a write was found after the drill."""

    WINNER = "winner"
    LOSER_ONLY = "loser_only"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Row:
    """What one database holds under one client key: `copies` rows, and details of the first."""

    copies: int = 1
    order_id: int | None = None
    timeline: int | None = None


FinalRead: TypeAlias = Mapping[str, Row]
"""All orders of one database by client key."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One write, where it was found, on which losers, and how often on the winner."""

    operation: Operation
    location: Location
    losers: tuple[str, ...] = ()
    copies: int = 0

    @property
    def key(self) -> str:
        """The client key."""
        return self.operation.key


@dataclass(frozen=True, slots=True)
class Classification:
    """Every write with a name of its own, in the order of its end; `counts` has all of them.

    `unrecorded` are keys on the winner that no write of the history has (rows of an earlier drill,
    a learner's own order, a line that a crash cut). `unread` are losers that could not be read:
    a write that is "nowhere" may be there.
    """

    winner: str
    counts: Mapping[tuple[Outcome, Location], int]
    lost: tuple[Fate, ...] = ()
    recovered: tuple[Fate, ...] = ()
    unexpected: tuple[Fate, ...] = ()
    duplicated: tuple[Fate, ...] = ()
    unknown_absent: tuple[Fate, ...] = ()
    local_lost: tuple[Fate, ...] = ()
    unrecorded: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def orphaned(self) -> tuple[Fate, ...]:
        """Lost writes that a loser still holds: they can be carried over by hand."""
        return tuple(fate for fate in self.lost if fate.location is Location.LOSER_ONLY)

    @property
    def nowhere(self) -> tuple[Fate, ...]:
        """Lost writes that no database holds: unexplained until somebody finds out why."""
        return tuple(fate for fate in self.lost if fate.location is Location.NOWHERE)

    def told(self, outcome: Outcome) -> int:
        """How many writes ended with this outcome, wherever they are."""
        return sum(self.counts.get((outcome, location), 0) for location in Location)


class DuplicateKey(UsageError):
    """Two writes of the history carry the same client key: identity is lost."""


class WinnerUnread(LabError):
    """The winner's final read is missing, so nothing can be said about any write."""


def classify(
    operations: Iterable[Operation],
    reads: Mapping[str, FinalRead],
    winner: str,
    losers: AbstractSet[str],
) -> Classification:
    """Give every write its place.

    `reads` maps a node's name to its final read. `winner` is the node whose data counts from now
    on; `losers` are the machines that died or were left behind. Reads of other nodes (standbys of
    the winner) are not looked at. Operations that are not writes are skipped.

    Raises DuplicateKey when two writes share a key, WinnerUnread without the winner's read.
    """
    if winner not in reads:
        raise WinnerUnread(f"no final read of {winner}, the node whose data counts")
    fates = _fates(operations, reads, winner, sorted(losers - {winner}))
    known = {fate.key for fate in fates}
    return Classification(
        winner=winner,
        counts=Counter((fate.operation.outcome, fate.location) for fate in fates),
        **{name: tuple(filter(holds, fates)) for name, holds in _CELLS.items()},
        unrecorded=tuple(sorted(key for key in reads[winner] if key not in known)),
        unread=tuple(sorted(losers - reads.keys())),
    )


def _fates(
    operations: Iterable[Operation],
    reads: Mapping[str, FinalRead],
    winner: str,
    losers: list[str],
) -> list[Fate]:
    """Locate every write, in the order of its end."""
    seen: dict[str, Operation] = {}
    for item in operations:
        if item.kind is not Kind.WRITE:
            continue
        if item.key in seen:
            raise DuplicateKey(f"two writes in the history have the key {item.key!r}")
        seen[item.key] = item
    held = [(node, reads[node]) for node in losers if node in reads]
    ordered = sorted(seen.values(), key=lambda item: (item.end, item.key))
    return [_fate(item, reads[winner].get(item.key), held) for item in ordered]


def _fate(item: Operation, row: Row | None, losers: list[tuple[str, FinalRead]]) -> Fate:
    on_losers = tuple(node for node, read in losers if _present(read.get(item.key)))
    if row is not None and _present(row):
        return Fate(item, Location.WINNER, on_losers, row.copies)
    return Fate(item, Location.LOSER_ONLY if on_losers else Location.NOWHERE, on_losers)


def _present(row: Row | None) -> bool:
    return row is not None and row.copies > 0


def _cell(outcome: Outcome, *, on_winner: bool) -> Callable[[Fate], bool]:
    return lambda fate: (
        fate.operation.outcome is outcome and (fate.location is Location.WINNER) is on_winner
    )


_CELLS: Final[Mapping[str, Callable[[Fate], bool]]] = {
    "lost": _cell(Outcome.OK, on_winner=False),
    "recovered": _cell(Outcome.UNKNOWN, on_winner=True),
    "unexpected": _cell(Outcome.FAIL, on_winner=True),
    "duplicated": lambda fate: fate.copies > 1,
    "unknown_absent": _cell(Outcome.UNKNOWN, on_winner=False),
    "local_lost": _cell(Outcome.LOCAL, on_winner=False),
}
