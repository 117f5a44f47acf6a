"""The lab as it stands, as a first state of the model that runbooks are checked in. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from lab.core.errors import Refused
from lab.core.topology import APP_NAME, DATABASES, REGIONS, Place, Region, head_name
from lab.runbooks.model import PLANNED, Database, Health, Role, World
from lab.runbooks.runbook import Plan
from lab.runbooks.scenarios import Scenario
from lab.status.look import Status
from lab.testbed.nodelook import NodeReport

NAME: Final = "here"
_SILENT: Final = "timeout"
"""The kind of a toxic that lets nothing through."""


def situation(status: Status, unmanaged: Collection[Place]) -> Scenario:
    """The lab as it was just seen, as a situation; `unmanaged` are machines out of reach.

    Raises Refused for what the model does not have: a frozen database, which may resume.
    """
    if frozen := [each.place for each in status.nodes if each.machine == "paused"]:
        raise Refused(
            f"{frozen[0]} is frozen and may resume at any moment: the check cannot judge that",
            f"end that first: lab fault heal freeze --node {frozen[0]}",
        )
    now = _world(status, unmanaged)
    return Scenario(NAME, "the lab as it stands", lambda plan: _planned(now, plan))


def _planned(world: World, plan: Plan) -> World:
    """Where the old primary works and its successor receives, each order can be kept."""
    works = world.databases[plan.old].leads and not world.hangs(plan.old)
    return world.having(PLANNED) if works and world.streams(plan.old, plan.new) else world


def _world(status: Status, unmanaged: Collection[Place]) -> World:
    databases = {each.place: _database(each, status) for each in status.nodes}
    primary = next(iter(status.primaries), DATABASES[0])
    heads = {each: _led(status, each, head_name(each)) or primary for each in REGIONS}
    resolvers = frozenset(each for each in REGIONS if _runs(status, Place(each.name, "dns")))
    world = World(
        databases=databases,
        alive=frozenset(each for each in REGIONS if _runs(status, Place(each.name, "app"))),
        joined=_joined(status),
        managed=frozenset(each for each in REGIONS if _managed(status, each, unmanaged)),
        resolvers=resolvers,
        unresolved=frozenset(REGIONS) - resolvers,
        writer={each: status.writers.get(each.name) or primary for each in REGIONS},
        head=heads,
        traffic={each: _sent(status, each) for each in REGIONS},
        warm=frozenset((each, each) for each in REGIONS),
        read_only=frozenset(
            each for each in REGIONS for it in status.in_force if it.where == each.name
        ),
    )
    return replace(world, warm=world.warm | {(to, people) for people, to in world.sent()})


def _database(report: NodeReport, status: Status) -> Database:
    newest = max(each.timeline for each in status.nodes)
    if report.state is None:
        stopped = report.machine == "running"
        old = report.place in status.replaced or not status.primaries
        role = Role.PRIMARY if old and report.upstream is None else Role.STANDBY
        lineage = newest - 1 if report.place in status.replaced else newest
        return Database(Health.STOPPED if stopped else Health.DEAD, role, max(1, lineage))
    waits = next(iter(report.waits_for), None) if report.primary else None
    role = Role.PRIMARY if report.primary else Role.STANDBY
    return Database(Health.UP, role, report.timeline, report.upstream, waits)


def _runs(status: Status, place: Place) -> bool:
    return any(each.place == place and each.running for each in status.machines)


def _joined(status: Status) -> bool:
    far = [each for each in status.links if each.link.is_long_distance]
    through = all(
        each.exists and each.open and not any(toxic.kind == _SILENT for toxic in each.toxics)
        for each in far
    )
    return bool(far) and through and all(_runs(status, Place(e.name, "gateway")) for e in REGIONS)


def _managed(status: Status, region: Region, unmanaged: Collection[Place]) -> bool:
    nodes = [each for each in DATABASES if each.region is region]
    return not set(nodes) & set(unmanaged) and any(_runs(status, each) for each in nodes)


def _led(status: Status, viewer: Region, name: str) -> Place | None:
    """The machine that a name leads to, by a region's own resolver."""
    told = status.leads.get(viewer.name, {}).get(name, "").split(",")[0].split(" ")[0]
    site, _, service = told.partition(".")
    known = any(each.name == site for each in REGIONS)
    return Place(site, service) if known and service else None


def _sent(status: Status, people: Region) -> Region:
    to = _led(status, people, APP_NAME)
    return to.region if to else people
