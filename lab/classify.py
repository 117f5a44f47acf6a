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

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

import duckdb
import numpy as np

from lab.errors import LabError, UsageError
from lab.history import Operation, Outcome
from lab.ledger import Ledger, quoted


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


FinalRead: TypeAlias = Mapping[str, Row] | Path
"""All orders of one database by client key, or a Parquet file of columns `key` and `copies`."""

WATCH_PREFIX: Final = "watch-"
VERIFY_PREFIX: Final = "verify-"
OWN: Final = (WATCH_PREFIX, VERIFY_PREFIX)
"""How keys of orders begin that the lab placed itself: the stopwatch, and the runbook's proof."""


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

    `unrecorded` are keys on the winner that no write of the history has and that are not the lab's
    own (rows of an earlier drill, a learner's own order, a line that a crash cut).
    `unread` are losers that could not be read: a write that is "nowhere" may be there.
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
    ledger: Ledger,
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
    _refuse_duplicates(ledger)
    others = sorted(losers - {winner})
    with ledger.scratch() as database:
        _place(database, reads[winner])
        held = [(node, reads[node]) for node in others if node in reads]
        _look_on_losers(database, held)
        fates = _fates(ledger, database, [node for node, _ in held])
        return Classification(
            winner=winner,
            counts=_counts(database),
            **{name: tuple(filter(holds, fates)) for name, holds in _CELLS.items()},
            unrecorded=_unrecorded(database),
            unread=tuple(sorted(losers - reads.keys())),
        )


def _refuse_duplicates(ledger: Ledger) -> None:
    """Compare hashes of all keys first: equal keys have equal hashes."""
    hashes = ledger.database.execute(
        "SELECT hash(\"key\") AS hashed FROM ops WHERE kind = 'write'"
    ).fetchnumpy()["hashed"]
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return
    row = ledger.database.execute(
        "SELECT \"key\" FROM ops WHERE kind = 'write' GROUP BY 1 HAVING count(*) > 1 ORDER BY 1"
    ).fetchone()
    if row:
        raise DuplicateKey(
            f"two writes in the history have the key {row[0]!r}",
            "was a file given twice, or copied into itself? Nothing is measured from it",
        )


_PLACED: Final = """
CREATE TABLE placed AS
SELECT ops.rowid AS "row", outcome, coalesce(copies, 0) AS copies
FROM ops LEFT JOIN winner USING ("key") WHERE kind = 'write'
"""
# Everything but what was acknowledged and is there once: the few that are looked for elsewhere.
_ASKED: Final = """
CREATE TABLE asked AS
SELECT ops."key", placed.*, ops."end" FROM placed JOIN ops ON ops.rowid = placed."row"
WHERE copies <> 1 OR placed.outcome IN ('unknown', 'fail')
"""


def _place(database: duckdb.DuckDBPyConnection, read: FinalRead) -> None:
    """Tables `winner` (what is there), `placed` (every write's copies there), `asked`."""
    _take_in(database, "winner", read)
    database.execute(_PLACED)
    database.execute(_ASKED)


def _take_in(database: duckdb.DuckDBPyConnection, name: str, read: FinalRead) -> None:
    """One final read as a table or view; rows that count no copies are not there."""
    if isinstance(read, Path):
        database.execute(
            f"CREATE VIEW {name} AS SELECT \"key\", copies FROM read_parquet('{quoted(read)}')"  # noqa: S608
            " WHERE copies > 0"
        )
        return
    there = [(key, row.copies) for key, row in read.items() if row.copies > 0]
    keys, copies = [key for key, _ in there], [count for _, count in there]
    database.execute(
        f'CREATE TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies',
        [keys, copies],
    )


def _look_on_losers(
    database: duckdb.DuckDBPyConnection, held: Sequence[tuple[str, FinalRead]]
) -> None:
    """Table `elsewhere`: (row, number of the loser) of every write asked for that is on it."""
    database.execute('CREATE TABLE elsewhere ("row" BIGINT, loser INT)')
    for number, (_, read) in enumerate(held):
        _take_in(database, f"loser_{number}", read)
        database.execute(
            f'INSERT INTO elsewhere SELECT "row", {number} FROM loser_{number}'  # noqa: S608
            ' JOIN asked USING ("key")'
        )


_COUNTS: Final = """
SELECT outcome, CASE WHEN copies > 0 THEN 'winner'
                     WHEN "row" IN (SELECT "row" FROM elsewhere) THEN 'loser_only'
                     ELSE 'nowhere' END AS place, count(*)
FROM placed GROUP BY ALL
"""


def _counts(database: duckdb.DuckDBPyConnection) -> dict[tuple[Outcome, Location], int]:
    rows = database.execute(_COUNTS).fetchall()
    return {(Outcome(outcome), Location(place)): count for outcome, place, count in rows}


_NAMED: Final = """
SELECT "row", copies, list(loser ORDER BY loser) FILTER (loser IS NOT NULL)
FROM asked LEFT JOIN elsewhere USING ("row")
WHERE copies <> 0 OR outcome <> 'fail'
GROUP BY "row", copies, "end", "key" ORDER BY "end", "key"
"""


def _fates(
    ledger: Ledger, database: duckdb.DuckDBPyConnection, losers: Sequence[str]
) -> list[Fate]:
    """Every write that may have a name of its own, in the order of its end."""
    rows = database.execute(_NAMED).fetchall()
    lines = ledger.lines(row for row, _, _ in rows)
    return [
        _fate(item, copies, tuple(losers[number] for number in found or ()))
        for item, (_, copies, found) in zip(lines, rows, strict=True)
    ]


def _fate(item: Operation, copies: int, losers: tuple[str, ...]) -> Fate:
    if copies > 0:
        return Fate(item, Location.WINNER, losers, copies)
    return Fate(item, Location.LOSER_ONLY if losers else Location.NOWHERE, losers)


def _unrecorded(database: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    own = " AND ".join(f"NOT starts_with(\"key\", '{prefix}')" for prefix in OWN)
    found = database.execute(f"SELECT count(*) FROM winner WHERE {own}").fetchone()  # noqa: S608
    known = database.execute("SELECT count(*) FROM placed WHERE copies > 0").fetchone()
    if found == known:  # nearly always, and then no join is needed
        return ()
    rows = database.execute(
        f'SELECT "key" FROM winner ANTI JOIN (SELECT "key" FROM ops WHERE kind = \'write\')'  # noqa: S608
        f' USING ("key") WHERE {own} ORDER BY 1'
    ).fetchall()
    return tuple(row[0] for row in rows)


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
