"""Seen, then gone: an order that a read found, and that the winner does not have. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

from lab.records.columns import READ
from lab.records.history import Operation
from lab.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class SeenThenGone:
    """A write that is not on the winner. `reads` reads found it; `first_read` ended first."""

    write: Operation
    first_read: float
    reads: int


_GONE: Final = """
SELECT "row", min(seen."end"), count(*) FROM asked JOIN seen USING (high, low)
WHERE copies = 0 GROUP BY "row" ORDER BY 2, 1
"""


def seen_then_gone(ledger: Ledger, database: duckdb.DuckDBPyConnection) -> tuple[SeenThenGone, ...]:
    """Writes of any outcome, in the order of the first read that found each.

    The table `asked` of `database` has every write that the winner does not have, as classify makes
    it: few, so that the reads of a long record are joined with few keys.
    """
    every = ledger.operations
    seen = every.take((every.found == 1) & (every.kind == READ))
    if not len(seen):
        return ()
    database.register("seen", {"end": seen.end, **ledger.prints(seen)})
    rows = database.execute(_GONE).fetchall()
    writes = ledger.lines(row for row, _, _ in rows)
    return tuple(
        SeenThenGone(write, first_read, reads)
        for write, (_, first_read, reads) in zip(writes, rows, strict=True)
    )
