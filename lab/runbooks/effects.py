"""How each step changes the model: the half of a step's row that needs no machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lab.core.topology import REGIONS, Place, Region
from lab.runbooks.model import Health, Role, World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Plan, States, Stuck, regions_of
from lab.runbooks.takeover import heads_after, topology_after

ALL_USERS = 100
"""Per cent of users."""


def stop_writes(world: World, plan: Plan, options: Options) -> States:
    """Shops that can be told refuse orders."""
    chosen = {each for each in regions_of(options["where"], plan) if each in world.alive}
    return (replace(world, read_only=world.read_only | chosen),)


def resume_writes(world: World, plan: Plan, options: Options) -> States:
    """Shops that can be told take orders again."""
    chosen = {each for each in regions_of(options["where"], plan) if each in world.alive}
    return (replace(world, read_only=world.read_only - chosen).having("resumed"),)


def fence(world: World, plan: Plan, _options: Options) -> States:
    """The old primary's server is stopped at once, and a frozen machine is killed."""
    old = world.databases[plan.old]
    if not old.may_lead:
        return (world,)
    if plan.lost not in world.managed:
        raise Stuck(f"{plan.old} cannot be reached: it cannot be fenced")
    if not old.leads:
        return (world.with_database(plan.old, health=Health.DEAD),)
    return (stopped_at_once(world, plan.old),)


def stopped_at_once(world: World, place: Place) -> World:
    """What a server took last is not sent any more, if it took orders until then."""
    stopped = world.with_database(place, health=Health.STOPPED)
    return stopped.having("cut-short") if place in world.acknowledging() else stopped


def stand_down(world: World, plan: Plan, _options: Options) -> States:
    """No database is promoted, because nothing reaches the old primary to fence it."""
    if plan.lost in world.managed:
        # It finds out by fencing it.
        fenced = [stopped_at_once(world, plan.old)] if world.databases[plan.old].serves else []
        raise Stuck(f"{plan.old} can be fenced, so a promotion is safe", *fenced)
    return (world.having("stood-down"),)


def promote(world: World, plan: Plan, _options: Options) -> States:
    """The new node leaves recovery and begins a timeline; who streams from it comes along."""
    node = world.databases[plan.new]
    if not node.serves:
        raise Stuck(f"{plan.new} does not run: it cannot be promoted")
    if node.role is Role.PRIMARY:
        return (world,)
    return (_promoted(world, plan.new),)


def _promoted(world: World, place: Place) -> World:
    """It waits for its twin, if that streams from it; what it had not received is lost."""
    lineage = 1 + max(each.lineage for each in world.databases.values())
    twin = world.databases[place.twin]
    behind = place.twin if twin.serves and twin.follows == place else None
    made = world.with_database(
        place, role=Role.PRIMARY, lineage=lineage, follows=None, waits_for=behind
    )
    if place in made.lacking:
        made = made.having("fell-short")
    made = replace(made, lacking=made.lacking - {place}).without("verified")
    return _carried(made, place, lineage)


def _carried(world: World, upstream: Place, lineage: int) -> World:
    for place, node in world.databases.items():
        if node.follows == upstream:
            world = _carried(world.with_database(place, lineage=lineage), place, lineage)
    return world


def repoint(world: World, plan: Plan, options: Options) -> States:
    """Names lead to the new primary: near it at once, elsewhere when clients ask again."""
    alive = [place for place, node in world.databases.items() if node.serves]
    if options["where"] == "near" and plan.target not in world.resolvers:
        raise Stuck(f"{plan.target.name}'s resolver does not run")
    heads = heads_after(plan.lost, topology_after(plan, alive, (), joined=world.joined))
    near = named(world, plan.new, heads, [plan.target])
    if options["where"] == "near":
        return (near,)
    return (near, named(near, plan.new, heads, REGIONS))


def named(
    world: World, primary: Place, heads: Mapping[Region, Place], where: Iterable[Region]
) -> World:
    """Resolvers that can be told answer with a primary, and with heads where they are known."""
    told = [each for each in where if each in world.resolvers]
    return replace(
        world,
        writer={**world.writer, **dict.fromkeys(told, primary)},
        head={**world.head, **{each: heads[each] for each in told if each in heads}},
    )


def refollow(world: World, plan: Plan, _options: Options) -> States:
    """Standbys that followed the old primary, and those behind them, follow the new one."""
    source = world.databases[plan.new]
    if source.role is not Role.PRIMARY:
        raise Stuck(f"{plan.new} is not primary: no standby can follow it")
    for place, node in world.databases.items():
        near = place.region is plan.target or world.joined
        if place not in (plan.new, plan.old) and node.serves and near:
            upstream = plan.new if node.follows == plan.old else node.follows
            world = world.with_database(place, lineage=source.lineage, follows=upstream)
    return (world,)


def warm(world: World, plan: Plan, _options: Options) -> States:
    """The target's cache holds what users of every region will ask it for."""
    if not world.answers_reads(plan.target):
        raise Stuck(f"{plan.target.name}'s shop finds nothing to warm its cache with")
    return (replace(world, warm=world.warm | {(plan.target, people) for people in REGIONS}),)


def shift(world: World, plan: Plan, options: Options) -> States:
    """Names send all users who honour TTLs to one region, or a share of the other one's users."""
    to, share = _destination(options, plan), int(str(options["share"]))
    if not world.resolvers:
        raise Stuck("no resolver can be told where to send users")
    if share < ALL_USERS and to.other not in world.alive:
        return (world,)  # only the steering of those who are to be sent could send a share of them
    if share == ALL_USERS:
        return (moved(world, dict.fromkeys(REGIONS, to)),)
    parted = moved(world, {each: each for each in REGIONS})
    some = frozenset({(to.other, to, share)} if to.other in world.steered() else ())
    return (replace(parted, shared=some),)


def gate(world: World, plan: Plan, options: Options) -> States:
    """Those who were sent on are served, or it goes no further."""
    to = _destination(options, plan)
    if world.takes_orders_from(to) is None:
        why = "its shop refuses orders" if to in world.read_only else "it reaches no primary"
        raise Stuck(f"users who were sent to {to.name} cannot order: {why}", *_back(world, to))
    if not world.answers_reads(to):
        raise Stuck(f"users who were sent to {to.name} cannot read", *_back(world, to))
    stage = "".join(f" {share}" for *_, share in world.shared)
    return (world.having(f"looked-at{stage}"),)


def _back(world: World, region: Region) -> States:
    """All users are sent home again, if the region that they came from takes orders."""
    if world.takes_orders_from(region.other) is None:
        return ()
    return (moved(world, {each: each for each in REGIONS}),)


def _destination(options: Options, plan: Plan) -> Region:
    return plan.target if options["to"] == "target" else plan.lost


def moved(world: World, where: Mapping[Region, Region]) -> World:
    """Each region's users are sent somewhere whole, if its steering or resolver can be told."""
    told = {people: to for people, to in where.items() if people in world.steered()}
    left = frozenset(each for each in world.shared if each[0] not in told)
    return replace(world, traffic={**world.traffic, **told}, shared=left)


def reopen(world: World, plan: Plan, options: Options) -> States:
    """Shops take orders and steerings steer, where one database alone can take the orders."""
    if len(world.primaries()) != 1:
        raise Stuck("there is no primary, or more than one")
    return send_home(replace(world, read_only=frozenset()), plan, options)


def send_home(world: World, _plan: Plan, _options: Options) -> States:
    """Steering steers again: users are sent to their own region, if it can serve, or across."""
    if not any(world.takes_orders_from(each) for each in REGIONS):
        raise Stuck("no region takes orders: steering has nowhere to send users")
    able = {each for each in REGIONS if world.takes_orders_from(each)}
    home = {each: each if each in able else each.other for each in REGIONS}
    return (moved(world, home),)
