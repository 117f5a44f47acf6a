"""What is missing of the users' record: then nobody knows all of what users were told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lab.columns import Operations
from lab.history import CutLine
from lab.ledger import Ledger
from lab.load import of_users


@dataclass(frozen=True, slots=True)
class RecordGaps:
    """What is missing.

    `unheard` are populations that were to work and recorded nothing. `cut` are cut lines after
    which more was to come: their population's record goes on, or ends more than `patience` before
    the load did. `orders` are orders of users on the winner that no record has.
    """

    unheard: tuple[str, ...] = ()
    cut: tuple[CutLine, ...] = ()
    orders: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.unheard) + len(self.cut) + self.orders


def record_gaps(
    ledger: Ledger,
    planned: AbstractSet[str],
    unrecorded: Iterable[str],
    until: float,
    patience: float,
) -> RecordGaps:
    """Hold the record against the populations that were to work, and against the winner's orders.

    `unrecorded` are the winner's keys that no record has; the load ended at `until`.
    """
    known = planned | set(ledger.populations)
    last = _last_starts(ledger.operations, known)
    return RecordGaps(
        tuple(sorted(planned - last.keys())),
        tuple(
            cut
            for cut in ledger.cut_lines
            if cut.followed or until - last.get(cut.population, until) > patience
        ),
        sum(of_users(key, known) for key in unrecorded),
    )


def _last_starts(operations: Operations, populations: Iterable[str]) -> dict[str, float]:
    """When each population that recorded anything started its last operation."""
    starts = {name: operations.start[operations.members(name)] for name in populations}
    return {name: float(each.max()) for name, each in starts.items() if len(each)}
