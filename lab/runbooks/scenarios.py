"""The situations in which a runbook may be used, each as a first state of the model. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lab.core.errors import UnknownName
from lab.core.topology import DATABASES, REGIONS, Follows, Place, Replication
from lab.runbooks.model import Health, Role, World, world_of
from lab.runbooks.runbook import Plan


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault by its name; `region` points it at the lost one, `node` at the old primary."""

    fault: str
    region: bool = False
    node: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation: what is so, and `faults` that make it so in a lab.

    `told` is a sentence for people; `begin` makes the model's first state for a plan.
    """

    name: str
    told: str
    begin: Callable[[Plan], World]
    faults: tuple[Broken, ...] = ()


def topology_with(primary: Place) -> Replication:
    """The lab's topology around another primary: its pair in step, the other pair far behind it."""
    twin = primary.twin
    head, tail = (each for each in DATABASES if each.region is not primary.region)
    return Replication(
        primary, twin, (Follows(twin, primary), Follows(head, primary), Follows(tail, head))
    )


def _healthy(plan: Plan) -> World:
    return world_of(topology_with(plan.old))


def _partition(plan: Plan) -> World:
    return replace(_healthy(plan), joined=False)


def _unreachable(plan: Plan) -> World:
    world = _partition(plan)
    return replace(world, managed=world.managed - {plan.lost})


def _region_dead(plan: Plan) -> World:
    world = _healthy(plan)
    for place in DATABASES:
        if place.region is plan.lost:
            world = world.with_database(place, health=Health.DEAD)
    return replace(
        world,
        joined=False,
        alive=world.alive - {plan.lost},
        managed=world.managed - {plan.lost},
    )


def _zone_dead(plan: Plan) -> World:
    return _healthy(plan).with_database(plan.old, health=Health.DEAD)


def _returned(plan: Plan) -> World:
    """The other region has taken over, and the lost one is back: its databases stand still.

    `plan` is the way back: its old node is primary now, its new one is to be again.
    """
    world = world_of(
        Replication(
            plan.old,
            None,
            tuple(
                Follows(place, plan.old)
                for place in DATABASES
                if place.region is plan.lost and place != plan.old
            ),
        )
    )
    for place in DATABASES:
        if place.region is plan.lost:
            world = world.with_database(place, lineage=2)
        else:
            role = Role.PRIMARY if place == plan.new else Role.STANDBY
            world = world.with_database(place, health=Health.STOPPED, role=role)
    return replace(world, traffic=dict.fromkeys(REGIONS, plan.lost))


SCENARIOS: Final = (
    Scenario(
        "partition",
        "the links between the regions are cut; the old primary is alive, and users still reach it",
        _partition, (Broken("partition"),),
    ),
    Scenario(
        "region-dead",
        "every machine of the region is dead except its resolver, which is at another site",
        _region_dead, (Broken("blackout", region=True),),
    ),
    Scenario(
        "unreachable",
        "the links between the regions are cut, and the management network does not reach the lost"
        " region",
        _unreachable, (Broken("partition"), Broken("management-cut", region=True)),
    ),
    Scenario("zone-dead", "the primary's machine is dead; the rest of its region works", _zone_dead,
             (Broken("zone-loss", node=True),)),
    Scenario("healthy", "nothing is wrong: a planned change", _healthy),
    Scenario(
        "returned",
        "the other region has taken over, and the lost one's machines are back",
        _returned,
    ),
)  # fmt: skip


def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises UnknownName with the nearest."""
    for each in SCENARIOS:
        if each.name == name:
            return each
    raise UnknownName("scenario", name, (each.name for each in SCENARIOS))
