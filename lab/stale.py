"""Stale reads: an order that was acknowledged, and that its own user then did not find. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

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


_STALE: Final = """
SELECT seen.rowid, seen.start - min(written."end")
FROM ops AS seen JOIN ops AS written USING ("key")
WHERE seen.kind = 'read' AND seen.found = false AND seen.outcome = 'ok'
  AND written.kind = 'write' AND written.outcome = 'ok' AND written."end" <= seen.start
GROUP BY seen.rowid, seen.start ORDER BY seen.start
"""


def stale_reads(ledger: Ledger, lost: AbstractSet[str]) -> tuple[StaleRead, ...]:
    """Reads answered "no such order" for a key whose write was `ok` before the read was started.

    `lost` are the keys of lost writes. In the order of the reads' starts.
    """
    rows = ledger.database.execute(_STALE).fetchall()
    reads = ledger.lines(row for row, _ in rows)
    return tuple(
        StaleRead(item, age, item.key in lost) for item, (_, age) in zip(reads, rows, strict=True)
    )
