"""The situations in which a runbook may be used, each as a first state of the model. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lab.core.errors import UnknownName
from lab.core.topology import DATABASES, REGIONS, Follows, Place, Region, Replication
from lab.runbooks.model import PLANNED, Database, Health, Role, World, world_of
from lab.runbooks.runbook import Plan

Aim = Callable[[Plan], Place | Region]
"""What a fault is pointed at, for a plan: a machine or a region."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault by its name, and what it is pointed at; without an aim, its own default.

    It ends by itself after `lasting` seconds, if that is given.
    """

    fault: str
    aim: Aim | None = None
    lasting: float | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """What came before an incident: faults, and what was done about them.

    `runbook` is the name of a shipped one, which `plan` makes of the plan of the one at hand. It
    ends before its step `until`, if that is given.
    """

    faults: tuple[Broken, ...] = ()
    runbook: str = ""
    plan: Callable[[Plan], Plan] = lambda plan: plan
    until: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation: what is so, and `faults` that make it so in a lab.

    `told` is a sentence for people; `begin` makes the model's first state for a plan. `leads` have
    come to an end when the incident begins. All users are in the lost region by then if `gathered`.
    """

    name: str
    told: str
    begin: Callable[[Plan], World]
    faults: tuple[Broken, ...] = ()
    leads: tuple[Lead, ...] = ()
    gathered: bool = False

    @property
    def lasts(self) -> bool:
        """True if nothing of it ends by itself: the model has no times."""
        return all(each.lasting is None for each in self.faults)


def _lost(plan: Plan) -> Region:
    return plan.lost


def _other(plan: Plan) -> Region:
    return plan.lost.other


def _old(plan: Plan) -> Place:
    return plan.old


def _twin(plan: Plan) -> Place:
    return plan.old.twin


def _resolver(plan: Plan) -> Place:
    return Place(plan.lost.name, "dns")


def _target(plan: Plan) -> Region:
    return plan.target


def _new(plan: Plan) -> Place:
    return plan.new


def _reverse(plan: Plan) -> Plan:
    """The failover that made the old node of a way back primary."""
    return Plan(plan.new, plan.old)


def topology_with(primary: Place) -> Replication:
    """The lab's topology around another primary: its pair in step, the other pair far behind it."""
    twin = primary.twin
    head, tail = (each for each in DATABASES if each.region is not primary.region)
    return Replication(
        primary, twin, (Follows(twin, primary), Follows(head, primary), Follows(tail, head))
    )


def _whole(plan: Plan) -> World:
    """A lab in order, with users at work for a while."""
    return world_of(topology_with(plan.old)).after_orders()


def _healthy(plan: Plan) -> World:
    return _whole(plan).having(PLANNED)


def _partition(plan: Plan) -> World:
    return replace(_whole(plan), joined=False)


def _unreachable(plan: Plan) -> World:
    world, lost = _partition(plan), {plan.lost}
    return replace(world, managed=world.managed - lost, resolvers=world.resolvers - lost)


def _region_dead(plan: Plan) -> World:
    return _without(_whole(plan), plan.lost)


def _without(world: World, region: Region) -> World:
    """The same, with every machine of a region dead but its resolver."""
    for place in DATABASES:
        if place.region is region:
            world = world.with_database(place, health=Health.DEAD)
    return replace(
        world,
        joined=False,
        alive=world.alive - {region},
        managed=world.managed - {region},
    )


def _zone_dead(plan: Plan) -> World:
    return _whole(plan).with_database(plan.old, health=Health.DEAD)


def _primary_frozen(plan: Plan) -> World:
    return _whole(plan).with_database(plan.old, health=Health.FROZEN)


def _standby_gone(plan: Plan) -> World:
    return _whole(plan).with_database(plan.old.twin, health=Health.DEAD)


def _both_dead(plan: Plan) -> World:
    return _zone_dead(plan).with_database(plan.old.twin, health=Health.DEAD)


def _one_copy_left(plan: Plan) -> World:
    """The other region was lost earlier, so all users are here. Then the primary died, too."""
    world = _all_sent(_without(_whole(plan), plan.lost.other), plan.lost)
    return world.with_database(plan.old, health=Health.DEAD)


def _resolver_gone(plan: Plan) -> World:
    world, lost = _whole(plan), frozenset({plan.lost})
    return replace(world, resolvers=world.resolvers - lost, unresolved=lost)


def _returned_zone(plan: Plan) -> World:
    """The node in `from` took over from its neighbour in `to`, which is back and stands still."""
    world = _whole(plan)
    for place in DATABASES:
        world = world.with_database(place, lineage=2)
    back = Database(Health.STOPPED, Role.PRIMARY, waits_for=plan.old)
    world = replace(world, databases={**world.databases, plan.new: back})
    return world.with_database(plan.old, waits_for=None).having(PLANNED)


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
    return _all_sent(world, plan.lost).having(PLANNED)


def _survivor_lost(plan: Plan) -> World:
    """The same, when the new node follows again and nothing else does. Then the region is lost."""
    world = _returned(plan).without(PLANNED).with_standby(plan.new, plan.old)
    return _without(world.after_orders(), plan.lost)


def _all_sent(world: World, region: Region) -> World:
    """All users have been in one region for a while: its cache holds what they ask for."""
    held = frozenset((region, people) for people in REGIONS)
    return replace(world, traffic=dict.fromkeys(REGIONS, region), warm=world.warm | held)


_TAKEN_OVER: Final = Lead((Broken("blackout", _target),), "region-failover", _reverse)
"""The region that is to have the primary was lost, and the other one has taken over."""

SCENARIOS: Final = (
    Scenario(
        "partition",
        "the links between the regions are cut; the old primary is alive, and users still reach it",
        _partition, (Broken("partition"),),
    ),
    Scenario(
        "region-dead",
        "every machine of the region is dead except its resolver, which is at another site",
        _region_dead, (Broken("blackout", _lost),),
    ),
    Scenario(
        "unreachable",
        "the links between the regions are cut, and the management network does not reach the lost"
        " region",
        _unreachable, (Broken("partition"), Broken("management-cut", _lost)),
    ),
    Scenario("zone-dead", "the primary's machine is dead; the rest of its region works", _zone_dead,
             (Broken("zone-loss", _old),)),
    Scenario(
        "primary-frozen",
        "the primary's machine is frozen for 20 s, and then goes on where it was", _primary_frozen,
        (Broken("freeze", _old, 20.0),),
    ),
    Scenario("healthy", "nothing is wrong: a planned change", _healthy),
    Scenario(
        "standby-gone",
        "the synchronous standby is dead, and every commit waits for it", _standby_gone,
        (Broken("zone-loss", _twin),),
    ),
    Scenario(
        "zones-dead",
        "the primary's machine and its standby's in the next zone are both dead", _both_dead,
        (Broken("zone-loss", _old), Broken("zone-loss", _twin)),
    ),
    Scenario(
        "one-copy-left",
        "the other region was lost before; now the primary's machine is dead as well",
        _one_copy_left, (Broken("zone-loss", _old),), (Lead((Broken("blackout", _other),)),),
        gathered=True,
    ),
    Scenario("resolver-gone", "the region's resolver does not run", _resolver_gone,
             (Broken("resolver-down", _resolver),)),
    Scenario(
        "zone-returned",
        "the primary's neighbour took over, and the primary's machine is back", _returned_zone,
        leads=(Lead((Broken("zone-loss", _new),), "zone-failover", _reverse),),
    ),
    Scenario(
        "returned",
        "the other region has taken over, and the lost one's machines are back",
        _returned, leads=(_TAKEN_OVER,), gathered=True,
    ),
    Scenario(
        "survivor-lost",
        "a region was lost and follows again in part; now the region that had taken over is lost",
        _survivor_lost, (Broken("blackout", _lost),),
        (_TAKEN_OVER, Lead(runbook="return-west", until="follow")), gathered=True,
    ),
)  # fmt: skip


def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises UnknownName with the nearest."""
    for each in SCENARIOS:
        if each.name == name:
            return each
    raise UnknownName("scenario", name, (each.name for each in SCENARIOS))
