"""What became of every write: the history set against the final read of every database.

Two axes. The outcome is what the user was told, the location is where the row was found at the
end. Their product is a table (`Classification.counts`); the cells that matter have names:

    outcome × location   winner       loser_only        nowhere
    ok                   kept         lost (orphaned)   lost (unexplained)
    local                kept         local_lost        local_lost
    unknown              recovered    unknown_absent    unknown_absent
    fail                 unexpected   -                 -

The names follow Jepsen's set checker (lost, recovered, unexpected, duplicated).

A run that began after another loss has an `Opening`. What was gone by then is `earlier`, and has
none of these names: only `counts` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import duckdb

from lab.core.errors import LabError, UsageError, brief
from lab.metrics import placing
from lab.metrics.placing import FinalRead
from lab.metrics.seenthengone import SeenThenGone, seen_then_gone
from lab.records.columns import FAIL, OUTCOMES
from lab.records.history import Location, Operation, Outcome
from lab.records.keyhashes import PRINTS
from lab.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening read: what the primary held when the measured part began, read after `at`.

    `at` is on the clock of the history.
    """

    at: float
    read: FinalRead


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
class Copies:
    """A client key that the winner has `copies` times."""

    key: str
    copies: int


@dataclass(frozen=True, slots=True)
class Classification:
    """Every write with a name of its own, in the order of its end; `counts` has all of them.

    `unrecorded` are keys on the winner that no write of the history has and that are not the lab's
    own (rows of an earlier drill, a learner's own order, a line that a crash cut). `duplicated` has
    those of the history's writes first, then those of `unrecorded` keys.
    `unread` are losers that could not be read: a write that is "nowhere" may be there. `earlier`
    are acknowledged writes that were lost before the measured part of the run began.
    """

    winner: str
    counts: Mapping[tuple[Outcome, Location], int]
    lost: tuple[Fate, ...] = ()
    recovered: tuple[Fate, ...] = ()
    unexpected: tuple[Fate, ...] = ()
    duplicated: tuple[Copies, ...] = ()
    unknown_absent: tuple[Fate, ...] = ()
    local_lost: tuple[Fate, ...] = ()
    unrecorded: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    seen_then_gone: tuple[SeenThenGone, ...] = ()
    earlier: tuple[Fate, ...] = ()

    @property
    def orphaned(self) -> tuple[Fate, ...]:
        """Lost writes that a loser still holds: they can be carried over by hand."""
        return tuple(fate for fate in self.lost if fate.location is Location.LOSER_ONLY)

    @property
    def nowhere(self) -> tuple[Fate, ...]:
        """Lost writes that no database holds: unexplained until a person finds the reason."""
        return tuple(fate for fate in self.lost if fate.location is Location.NOWHERE)

    @property
    def gone(self) -> AbstractSet[str]:
        """Keys of all acknowledged writes that the winner lacks, whenever they were lost."""
        return {fate.key for fate in (*self.lost, *self.earlier)}

    def told(self, outcome: Outcome) -> int:
        """How many writes ended with this outcome, wherever they are."""
        return sum(self.counts.get((outcome, location), 0) for location in Location)


class DuplicateKey(UsageError):
    """Two writes of the history carry the same client key, or two lines are one operation."""


class WinnerUnread(LabError):
    """The winner's final read is missing, so nothing can be said about any write."""


def classify(
    ledger: Ledger,
    reads: Mapping[str, FinalRead],
    winner: str,
    losers: AbstractSet[str],
    opening: Opening | None = None,
) -> Classification:
    """Give every write its place.

    `reads` maps a node's name to its final read. `winner` is the node whose data counts from now
    on; `losers` are the machines that died or were left behind. Reads of other nodes (standbys of
    the winner) are not looked at. Operations that are not writes are skipped. A write that ended
    before the `opening`, and is neither in it nor on the winner, was gone before.

    Raises DuplicateKey when two writes share a key or an operation is recorded twice, WinnerUnread
    without the winner's read.
    """
    if winner not in reads:
        raise WinnerUnread(f"no final read of {winner}, the node whose data counts")
    _refuse_duplicates(ledger)
    others = sorted(losers - {winner})
    with ledger.scratch() as database:
        placing.place(database, reads[winner])
        held = [node for node in others if node in reads]
        placing.look_on_losers(database, [reads[node] for node in held])
        every = _fates(ledger, database, held)
        gone = _gone_before(database, every, opening)
        fates = [each for each in every if each.key not in gone]
        strangers = _unrecorded(database, reads[winner])
        twice = (each for each in (*map(_copies, fates), *strangers) if each.copies > 1)
        return Classification(
            winner=winner,
            counts=_counts(database),
            **{name: tuple(filter(holds, fates)) for name, holds in _CELLS.items()},
            duplicated=tuple(twice),
            unrecorded=tuple(each.key for each in strangers),
            unread=tuple(sorted(losers - reads.keys())),
            seen_then_gone=tuple(
                each for each in seen_then_gone(ledger, database) if each.write.key not in gone
            ),
            earlier=tuple(each for each in every if each.key in gone and _CELLS["lost"](each)),
        )


_COPIED: Final = "was a file given twice, or copied into itself? Nothing is measured from it"


def _refuse_duplicates(ledger: Ledger) -> None:
    if (key := ledger.repeated_key()) is not None:
        raise DuplicateKey(f"two writes in the history have the key {brief(repr(key))}", _COPIED)
    if (item := ledger.repeated_line()) is not None:
        key = brief(repr(item.key))
        said = f"the {item.kind.value} {key} of user {item.user} is in the history twice"
        raise DuplicateKey(said, _COPIED)


_COUNTS: Final = """
SELECT outcome, CASE WHEN copies > 0 THEN 'winner'
                     WHEN "row" IN (SELECT "row" FROM elsewhere) THEN 'loser_only'
                     ELSE 'nowhere' END AS place, count(*)
FROM placed GROUP BY ALL
"""


def _counts(database: duckdb.DuckDBPyConnection) -> dict[tuple[Outcome, Location], int]:
    rows = database.execute(_COUNTS).fetchall()
    return {(OUTCOMES[outcome], Location(place)): count for outcome, place, count in rows}


_NAMED: Final = f"""
SELECT "row", copies, list(loser ORDER BY loser) FILTER (loser IS NOT NULL)
FROM asked LEFT JOIN elsewhere USING ("row")
WHERE copies <> 0 OR outcome <> {FAIL}
GROUP BY "row", copies
"""  # noqa: S608 - a constant


def _fates(
    ledger: Ledger, database: duckdb.DuckDBPyConnection, losers: Sequence[str]
) -> list[Fate]:
    """Every write that may have a name of its own, in the order of its end."""
    rows = database.execute(_NAMED).fetchall()
    lines = ledger.lines(row for row, _, _ in rows)
    fates = [
        _fate(item, copies, tuple(losers[number] for number in found or ()))
        for item, (_, copies, found) in zip(lines, rows, strict=True)
    ]
    return sorted(fates, key=lambda fate: (fate.operation.end, fate.key))


def _fate(item: Operation, copies: int, losers: tuple[str, ...]) -> Fate:
    if copies > 0:
        return Fate(item, Location.WINNER, losers, copies)
    return Fate(item, Location.LOSER_ONLY if losers else Location.NOWHERE, losers)


def _gone_before(
    database: duckdb.DuckDBPyConnection, fates: Sequence[Fate], opening: Opening | None
) -> AbstractSet[str]:
    """Keys of writes that ended before the opening read and are neither in it nor on the winner."""
    if opening is None:
        return frozenset()
    asked = {
        each.key
        for each in fates
        if each.location is not Location.WINNER and each.operation.end <= opening.at
    }
    return asked - placing.held(database, opening.read, asked)


_EXPLAINED: Final = """
SELECT (SELECT count(*) FROM winner WHERE NOT own)
     = (SELECT count(*) FROM placed WHERE copies > 0 AND NOT own)
"""


def _unrecorded(database: duckdb.DuckDBPyConnection, read: FinalRead) -> tuple[Copies, ...]:
    """Keys on the winner that neither the history nor the lab wrote, sorted."""
    if database.execute(_EXPLAINED).fetchone() == (True,):  # nearly always; then no join is needed
        return ()
    rows, parameters = placing.rows(read)
    others = f'SELECT "key", copies, {PRINTS} FROM {rows} WHERE NOT ({placing.OWN_KEYS})'  # noqa: S608
    found = database.execute(
        f'SELECT "key", copies FROM ({others})'  # noqa: S608
        " ANTI JOIN writes USING (high, low) ORDER BY 1",
        parameters,
    ).fetchall()
    return tuple(Copies(*row) for row in found)


def _copies(fate: Fate) -> Copies:
    return Copies(fate.key, fate.copies)


def _cell(outcome: Outcome, *, on_winner: bool) -> Callable[[Fate], bool]:
    return lambda fate: (
        fate.operation.outcome is outcome and (fate.location is Location.WINNER) is on_winner
    )


_CELLS: Final[Mapping[str, Callable[[Fate], bool]]] = {
    "lost": _cell(Outcome.OK, on_winner=False),
    "recovered": _cell(Outcome.UNKNOWN, on_winner=True),
    "unexpected": _cell(Outcome.FAIL, on_winner=True),
    "unknown_absent": _cell(Outcome.UNKNOWN, on_winner=False),
    "local_lost": _cell(Outcome.LOCAL, on_winner=False),
}
