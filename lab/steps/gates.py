"""What users met in a region, from their running totals: what a gate between stages looks at."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.core.errors import Refused
from lab.core.load import VERIFY_PREFIX
from lab.core.topology import Region

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


@dataclass(frozen=True, slots=True)
class Met:
    """Operations of all users that ended within `seconds`, and those of them in one region."""

    everywhere: int
    here: int
    failed: int
    seconds: float

    @property
    def share(self) -> float:
        """Of all operations, how many ended here: 0 to 1."""
        return self.here / self.everywhere if self.everywhere else 0.0

    @property
    def failed_share(self) -> float:
        """Of those that ended here, how many failed: 0 to 1; 1 if none ended here."""
        return self.failed / self.here if self.here else 1.0


def seen(lab: Lab, region: Region) -> Counter[str]:
    """Totals so far over both populations: `all` operations, those `here`, and `failed` ones."""
    address = lab.settings.addresses.entry(region)
    total: Counter[str] = Counter()
    for users in lab.users.values():
        for where, found in users.stats().served_by_address.items():
            total["all"] += found.ok + found.failed
            if where == address:
                total["here"] += found.ok + found.failed
                total["failed"] += found.failed
    return total


def between(before: Counter[str], after: Counter[str], seconds: float) -> Met:
    """What happened between two looks. Pure."""
    everywhere, here, failed = (after[each] - before[each] for each in ("all", "here", "failed"))
    return Met(everywhere, here, failed, seconds)


def tried(lab: Lab, region: Region) -> str:
    """One order of a customer instead, where no users are at work. Raises Refused."""
    guest = lab.guests[region]
    receipt = guest.order(guest.token(), f"{VERIFY_PREFIX}{uuid.uuid4().hex}")
    if receipt.outcome != "ok":
        raise Refused(f"a customer's order in {region.name} was answered {receipt.outcome!r}")
    return f"a customer's order in {region.name} was answered ok by {receipt.node}"
