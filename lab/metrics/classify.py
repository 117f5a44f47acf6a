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
from pathlib import Path
from typing import Final, TypeAlias

import duckdb

from lab.core.errors import LabError, UsageError, brief
from lab.core.load import OWN
from lab.metrics.seenthengone import SeenThenGone, seen_then_gone
from lab.records import duckdbstore
from lab.records.columns import FAIL, OUTCOMES, UNKNOWN
from lab.records.history import Location, Operation, Outcome
from lab.records.keyhashes import HIGH, LOW, PRINTS
from lab.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Row:
    """What one database holds under one client key: `copies` rows."""

    copies: int = 1


FinalRead: TypeAlias = Mapping[str, Row] | Path
"""All orders of one database by client key, or a Parquet file of columns `key` and `copies`."""


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
    `unread` are losers that could not be read: a write that is "nowhere" may be there.
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

    @property
    def orphaned(self) -> tuple[Fate, ...]:
        """Lost writes that a loser still holds: they can be carried over by hand."""
        return tuple(fate for fate in self.lost if fate.location is Location.LOSER_ONLY)

    @property
    def nowhere(self) -> tuple[Fate, ...]:
        """Lost writes that no database holds: unexplained until a person finds the reason."""
        return tuple(fate for fate in self.lost if fate.location is Location.NOWHERE)

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
) -> Classification:
    """Give every write its place.

    `reads` maps a node's name to its final read. `winner` is the node whose data counts from now
    on; `losers` are the machines that died or were left behind. Reads of other nodes (standbys of
    the winner) are not looked at. Operations that are not writes are skipped.

    Raises DuplicateKey when two writes share a key or an operation is recorded twice, WinnerUnread
    without the winner's read.
    """
    if winner not in reads:
        raise WinnerUnread(f"no final read of {winner}, the node whose data counts")
    _refuse_duplicates(ledger)
    others = sorted(losers - {winner})
    with ledger.scratch() as database:
        _place(database, reads[winner])
        held = [node for node in others if node in reads]
        _look_on_losers(database, [reads[node] for node in held])
        fates = _fates(ledger, database, held)
        strangers = _unrecorded(database, reads[winner])
        twice = (each for each in (*map(_copies, fates), *strangers) if each.copies > 1)
        return Classification(
            winner=winner,
            counts=_counts(database),
            **{name: tuple(filter(holds, fates)) for name, holds in _CELLS.items()},
            duplicated=tuple(twice),
            unrecorded=tuple(each.key for each in strangers),
            unread=tuple(sorted(losers - reads.keys())),
            seen_then_gone=seen_then_gone(ledger, database),
        )


_COPIED: Final = "was a file given twice, or copied into itself? Nothing is measured from it"


def _refuse_duplicates(ledger: Ledger) -> None:
    if (key := ledger.repeated_key()) is not None:
        raise DuplicateKey(f"two writes in the history have the key {brief(repr(key))}", _COPIED)
    if (item := ledger.repeated_line()) is not None:
        key = brief(repr(item.key))
        said = f"the {item.kind.value} {key} of user {item.user} is in the history twice"
        raise DuplicateKey(said, _COPIED)


_OWN: Final = " OR ".join(f'starts_with("key", {duckdbstore.quoted(prefix)})' for prefix in OWN)


def _winner(read: str) -> str:
    """Keys are compared by their prints: joining ten million texts takes four times as long."""
    return f"CREATE TEMP TABLE winner AS SELECT {PRINTS}, copies, {_OWN} AS own FROM {read}"  # noqa: S608 - constants


_PLACED: Final = """
CREATE TEMP TABLE placed AS
SELECT "row", outcome, coalesce(copies, 0) AS copies, coalesce(own, false) AS own
FROM writes LEFT JOIN winner USING (high, low)
"""
# Everything but what was acknowledged and is there once: the few that are looked for elsewhere.
_ASKED: Final = f"""
CREATE TEMP TABLE asked AS
SELECT placed.*, high, low FROM placed JOIN writes USING ("row")
WHERE copies <> 1 OR placed.outcome IN ({UNKNOWN}, {FAIL})
"""  # noqa: S608 - constants


def _elsewhere(reads: str) -> str:
    """The second hash is made of the few only whose first one is asked for."""
    return f"""
CREATE TEMP TABLE elsewhere AS
SELECT "row", loser FROM asked JOIN ({reads}) ON asked.high = {HIGH} WHERE asked.low = {LOW}
"""  # noqa: S608 - constants


def _place(database: duckdb.DuckDBPyConnection, read: FinalRead) -> None:
    """Tables `winner` (what is there), `placed` (every write's copies there), `asked`."""
    rows, parameters = _rows(read)
    database.execute(_winner(rows), parameters)
    database.execute(_PLACED)
    database.execute(_ASKED)


def _rows(read: FinalRead) -> tuple[str, list[Sequence[object]]]:
    """One final read in SQL, with its parameters; rows that count no copies are not there."""
    if isinstance(read, Path):
        return (
            f'(SELECT "key", copies FROM {duckdbstore.rows(read)} WHERE copies > 0)',  # noqa: S608
            [],
        )
    there = [(key, row.copies) for key, row in read.items() if row.copies > 0]
    keys, copies = [key for key, _ in there], [count for _, count in there]
    return '(SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies)', [keys, copies]


def _look_on_losers(database: duckdb.DuckDBPyConnection, held: Sequence[FinalRead]) -> None:
    """Table `elsewhere`: (row, number of the loser) of every write asked for that is on it."""
    found = [_rows(read) for read in held]
    reads = ["SELECT '' AS \"key\", 0 AS loser WHERE false"]
    reads += [f'SELECT "key", {number} FROM {rows}' for number, (rows, _) in enumerate(found)]  # noqa: S608
    parameters = [each for _, given in found for each in given]
    database.execute(_elsewhere(" UNION ALL ".join(reads)), parameters)


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


_EXPLAINED: Final = """
SELECT (SELECT count(*) FROM winner WHERE NOT own)
     = (SELECT count(*) FROM placed WHERE copies > 0 AND NOT own)
"""


def _unrecorded(database: duckdb.DuckDBPyConnection, read: FinalRead) -> tuple[Copies, ...]:
    """Keys on the winner that neither the history nor the lab wrote, sorted."""
    if database.execute(_EXPLAINED).fetchone() == (True,):  # nearly always; then no join is needed
        return ()
    rows, parameters = _rows(read)
    found = database.execute(
        f'SELECT "key", copies FROM (SELECT "key", copies, {PRINTS} FROM {rows} WHERE NOT ({_OWN}))'  # noqa: S608
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
