"""Stale reads: an order that was acknowledged, and that its own user then did not find. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from lab.columns import OK, READ
from lab.history import Operation
from lab.ledger import Ledger


@dataclass(frozen=True, slots=True)
class StaleRead:
    """A read that did not find an order acknowledged `age` seconds before the read was started.

    `lost` says that the order is not on the winner in the end: then the read told of the loss.
    """

    read: Operation
    age: float
    lost: bool


_STALE: Final = f"""
SELECT seen."row", seen.start - min(writes."end")
FROM seen JOIN writes USING (high, low)
WHERE writes.outcome = {OK} AND writes."end" <= seen.start
GROUP BY seen."row", seen.start ORDER BY seen.start
"""  # noqa: S608 - a constant


def stale_reads(ledger: Ledger, lost: AbstractSet[str]) -> tuple[StaleRead, ...]:
    """Reads answered "no such order" for a key whose write was `ok` before the read was started.

    `lost` are the keys of lost writes. In the order of the reads' starts.
    """
    every = ledger.operations
    seen = every.take((every.found == 0) & every.ok & (every.kind == READ))
    if not len(seen):  # nearly always, and then no join is needed
        return ()
    with ledger.scratch() as database:
        database.register("seen", {"row": seen.row, "start": seen.start, **ledger.prints(seen)})
        rows = database.execute(_STALE).fetchall()
    reads = ledger.lines(row for row, _ in rows)
    return tuple(
        StaleRead(item, age, item.key in lost) for item, (_, age) in zip(reads, rows, strict=True)
    )
