"""What steps need and what they make true: facts that either hold in the model or not. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lab.runbooks.model import Role, World
from lab.runbooks.runbook import Fact, Harm, Need, Plan, Value


def _done(word: str, says: str) -> Fact:
    return Fact(word, says, lambda world, _plan: word in world.done)


def _cannot_commit(world: World, plan: Plan) -> bool:
    node = world.databases[plan.old]
    return not (node.serves and node.role is Role.PRIMARY)


def _takes_writes(world: World, plan: Plan) -> bool:
    node = world.databases[plan.new]
    return (
        node.serves
        and node.role is Role.PRIMARY
        and world.writer[plan.target] == plan.new
        and plan.target in world.alive
    )


def _serves(world: World, plan: Plan) -> bool:
    """A primary can be reached, whichever it is; read-only mode is for a while, and told."""
    return replace(world, read_only=frozenset()).takes_orders_from(plan.target) is not None


def _is_primary(world: World, plan: Plan) -> bool:
    node = world.databases[plan.new]
    return node.serves and node.role is Role.PRIMARY


def _warm(world: World, plan: Plan) -> bool:
    moving = {people for people, where in world.sent() if where is not plan.target}
    return all((plan.target, people) in world.warm for people in moving)


def _moved(world: World, plan: Plan) -> bool:
    here = plan.lost is plan.target  # then no user has to go anywhere
    return here or all(where is plan.target for _, where in world.sent())


def _allowed(world: World, plan: Plan) -> bool:
    return plan.target not in world.read_only


DETECTED: Final = _done("detected", "the loss was noticed")
CONFIRMED: Final = _done("confirmed", "a second, independent check confirms the loss")
DECIDED: Final = _done("decided", "the failover was decided")
LAG_KNOWN: Final = _done("lag-known", "the lag is known to be within the RPO")
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
MOVED: Final = Fact("moved", "users are sent to {target}", _moved)
ALLOWED: Final = Fact("allowed", "{target}'s shop is allowed to take orders", _allowed)


def needs(fact: Fact, otherwise: str, harm: Harm = Harm.COST, **unless: Value) -> Need:
    """A row of what a step needs, unless it is told something with which that does not matter."""
    return Need(fact, otherwise, harm, tuple(unless.items()))
