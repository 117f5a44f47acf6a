"""What the databases' disks say of a lab: as it is by default, and after its primary moved."""

from __future__ import annotations

from lab.core.addresses import Addresses
from lab.core.topology import EAST, EAST_DB1, EAST_DB2, WEST, WEST_DB1, WEST_DB2
from lab.postgres.succession import Disk

ADDRESSES = Addresses("10.91")
BEHIND_EAST = ADDRESSES.gateway_as_seen_from(EAST, WEST)
BEHIND_WEST = ADDRESSES.gateway_as_seen_from(WEST, EAST)


def standby(of: str, timeline: int = 1) -> Disk:
    """The disk of a standby that streams from an address."""
    return Disk(True, timeline, of)


PRIMARY = Disk(standby=False, timeline=1)
DEFAULT = {
    EAST_DB1: PRIMARY,
    EAST_DB2: standby(ADDRESSES.inside(EAST_DB1)),
    WEST_DB1: standby(BEHIND_EAST),
    WEST_DB2: standby(ADDRESSES.inside(WEST_DB1)),
}
SWITCHED_OVER = {
    EAST_DB1: standby(BEHIND_WEST, 2),
    EAST_DB2: standby(ADDRESSES.inside(EAST_DB1), 2),
    WEST_DB1: Disk(False, 2, BEHIND_EAST),
    WEST_DB2: standby(ADDRESSES.inside(WEST_DB1), 2),
}
REGION_LOST = {**DEFAULT, **{place: SWITCHED_OVER[place] for place in (WEST_DB1, WEST_DB2)}}
"""West was promoted while east was away."""
