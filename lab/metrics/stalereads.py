"""Stale reads: an order that was acknowledged, and that its own user then did not find. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from lab.records.columns import READ, Operations
from lab.records.duckdbstore import scratch
from lab.records.history import Operation
from lab.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class StaleRead:
    """A read that did not find an order acknowledged `age` seconds before the read was started.

    `lost` says that the order is not on the winner in the end: then the read told of the loss.
    """

    read: Operation
    age: float
    lost: bool


_STALE: Final = """
SELECT seen."row", seen.start - min(told."end")
FROM seen JOIN told USING (high, low, population, "user")
WHERE told."end" <= seen.start
GROUP BY seen."row", seen.start ORDER BY seen.start
"""


def stale_reads(ledger: Ledger, lost: AbstractSet[str]) -> tuple[StaleRead, ...]:
    """Reads answered "no such order" for a write of the same user that was `ok` before they began.

    `lost` are the keys of lost writes. In the order of the reads' starts.
    """
    every = ledger.operations
    seen = every.take((every.found == 0) & every.ok & (every.kind == READ))
    if not len(seen):  # nearly always, and then no join is needed
        return ()
    told = ledger.writes.take(ledger.writes.ok)
    with scratch() as database:
        database.register("seen", {"row": seen.row, "start": seen.start, **_whose(ledger, seen)})
        database.register("told", {"end": told.end, **_whose(ledger, told)})
        rows = database.execute(_STALE).fetchall()
    reads = ledger.lines(row for row, _ in rows)
    return tuple(
        StaleRead(item, age, item.key in lost) for item, (_, age) in zip(reads, rows, strict=True)
    )


def _whose(ledger: Ledger, operations: Operations) -> dict[str, NDArray[Any]]:
    """Columns that tell a user's own order from all others'."""
    users: dict[str, NDArray[Any]] = {"population": operations.population, "user": operations.user}
    return {**users, **ledger.prints(operations)}
