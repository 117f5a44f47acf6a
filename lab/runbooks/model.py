"""A small model of the lab for predictions: what steps change, and what users get after them.

A prediction plays a runbook on this model instead of on machines. The model holds only what the
order of steps can get right or wrong: which nodes are alive, which one is primary, where names
lead, who may write. It has no times: between two steps users always have enough time to try.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lab.core.topology import DATABASES, DEFAULT_REPLICATION, REGIONS, Place, Region, Replication

PLANNED: Final = "planned"
"""What is noted where nothing is lost at first: each order that is lost there could be kept."""


class Health(StrEnum):
    """A database's machine and server."""

    UP = "up"
    STOPPED = "stopped"  # the machine runs, its server does not
    FROZEN = "frozen"  # nothing in the machine runs, and it may go on at any moment
    DEAD = "dead"  # the machine does not run


class Role(StrEnum):
    """What a server does when it runs."""

    PRIMARY = "primary"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Database:
    """One node. `lineage` is its timeline: nodes of two lineages can never be merged.

    `follows` is a standby's upstream. `waits_for` is the standby that a primary's commits wait for.
    """

    health: Health
    role: Role
    lineage: int = 1
    follows: Place | None = None
    waits_for: Place | None = None

    @property
    def serves(self) -> bool:
        """True when its server runs."""
        return self.health is Health.UP

    @property
    def leads(self) -> bool:
        """True for a primary that runs."""
        return self.serves and self.role is Role.PRIMARY

    @property
    def may_lead(self) -> bool:
        """True also for a primary that may go on at any moment."""
        return self.role is Role.PRIMARY and self.health in (Health.UP, Health.FROZEN)

    @property
    def can_be_told(self) -> bool:
        """True when its machine runs."""
        return self.health in (Health.UP, Health.STOPPED)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a step can change, and what it rests on.

    `alive` are regions whose shops run, `joined` says that regions reach each other, `managed`
    are regions whose machines the management network reaches, `resolvers` those whose names can
    be changed, `unresolved` those whose resolver answers no user. `writer` and `head` say where
    names lead, asked in a region. `read_only` are regions whose shops refuse orders. `traffic`
    says for each population where those of its users are sent who honour TTLs; the others stay
    in their own region. `shared` are (population, region, per cent) for a part of a population
    that is sent to another region than the rest. `warm` are (region, population) whose
    catalogue the region's cache holds. `lacking` are databases that may not have received the
    last acknowledged orders; those that are `far` behind received none while users ordered.
    `paused` says that replication between the regions was closed on purpose. `done` are words
    for what cannot be seen on machines: that the failover was decided, that the lag was looked
    at.
    """

    databases: Mapping[Place, Database]
    alive: frozenset[Region]
    joined: bool
    managed: frozenset[Region]
    resolvers: frozenset[Region]
    writer: Mapping[Region, Place]
    head: Mapping[Region, Place]
    traffic: Mapping[Region, Region]
    warm: frozenset[tuple[Region, Region]]
    shared: frozenset[tuple[Region, Region, int]] = frozenset()
    read_only: frozenset[Region] = frozenset()
    lacking: frozenset[Place] = frozenset()
    far: frozenset[Place] = frozenset()
    unresolved: frozenset[Region] = frozenset()
    paused: bool = False
    done: frozenset[str] = frozenset()

    def with_database(self, place: Place, **changes: object) -> World:
        """The same, but for one node."""
        changed = replace(self.databases[place], **changes)  # type: ignore[arg-type]
        return replace(self, databases={**self.databases, place: changed})

    def with_standby(self, place: Place, upstream: Place) -> World:
        """The same, but for one node: it runs as a standby of another one, on its timeline."""
        return self.with_database(
            place,
            health=Health.UP,
            role=Role.STANDBY,
            lineage=self.databases[upstream].lineage,
            follows=upstream,
            waits_for=None,
        )

    def having(self, word: str) -> World:
        """The same, with something more that was done."""
        return replace(self, done=self.done | {word})

    def without(self, *words: str) -> World:
        """The same, but what was done is out of date."""
        return replace(self, done=self.done - {*words})

    # ── replication ──────────────────────────────────────────────────────────────────────────

    def connected(self, one: Place, other: Place) -> bool:
        """True when WAL can come from one node to another, if both run."""
        return one.region is other.region or (self.joined and not self.paused)

    def streams(self, upstream: Place, standby: Place) -> bool:
        """True when a standby that runs receives what a node of its own timeline has, or passes on.

        A standby of a standby counts as well: nothing else of a cascade is modelled.
        """
        above, below = self.databases[upstream], self.databases[standby]
        return (
            above.serves
            and below.serves
            and below.role is Role.STANDBY
            and above.lineage == below.lineage
            and self.connected(upstream, standby)
        )

    def hangs(self, place: Place) -> bool:
        """True when a primary's commits wait for a standby that does not answer."""
        standby = self.databases[place].waits_for
        return standby is not None and not self.streams(place, standby)

    def after_orders(self) -> World:
        """The same, when users have ordered for a while: asynchronous standbys lag behind."""
        pairs = [(primary, each) for primary in self.acknowledging() for each in self.databases]
        behind = {
            place
            for primary, place in pairs
            if place not in (primary, self.databases[primary].waits_for)
        }
        near = {place for primary, place in pairs if self.streams(primary, place)}
        return replace(self, lacking=self.lacking | behind, far=(self.far | behind) - near)

    # ── what users get ───────────────────────────────────────────────────────────────────────

    def reaches(self, viewer: Region, place: Place) -> bool:
        """True when a shop of a region can reach a node that serves."""
        near = place.region is viewer or self.joined
        return viewer in self.alive and near and self.databases[place].serves

    def steered(self) -> frozenset[Region]:
        """Regions of which the steering can be told, or else the resolver, where users go."""
        return self.resolvers | self.managed

    def takes_orders_from(self, region: Region) -> Place | None:
        """The node that acknowledges orders of a region's shop; None when it takes none."""
        node = self.writer[region]
        if region in self.read_only or not self.reaches(region, node):
            return None
        primary = self.databases[node].role is Role.PRIMARY
        return node if primary and not self.hangs(node) else None

    def answers_reads(self, region: Region) -> bool:
        """True when a region's shop finds what its database must be asked for."""
        return self.reaches(region, self.head[region])

    def sent(self) -> tuple[tuple[Region, Region], ...]:
        """Who is sent where: (population, region), some of them for a part of a population.

        Users whose resolver is gone ask the other one, and go where its own users are sent.
        """
        asked = {each: each.other if each in self.unresolved else each for each in REGIONS}
        whole = [(people, self.traffic[asked[people]]) for people in self.traffic]
        parts = [(people, to) for people, to, _ in self.shared if people not in self.unresolved]
        return (*whole, *sorted(parts, key=str))

    def read_where(self) -> frozenset[tuple[Region, Region]]:
        """(region, population) where users who are sent there read their catalogue."""
        return frozenset((to, people) for people, to in self.sent() if self.answers_reads(to))

    def acknowledging(self) -> frozenset[Place]:
        """Nodes that acknowledge any user's orders now."""
        places = {*(to for _, to in self.sent()), *REGIONS}  # who ignores TTLs stays at home
        return frozenset(
            node for region in places if (node := self.takes_orders_from(region)) is not None
        )

    def cannot_write(self) -> Iterator[Region]:
        """Populations whose users, honouring TTLs, are sent where no order is taken."""
        return (people for people, region in self.sent() if self.takes_orders_from(region) is None)

    def cannot_read(self) -> Iterator[Region]:
        """Populations whose users, honouring TTLs, are sent where reads fail."""
        return (people for people, region in self.sent() if not self.answers_reads(region))

    def primaries(self) -> tuple[Place, ...]:
        """Nodes that run and would take writes."""
        return tuple(
            place
            for place, each in self.databases.items()
            if each.serves and each.role is Role.PRIMARY
        )


def world_of(topology: Replication) -> World:
    """A lab in order, in a topology: everything runs, each region serves its own users."""
    return World(
        databases={place: _database(place, topology) for place in DATABASES},
        alive=frozenset(REGIONS),
        joined=True,
        managed=frozenset(REGIONS),
        resolvers=frozenset(REGIONS),
        writer=dict.fromkeys(REGIONS, topology.primary),
        head={each: topology.head_of(each) for each in REGIONS},
        traffic={each: each for each in REGIONS},
        warm=frozenset((each, each) for each in REGIONS),
    )


def _database(place: Place, topology: Replication) -> Database:
    if place == topology.primary:
        return Database(Health.UP, Role.PRIMARY, waits_for=topology.synchronous)
    upstream = topology.upstream_of(place)
    health = Health.UP if upstream is not None else Health.STOPPED
    return Database(health, Role.STANDBY, follows=upstream)


IN_ORDER: Final = world_of(DEFAULT_REPLICATION)
"""The default topology, with nothing broken."""
