"""What servers say that betrays a fault of replication: a pause, lost WAL, two primaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place
from lab.postgres.rolewatch import POSITION_SQL

if TYPE_CHECKING:
    from lab.postgres.databases import Databases
    from lab.postgres.node import Node

PLIGHT_SQL: LiteralString = f"""
SELECT in_recovery, timeline, received,
       CASE WHEN in_recovery THEN pg_is_wal_replay_paused() ELSE false END,
       current_setting('primary_conninfo'),
       pg_size_bytes(current_setting('wal_segment_size')),
       (SELECT coalesce(min(substr(name, 9)), '') FROM pg_ls_waldir()
        WHERE name ~ '^[0-9A-F]{{24}}$'),
       extract(epoch FROM pg_postmaster_start_time())::float8,
       extract(epoch FROM (pg_stat_file(
           'pg_wal/' || lpad(upper(to_hex(timeline)), 8, '0') || '.history', true
       )).modification)::float8
FROM ({POSITION_SQL}) AS own
"""  # noqa: S608 - constants
"""Everything that Plight holds, in the order of its fields."""

_HOST: Final = re.compile(r"\bhost=(\S+)")
_OLDEST: Final = (
    "ls data/pg_wal | sed -n 's/^[0-9A-F]\\{8\\}\\([0-9A-F]\\{16\\}\\)$/\\1/p' | sort | head -n 1"
)


def file_of(position: int, size: int) -> str:
    """The file of the log that a position (bytes) lies in, without its timeline."""
    high, low = divmod(position // size, 2**32 // size)
    return f"{high:08X}{low:08X}"


@dataclass(frozen=True, slots=True)
class Plight:
    """What one server says. `oldest` is the oldest file of its log, without its timeline.

    `started` is when the server began, `promoted` when its timeline did (None for the first one):
    seconds of the engine's clock.
    """

    standby: bool
    timeline: int
    received: int
    paused: bool
    conninfo: str
    file_size: int
    oldest: str
    started: float
    promoted: float | None

    @property
    def host(self) -> str:
        """The address that it follows; empty for none."""
        found = _HOST.search(self.conninfo)
        return found[1] if found and self.standby else ""

    @property
    def wants(self) -> str:
        """The file of the log that it would ask its upstream for."""
        return file_of(self.received, self.file_size)


def plight(node: Node) -> Plight:
    """Ask a server. Raises LabError."""
    return said(node.query(PLIGHT_SQL)[0])


def read(databases: Databases, places: Iterable[Place] = DATABASES) -> dict[Place, Plight]:
    """Ask every server that answers."""
    found: dict[Place, Plight] = {}
    for place in places:
        with suppress(LabError):
            found[place] = plight(databases[place])
    return found


def said(row: tuple[Any, ...]) -> Plight:
    """What a row of the statement says."""
    return Plight(*row)


def starved(found: Mapping[Place, Plight], addresses: Addresses) -> tuple[Place, ...]:
    """Standbys whose upstream no longer has the WAL that they want.

    Whether they say that they stream tells nothing: they do so in a loop of failures too.
    """
    return tuple(
        place
        for place, each in found.items()
        if each.standby and any(
            upstream.oldest > each.wants for upstream in _upstreams(place, each, found, addresses)
        )
    )  # fmt: skip


def _upstreams(
    place: Place, own: Plight, found: Mapping[Place, Plight], addresses: Addresses
) -> Iterator[Plight]:
    """Who is behind the address that it follows: behind a gateway, the primary if it is there."""
    other = place.region.other
    if own.host == addresses.gateway_as_seen_from(other, place.region):
        there = [each for p, each in found.items() if p.region is other]
        yield from [each for each in there if not each.standby] or there[:1]
        return
    for node in DATABASES:
        if node in found and addresses.inside(node) == own.host:
            yield found[node]


def second_primaries(found: Mapping[Place, Plight]) -> tuple[Place, ...]:
    """Primaries that began to run after another one had been promoted in their place.

    One that never stopped is another case: a promotion without a fence.
    """
    primaries = {place: each for place, each in found.items() if not each.standby}
    return tuple(
        place
        for place, each in primaries.items()
        if any(
            newer.timeline > each.timeline and (newer.promoted or 0.0) < each.started
            for newer in primaries.values()
        )
    )


def oldest_on_disk(node: Node) -> str:
    """The oldest file of the log of a server that does not run, without its timeline."""
    lines = node.asked(_OLDEST)
    return lines[0] if lines else ""


def rewind_is_gone(node: Node, heir: Node, timeline: int) -> bool:
    """True when a node's log no longer reaches back to where the heir left its timeline."""
    try:
        fork = heir.forks().get(timeline)
    except LabError:
        return False
    oldest = oldest_on_disk(node)
    return fork is not None and bool(oldest) and oldest > file_of(fork, heir.wal_file_size())
