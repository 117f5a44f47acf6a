"""Orders that a node beside the winner has, and that neither the winner nor any record knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.records.duckdbstore import rows
from lab.records.keyhashes import PRINTS
from lab.records.ledger import Ledger

_KEYS: Final = 'SELECT "key" FROM {}'
_UNKNOWN: Final = """
SELECT DISTINCT "key" FROM (SELECT "key", {prints} FROM ({others}))
ANTI JOIN writes USING (high, low) ANTI JOIN
(SELECT {prints} FROM {winner}) USING (high, low) ORDER BY 1
"""


def elsewhere(told: Ledger, reads: Mapping[str, Path], winner: str) -> tuple[str, ...]:
    """Client keys on another node than the winner that are neither there nor on record, sorted.

    A user's order is among them if its line is missing in the history: then it may have been
    acknowledged, and is lost. Keys on the winner are `Classification.unrecorded`.
    """
    others = [_KEYS.format(rows(path)) for node, path in reads.items() if node != winner]
    if not others:
        return ()
    query = _UNKNOWN.format(
        prints=PRINTS, others=" UNION ALL ".join(others), winner=rows(reads[winner])
    )
    with told.scratch() as database:
        return tuple(key for (key,) in database.execute(query).fetchall())
