"""Which database may be primary: read from what stands on the disks, whatever runs.

A promotion begins a timeline, and its number is written down before anything else of it. So of two
databases that were primary the one with the higher number was promoted in place of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import DATABASES, Follows, Place, Region, Replication
from lab.core.words import listed

if TYPE_CHECKING:
    from lab.infra.machines import Engine
    from lab.postgres.databases import Databases

WAY_OUT: Final = (
    "see what each has: lab status, lab psql NODE; to keep one, stop the other:"
    " lab fault inject stop-immediate --node NODE; lab reset empties the lab"
)

_STANDBY, _TORN = "standby", "torn"


@dataclass(frozen=True, slots=True)
class Disk:
    """What stands on a database's disk, and beside it.

    `standby` is true for the data directory of a standby. `timeline` is the newest one that is
    known there. `upstream` is the address that the node's settings follow, empty for none. What a
    copy or a rewind left that was cut is not `whole`: no server may be started on it.
    """

    standby: bool
    timeline: int
    upstream: str = ""
    whole: bool = True

    @property
    def follows(self) -> bool:
        """True when its server can be started at any time: as a standby it can do no harm."""
        return self.whole and self.standby

    @classmethod
    def said_by(cls, lines: Iterable[str]) -> Disk:
        """From what a machine says of itself: `standby`, `torn`, and `follows HOST`, `timeline N`.

        Words of a history file's name tell of a timeline, too. Without `timeline N` there is no
        control file.
        """
        words = [line.split() for line in lines]
        named = {each[0]: each[1] for each in words if len(each) > 1}
        alone = {each[0] for each in words if len(each) == 1}
        histories = [int(each, 16) for each in alone - {_STANDBY, _TORN}]
        newest = max(int(named.get("timeline", 0)), *histories, 0)
        whole = "timeline" in named and _TORN not in alone
        return cls(_STANDBY in alone, newest, named.get("follows", ""), whole)


@dataclass(frozen=True, slots=True)
class Succession:
    """What stands on the disks that could be read, and which servers run as primary."""

    disks: Mapping[Place, Disk]
    running: frozenset[Place] = frozenset()

    @property
    def unread(self) -> tuple[Place, ...]:
        """Databases whose machine does not run: no disk of theirs can be read."""
        return tuple(place for place in DATABASES if place not in self.disks)

    @property
    def newest(self) -> tuple[Place, ...]:
        """Those that were primary on the newest timeline of all that were primary."""
        was = {p: disk.timeline for p, disk in self.disks.items() if self._was_primary(p)}
        return tuple(place for place, each in was.items() if each == max(was.values()))

    def _was_primary(self, place: Place) -> bool:
        return self.disks[place].whole and not self.disks[place].standby

    @property
    def _first(self) -> Place:
        """The newest primary; of two as new the one that runs."""
        return min(self.newest, key=lambda place: place not in self.running)

    @property
    def replaced(self) -> Mapping[Place, Place]:
        """Those that were primary and do not run, and who is primary in place of each.

        On the newest timeline it is the one that runs.
        """
        rivals = self.newest if self.running.isdisjoint(self.newest) else ()
        return {
            place: self._first
            for place in self.disks
            if self._was_primary(place) and place not in {self._first, *self.running, *rivals}
        }

    @property
    def doubted(self) -> tuple[Place, ...]:
        """Those that stopped as newest primary, where one whose disk is not read may be newer."""
        return self.newest if not self.running and self.unread else ()

    @property
    def outlasted(self) -> tuple[Place, ...]:
        """The newest primaries, none of which runs, beside an older one that alone does."""
        alone = len(self.running) == 1 and self.running.isdisjoint(self.newest)
        return self.newest if alone else ()

    @property
    def left_down(self) -> tuple[Place, ...]:
        """Databases that must not be started: those that were replaced or are not whole."""
        torn = (place for place, disk in self.disks.items() if not disk.whole)
        return (*self.replaced, *torn)

    @property
    def heir(self) -> Place | None:
        """The database that is primary, or was it last; None if that cannot be told."""
        return None if self.problem else self._first

    @property
    def problem(self) -> str:
        """Why no database may be started as primary, or why the one that runs is in doubt."""
        if len(self.running) > 1:
            return f"{listed(sorted(self.running))} run as primary at the same time"
        if not self.newest:
            return f"no database was primary when it stopped{self._unread_too}"
        return self.outrun or ("" if self.running else self._doubt_of_what_stopped)

    @property
    def outrun(self) -> str:
        """Why the newest primary may not be the last; empty if nothing newer is known."""
        first, timeline = self._first, self.disks[self._first].timeline
        for place in self.running - {*self.newest}:
            return (
                f"{place} runs as primary, although {first} was promoted in its place, on timeline"
                f" {timeline}"
            )
        whole = [place for place, disk in self.disks.items() if disk.whole]
        known = max(whole, key=lambda place: self.disks[place].timeline)
        if self.disks[known].timeline == timeline:
            return ""
        return (
            f"{first} was primary on timeline {timeline}, and {known} knows of timeline"
            f" {self.disks[known].timeline}{self._unread_too}"
        )

    @property
    def _doubt_of_what_stopped(self) -> str:
        newest = self.newest
        if len(newest) > 1:
            timeline = self.disks[newest[0]].timeline
            return f"{listed(newest)} were both primary on timeline {timeline}"
        if not self.unread:
            return ""
        return (
            f"{newest[0]} was primary and is not started: the lab cannot ask"
            f" {listed(self.unread)}, whose machine does not run, whether it was promoted"
            " meanwhile"
        )

    @property
    def _unread_too(self) -> str:
        return f"; the machine of {listed(self.unread)} does not run" if self.unread else ""

    def refuse_doubt(self) -> None:
        """Raise LabError when it cannot be told which database is primary."""
        if self.problem:
            raise LabError(self.problem, WAY_OUT)

    def told(self, place: Place) -> str:
        """Why a database stays down."""
        if not self.disks[place].whole:
            return (
                f"{place} stays down: a copy or rewind of it was interrupted, and its disk holds no"
                " database"
            )
        heir = self.replaced[place]
        timeline = self.disks[heir].timeline
        if self.disks[place].timeline == timeline:
            return f"{place} stays down: {heir} runs, and both were promoted to timeline {timeline}"
        return f"{place} stays down: {heir} was promoted in its place, on timeline {timeline}"

    def topology(self, addresses: Addresses) -> Replication:
        """The topology that the nodes' settings describe, as far as it hangs together.

        `synchronous` is not read: a node keeps that setting beside its data.
        """
        heir = self._first
        follows = dict[Place, Place]()
        for place, disk in self.disks.items():
            upstream = self._behind(disk.upstream, place.region, addresses)
            if disk.follows and upstream:
                follows[place] = upstream
        joined = [place for place in follows if _leads_to(heir, place, follows)]
        return Replication(heir, None, tuple(Follows(place, follows[place]) for place in joined))

    def _behind(self, address: str, seen_from: Region, addresses: Addresses) -> Place | None:
        """The node at an address; behind the gateway it is the other region's head."""
        if address == addresses.gateway_as_seen_from(seen_from.other, seen_from):
            return self._head(seen_from.other, addresses)
        return next((place for place in DATABASES if addresses.inside(place) == address), None)

    def _head(self, region: Region, addresses: Addresses) -> Place | None:
        if self._first.region is region:
            return self._first
        door = addresses.gateway_as_seen_from(region.other, region)
        return next((p for p, disk in self.disks.items() if disk.upstream == door), None)


def read(engine: Engine, databases: Databases) -> Succession:
    """Read every disk whose machine runs, and ask every server. Raises LabError."""
    there = [place for place in DATABASES if engine.running(place)]
    disks = engine.each(there, lambda place: databases[place].disk())
    return Succession(dict(zip(there, disks, strict=True)), frozenset(databases.primaries()))


def start(engine: Engine, databases: Databases, primary: Place, standbys: Iterable[Place]) -> None:
    """Start what stopped, and let standbys replay what they receive.

    The caller knows that this primary is the last one. Standbys outside of the topology are started
    as well: they can do no harm. Raises LabError when the primary does not start.
    """
    try:
        databases[primary].start()
    except LabError as error:
        raise LabError(
            f"{primary} was primary and does not start: {error.message}",
            f"if a fault did that: lab fault heal --all; see: lab logs {primary}",
        ) from error

    def start_standby(place: Place) -> None:
        with suppress(LabError):
            databases[place].start_patiently()
            databases[place].resume_replay()

    engine.each(standbys, start_standby)


def behind(engine: Engine, databases: Databases, topology: Replication) -> tuple[Place, ...]:
    """Standbys that get no fresh WAL."""

    def follows(arrow: Follows) -> bool:
        try:
            databases.prove(Replication(topology.primary, None, (arrow,)))
        except LabError:
            return False
        return True

    proven = zip(topology.follows, engine.each(topology.follows, follows), strict=True)
    return tuple(arrow.standby for arrow, yes in proven if not yes)


def _leads_to(heir: Place, place: Place, follows: Mapping[Place, Place]) -> bool:
    for _ in follows:
        place = follows.get(place, place)  # the heir follows none
    return place == heir
