"""What servers of a made-up lab say of their replication."""

from __future__ import annotations

from lab.core.addresses import Addresses
from lab.core.topology import EAST, EAST_DB1, WEST, WEST_DB1
from lab.postgres.plights import Plight

SIZE = 4 << 20
"""Bytes of a file of the log."""


def plight(host: str = "", *, number: int = 5, oldest: int = 2) -> Plight:
    """A server that stands in the file of that number; with a host, a standby that follows it."""
    return Plight(
        standby=bool(host),
        timeline=1,
        received=number * SIZE + 1000,
        paused=False,
        conninfo=f"host={host} port=5432" if host else "",
        file_size=SIZE,
        oldest=f"{oldest:016X}",
        started=100.0,
        promoted=None,
    )


def in_order(addresses: Addresses) -> tuple[Plight, ...]:
    """All four in the default topology."""
    door = addresses.gateway_as_seen_from(EAST, WEST)
    hosts = ("", addresses.inside(EAST_DB1), door, addresses.inside(WEST_DB1))
    return tuple(map(plight, hosts))
