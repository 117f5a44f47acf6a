"""How steps change single servers and their replication in the model. Pure."""

from __future__ import annotations

from dataclasses import replace

from lab.core.topology import Place
from lab.runbooks.effects import stopped_at_once
from lab.runbooks.facts import KEEPS_ALL, standbys_within_reach
from lab.runbooks.model import Health, Role, World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Plan, States, Stuck


def _present(world: World, plan: Plan) -> Place:
    """The primary as it is now: the new one, as soon as it is one."""
    for place in (plan.new, plan.old):
        if world.databases[place].leads and place.region in world.managed:
            return place
    raise Stuck(f"neither {plan.new} nor {plan.old} answers as primary")


def stop(world: World, plan: Plan, options: Options) -> States:
    """A clean stop sends standbys what they lack; an immediate one is a fence without a proof."""
    node = world.databases[plan.old]
    if node.health is Health.FROZEN:
        raise Stuck(f"{plan.old} is frozen: no server can be stopped in its machine")
    if not node.serves:
        return (world,)
    if plan.lost not in world.managed:
        raise Stuck(f"{plan.old} cannot be reached: it cannot be stopped")
    if options["mode"] == "immediate":
        return (stopped_at_once(world, plan.old),)
    sent = {place for place in world.databases if world.streams(plan.old, place)}
    stopped = world.with_database(plan.old, health=Health.STOPPED)
    return (replace(stopped, lacking=stopped.lacking - sent),)


def start(world: World, plan: Plan, options: Options) -> States:
    """A server that was stopped runs again, as what it is on its disk."""
    place = _node(options, plan.old)
    node = world.databases[place]
    if not node.can_be_told or place.region not in world.managed:
        raise Stuck(f"{place} cannot be reached: it cannot be started")
    others = [each for each in world.primaries() if each != place]
    if node.role is Role.PRIMARY and others:
        raise Stuck(f"{place} and {others[0]} would both be primary")
    return (world.with_database(place, health=Health.UP).without("cut-short"),)


def demote(world: World, plan: Plan, _options: Options) -> States:
    """The old primary follows the new one: rewound, or copied anew."""
    source, old = world.databases[plan.new], world.databases[plan.old]
    if not source.leads:
        raise Stuck(f"{plan.new} is not primary: {plan.old} cannot follow it")
    if not old.can_be_told or plan.lost not in world.managed:
        raise Stuck(f"{plan.old} cannot be reached")
    return (_copied(world, plan.old, plan.new),)


def _copied(world: World, place: Place, upstream: Place) -> World:
    if not world.connected(upstream, place):
        raise Stuck(f"{place} cannot reach {upstream}")
    return world.with_standby(place, upstream)


def rebuild(world: World, plan: Plan, options: Options) -> States:
    """One standby becomes a new copy of the primary."""
    primary = _present(world, plan)
    place = _node(options, primary.twin)
    if place == primary:
        raise Stuck(f"{place} is primary: it is no standby")
    if not world.databases[place].can_be_told or place.region not in world.managed:
        raise Stuck(f"{place} cannot be reached")
    return (_copied(world, place, primary),)


def compare(world: World, plan: Plan, _options: Options) -> States:
    """The end of the old primary's WAL has arrived at the new one, or it stops there."""
    old, new = world.databases[plan.old], world.databases[plan.new]
    if not new.serves:
        raise Stuck(f"{plan.new} does not run")
    if not old.can_be_told or plan.lost not in world.managed:
        raise Stuck(f"{plan.old} cannot be read")
    if old.lineage != new.lineage and (new.role is Role.STANDBY or fell_short(world, plan)):
        raise Stuck(f"{plan.old} has what {plan.new} can never receive: their timelines parted")
    if new.role is Role.STANDBY and plan.new in world.lacking:
        if not world.connected(plan.old, plan.new):
            raise Stuck(f"{plan.new} receives nothing from {plan.old}, and lacks its last orders")
        if "cut-short" in world.done:
            raise Stuck(f"{plan.old} was stopped at once, and its last orders were not sent")
    return (replace(world, lacking=world.lacking - {plan.new}).having("compared"),)


def fell_short(world: World, plan: Plan) -> bool:
    """True when the new primary was promoted without orders of the old one, or beside it."""
    return world.databases[plan.old].leads or "fell-short" in world.done


def choose(world: World, plan: Plan, options: Options) -> States:
    """Another standby within reach that has every order should be promoted instead.

    What is on its way to a standby that streams is so little that it is accepted.
    """
    if not world.databases[plan.new].serves:
        raise Stuck(f"{plan.new} does not run: it cannot be promoted")
    behind = plan.new in world.far and not KEEPS_ALL.holds(world, plan)
    if behind and not options["accept_loss"]:
        whole = [each for each in standbys_within_reach(world, plan) if each not in world.lacking]
        raise Stuck(f"{whole[0]} has orders that {plan.new} lacks")
    return (world.having("chosen"),)


def pause_replication(world: World, plan: Plan, _options: Options) -> States:
    """Nothing more arrives from the other region."""
    _refuse_inside_one_region(plan)
    if plan.lost not in world.managed and plan.lost in world.alive:
        raise Stuck(f"{plan.lost.name}'s gateway cannot be reached")
    return (replace(world, paused=True),)


def _refuse_inside_one_region(plan: Plan) -> None:
    if plan.lost is plan.target:
        raise Stuck(f"{plan.old} and {plan.new} are in one region, which has no such link")


def resume_replication(world: World, plan: Plan, _options: Options) -> States:
    """WAL goes between the regions again, if nothing wider keeps them apart."""
    _refuse_inside_one_region(plan)
    if not world.joined:
        raise Stuck(f"no link leads from {plan.lost.name} to {plan.target.name}")
    return (replace(world, paused=False),)


def go_async(world: World, plan: Plan, _options: Options) -> States:
    """The primary's commits wait for no standby."""
    primary = _present(world, plan)
    return (world.with_database(primary, waits_for=None).having("alone"),)


def go_sync(world: World, plan: Plan, _options: Options) -> States:
    """The primary's commits wait for its neighbour again, which must stream."""
    primary = _present(world, plan)
    twin = primary.twin
    if not world.streams(primary, twin):
        raise Stuck(f"{twin} does not stream from {primary}: every commit would wait for it")
    after = world.with_database(primary, waits_for=twin).without("alone")
    return (replace(after, lacking=after.lacking - {twin}),)


def resolver_restarted(world: World, plan: Plan, _options: Options) -> States:
    """The lost region's resolver answers again."""
    if plan.lost not in world.steered():
        raise Stuck(f"{plan.lost.name}'s resolver cannot be reached")
    after = replace(
        world, resolvers=world.resolvers | {plan.lost}, unresolved=world.unresolved - {plan.lost}
    )
    return (after.having("resolver-restarted"),)


def _node(options: Options, usual: Place) -> Place:
    named = str(options.get("node") or "")
    return Place.parse(named) if named else usual
