"""How the way back and a hand-over change the model. Pure."""

from __future__ import annotations

from dataclasses import replace

from lab.core.topology import DATABASES, REGIONS, Place
from lab.runbooks.effects import named
from lab.runbooks.model import Health, Role, World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Plan, States, Stuck
from lab.runbooks.scenarios import topology_with


def is_back(world: World, plan: Plan) -> bool:
    """True when the whole way back lies behind. Steps of it stop where the primary is unknown."""
    there = [each for each in (plan.old, plan.new) if world.databases[each].leads]
    there = [each for each in there if each.region in world.managed]
    if len(there) == 2:
        raise Stuck(f"{plan.new} and {plan.old} are both primary")
    if not there:
        raise Stuck(f"neither {plan.old} nor {plan.new} is primary")
    return there == [plan.new]


def return_machines(world: World, plan: Plan, _options: Options) -> States:
    """The target's machines boot; a database that was primary does not start."""
    if is_back(world, plan):
        return (world,)
    for place, node in world.databases.items():
        if place.region is plan.target and node.health is Health.DEAD:
            starts = node.role is Role.STANDBY
            world = world.with_database(place, health=Health.UP if starts else Health.STOPPED)
    return (
        replace(world, alive=world.alive | {plan.target}, managed=world.managed | {plan.target}),
    )


def export(world: World, plan: Plan, options: Options) -> States:
    """What the target's databases alone have is kept, unless they cannot be read."""
    if is_back(world, plan):
        return (world.having("exported"),)
    back = [each for each in DATABASES if each.region is plan.target and each != plan.old]
    dead = [each for each in back if not _can_be_read(world, each)]
    if dead and not options.get("accept_unread"):
        raise Stuck(f"{dead[0]}'s machine cannot be read")
    return (world.having("exported"),)


def _can_be_read(world: World, place: Place) -> bool:
    return world.databases[place].can_be_told and place.region in world.managed


def rewind(world: World, plan: Plan, options: Options) -> States:
    """The returned node gives up what it alone has, once it is kept, and follows the primary."""
    if is_back(world, plan):
        return (world,)
    if plan.target not in world.managed:
        raise Stuck(f"{plan.new} cannot be reached")
    after = _following(world, plan.new, plan.old, plan)
    return (after if options.get("accept_unread") else after.having("exported"),)


def follow(world: World, plan: Plan, _options: Options) -> States:
    """The returned node's neighbour streams from it."""
    is_back(world, plan)
    return (_following(world, plan.new.twin, plan.new, plan),)


def _following(world: World, place: Place, upstream: Place, plan: Plan) -> World:
    if not (world.joined or plan.lost is plan.target):
        raise Stuck(f"{place} cannot reach {upstream}")
    if not world.databases[upstream].serves:
        raise Stuck(f"{upstream} does not run: {place} has no node to follow")
    if not _can_be_read(world, place):
        raise Stuck(f"{place} cannot be reached")
    return world.with_standby(place, upstream)


def switch_over(world: World, plan: Plan, _options: Options) -> States:
    """The primary hands over to a standby that has everything, and follows it.

    Between its shutdown and the promotion no order is taken, for longer than users try again. If
    the standby does not receive everything, the old primary is started again.
    """
    old, new = world.databases[plan.old], world.databases[plan.new]
    if new.role is Role.PRIMARY:
        return (world,)
    if not (old.serves and new.serves) or old.lineage != new.lineage:
        raise Stuck(f"{plan.new} does not have what {plan.old} has")
    if old.role is not Role.PRIMARY:
        raise Stuck(f"{plan.old} is a standby: it cannot hand over")
    if plan.lost not in world.managed:
        raise Stuck(f"{plan.old} cannot be reached: it cannot be stopped")
    stopped = world.with_database(plan.old, health=Health.STOPPED)
    if not world.connected(plan.old, plan.new):
        why = f"{plan.new} receives nothing from {plan.old}, which is started again"
        raise Stuck(why, stopped, world)
    lineage = 1 + max(each.lineage for each in world.databases.values())
    topology = topology_with(plan.new)
    after = world.with_database(
        plan.new, role=Role.PRIMARY, follows=None, waits_for=topology.synchronous
    )
    after = after.with_database(plan.old, role=Role.STANDBY, follows=plan.new, waits_for=None)
    for place, node in after.databases.items():
        if node.serves:
            after = after.with_database(place, lineage=lineage)
    after = replace(after, lacking=after.lacking - {plan.new}).without("verified")
    heads = {each: topology.head_of(each) for each in REGIONS}
    return (stopped, named(after, plan.new, heads, REGIONS))


def catch_up(world: World, plan: Plan, _options: Options) -> States:
    """Nothing that was acknowledged is missing on the new node."""
    node, old = world.databases[plan.new], world.databases[plan.old]
    if node.role is Role.PRIMARY:
        is_back(world, plan)
        return (world.having("caught-up"),)
    if node.lineage != old.lineage:
        raise Stuck(f"{plan.new} does not follow {plan.old}: it can never catch up")
    if not (node.serves and world.connected(plan.old, plan.new)):
        raise Stuck(f"{plan.new} receives nothing from {plan.old}")
    if not old.leads:
        raise Stuck(
            f"{plan.old} writes no WAL any more, so it cannot be checked whether {plan.new} has"
            " everything: `compare` does that"
        )
    is_back(world, plan)  # a primary that is out of reach cannot be asked
    return (replace(world, lacking=world.lacking - {plan.new}).having("caught-up"),)
