"""What steps need and what they make true: facts that either hold in the model or not. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lab.core.topology import Place
from lab.runbooks.model import PLANNED, Role, World
from lab.runbooks.option import Value
from lab.runbooks.runbook import Fact, Harm, Need, Plan


def _done(word: str, says: str) -> Fact:
    return Fact(word, says, lambda world, _plan: word in world.done)


def _decided(world: World, _plan: Plan) -> bool:
    return bool({"decided", PLANNED} & world.done)


def _lag_known(world: World, plan: Plan) -> bool:
    return "lag-known" in world.done or plan.new not in world.lacking


def _arrived(world: World, plan: Plan) -> bool:
    return plan.new not in world.lacking


def standbys_within_reach(world: World, plan: Plan) -> tuple[Place, ...]:
    """Standbys that could be promoted instead: on the same timeline, and within reach."""
    new = world.databases[plan.new]
    return tuple(
        place
        for place, each in world.databases.items()
        if place not in (plan.old, plan.new)
        if each.serves and each.role is Role.STANDBY and each.lineage == new.lineage
        if place.region in world.managed and (place.region is plan.target or world.joined)
    )


def _keeps_all(world: World, plan: Plan) -> bool:
    lacks = plan.new in world.lacking
    return not lacks or all(place in world.lacking for place in standbys_within_reach(world, plan))


def _most_advanced(world: World, plan: Plan) -> bool:
    """No other is the node's own upstream, and so ahead of it."""
    if plan.new not in world.lacking or "chosen" in world.done:
        return True
    return world.databases[plan.new].follows not in standbys_within_reach(world, plan)


def _cannot_commit(world: World, plan: Plan) -> bool:
    return not world.databases[plan.old].may_lead


def _takes_writes(world: World, plan: Plan) -> bool:
    node = world.databases[plan.new]
    return node.leads and world.writer[plan.target] == plan.new and plan.target in world.alive


def _serves(world: World, plan: Plan) -> bool:
    """A primary can be reached, whichever it is; read-only mode is for a while, and told.

    Where every shop refuses orders, no user loses anything by going elsewhere.
    """
    return (
        world.alive <= world.read_only
        or replace(world, read_only=frozenset()).takes_orders_from(plan.target) is not None
    )


def _is_primary(world: World, plan: Plan) -> bool:
    return world.databases[plan.new].leads


def _warm(world: World, plan: Plan) -> bool:
    moving = {people for people, where in world.sent() if where is not plan.target}
    return all((plan.target, people) in world.warm for people in moving)


def _moved(world: World, plan: Plan) -> bool:
    here = plan.lost is plan.target  # then no user has to go anywhere
    return here or all(where is plan.target for _, where in world.sent())


def _served(world: World, plan: Plan) -> bool:
    """Users go to the target, or the shop that they are left at writes to the new primary."""
    there = replace(world, read_only=frozenset()).takes_orders_from(plan.lost)
    return _moved(world, plan) or there == plan.new


def _allowed(world: World, plan: Plan) -> bool:
    return plan.target not in world.read_only


DETECTED: Final = _done("detected", "the loss was noticed")
CONFIRMED: Final = _done("confirmed", "a second, independent check confirms the loss")
DECIDED: Final = Fact("decided", "the failover was decided", _decided)
LAG_KNOWN: Final = Fact("lag-known", "the lag is known to be within the RPO", _lag_known)
ARRIVED: Final = Fact(
    "arrived",
    "a step after the stop of writes (`catch-up`, `compare`) has shown that {new} has every order",
    _arrived,
)
KEEPS_ALL: Final = Fact(
    "keeps-all", "no other standby within reach has orders that {new} lacks", _keeps_all
)
MOST_ADVANCED: Final = Fact(
    "most-advanced", "{new} is the most advanced standby within reach", _most_advanced
)
SCALED: Final = _done("scaled", "{target} can carry all users")
VERIFIED: Final = _done("verified", "a real order was acknowledged and found in the database")
CAUGHT_UP: Final = _done("caught-up", "{new} has everything that {old} has")
CANNOT_COMMIT: Final = Fact("fenced", "{old} can no longer commit", _cannot_commit)
IS_PRIMARY: Final = Fact("promoted", "{new} is primary", _is_primary)
TAKES_WRITES: Final = Fact(
    "takes-writes", "{target}'s shop writes to {new}, which is primary", _takes_writes
)
SERVES: Final = Fact("serves", "{target}'s shop reaches a primary", _serves)
IS_WARM: Final = Fact(
    "warm", "{target}'s cache holds what users from the other region ask for", _warm
)
USERS_SERVED: Final = Fact(
    "users-served", "users are sent to {target}, or {lost}'s shop writes to {new} as well", _served
)
MOVED: Final = Fact("moved", "users are sent to {target}", _moved)
ALLOWED: Final = Fact("allowed", "{target}'s shop is allowed to take orders", _allowed)


def needs(
    fact: Fact,
    otherwise: str,
    harm: Harm = Harm.COST,
    *,
    planned: bool | None = None,
    **unless: Value,
) -> Need:
    """A row of what a step needs, unless it is told something with which that does not matter."""
    return Need(fact, otherwise, harm, tuple(unless.items()), planned)
