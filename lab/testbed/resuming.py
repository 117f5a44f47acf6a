"""A lab that was made before goes on where it stopped, whatever a fault left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lab.core.topology import Place
from lab.postgres import plights, succession
from lab.postgres.salvage import REBUILD, Keep
from lab.testbed.wayback import left_down

if TYPE_CHECKING:
    from lab.core.topology import Replication
    from lab.testbed.lab import Lab

KEEPING: Final = ("wal_keep_size", "max_slot_wal_keep_size")
"""Settings of how much WAL a server keeps, which the fault wal-gone makes small for a moment."""


def resume(lab: Lab) -> tuple[str, ...]:
    """Start the databases in the topology that they had; what is not in order, a line each.

    A database that was replaced stays down, also if it was started by hand. A standby whose WAL
    is gone is rebuilt. Raises LabError when it cannot be told who is primary.
    """
    stopped = [*_stopped_again(lab)]
    found = succession.read(lab.engine, lab.databases)
    found.refuse_doubt()
    topology = found.topology(lab.settings.addresses)
    lab.open_links(replication=topology)
    standbys = [place for place, disk in found.disks.items() if disk.follows]
    succession.start(lab.engine, lab.databases, topology.primary, standbys)
    rebuilt = rebuild_starved(lab, topology)
    behind = succession.behind(lab.engine, lab.databases, topology)
    astray = [place for place in standbys if place in behind or place not in topology.members]
    return (
        *stopped,
        *(f"{place} was rebuilt: its upstream no longer had its WAL" for place in rebuilt),
        *(f"{place} gets no fresh WAL of {topology.primary}: lab status" for place in astray),
        *left_down(found),
    )


def _stopped_again(lab: Lab) -> Iterator[str]:
    for place in plights.second_primaries(plights.read(lab.databases)):
        lab.databases[place].stop("immediate")
        yield f"{place} was started although another one had replaced it: it is stopped again"


def rebuild_starved(lab: Lab, topology: Replication) -> tuple[Place, ...]:
    """Copy each standby anew whose upstream no longer has the WAL that it wants; which ones.

    One that stands behind another may want what the copy of that one does not have, either.
    """
    rebuilt = list[Place]()
    while wanted := [each for each in topology.follows if each.standby in _starved(lab)]:
        arrow = next((each for each in wanted if each.standby not in rebuilt), None)
        if arrow is None:
            break  # it is as it was, although it was copied: no further copy would help
        keep_wal_again(lab, topology.primary)
        lab.databases.follow(arrow, topology.primary, Keep(), gentlest=REBUILD)
        lab.databases[arrow.standby].ensure_slots(topology.standbys_of(arrow.standby))
        rebuilt.append(arrow.standby)
    return tuple(rebuilt)


def _starved(lab: Lab) -> tuple[Place, ...]:
    return plights.starved(plights.read(lab.databases), lab.settings.addresses)


def keep_wal_again(lab: Lab, place: Place) -> None:
    """Let a server keep as much WAL as the lab's configuration says."""
    for setting in KEEPING:
        lab.databases[place].reset_setting(setting)
