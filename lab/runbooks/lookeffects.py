"""What steps that look, decide or wait find in the model, and what people know afterwards. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lab.runbooks.model import Health, World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Makes, Plan, States, Stuck


def noted(word: str) -> Makes:
    """A step that changes nothing on machines: people know, or were told, something more."""

    def makes(world: World, _plan: Plan, _options: Options) -> States:
        return (world.having(word),)

    return makes


def detect(world: World, plan: Plan, options: Options) -> States:
    """A sign that counts shows the loss, as the other region sees it: one that lasts is awaited."""
    new = world.databases[plan.new]
    if new.leads and world.databases[plan.old].leads and plan.lost in world.managed:
        raise Stuck(f"{plan.old} and {plan.new} are both primary")
    seen = world.joined or plan.lost is plan.target
    signs = {
        "health-checks": plan.target in world.alive
        and not (seen and world.takes_orders_from(plan.lost)),
        "replication": new.serves and not world.streams(plan.old, plan.new),
        "names": plan.lost in world.unresolved or plan.lost not in world.steered(),
    }
    counts = ("health-checks", "replication") if options["by"] == "any" else (str(options["by"]),)
    if not any(signs[each] for each in counts) and not new.leads:
        raise Stuck(f"no sign shows a loss of {plan.lost.name}: {' and '.join(counts)} see none")
    detected = world.having("detected")
    return (waited(detected, plan) if options["after"] else detected,)


def confirm(world: World, plan: Plan, _options: Options) -> States:
    """A standby that receives from its primary confirms no loss."""
    old, new = world.databases[plan.old], world.databases[plan.new]
    if plan.lost not in world.managed and old.health is not Health.DEAD:
        raise Stuck(f"nothing tells whether {plan.old}'s machine runs")
    if old.health is not Health.DEAD and not new.serves:
        raise Stuck(f"{plan.new} does not run: it confirms nothing")
    if old.leads and world.streams(plan.old, plan.new):
        raise Stuck(f"{plan.new} still receives WAL from {plan.old}: no loss is confirmed")
    return (world.having("confirmed"),)


def compare_checks(world: World, plan: Plan, _options: Options) -> States:
    """A shop that answers and takes no order: its shallow check is green, its deep one red."""
    if plan.lost not in world.alive or world.takes_orders_from(plan.lost):
        raise Stuck(f"both health checks of {plan.lost.name} agree: this is no grey failure")
    return (world.having("checks-compared"),)


def check_lag(world: World, plan: Plan, _options: Options) -> States:
    """The new node says how far it came; how much that lacks is a matter of time."""
    if not world.databases[plan.new].serves:
        raise Stuck(f"{plan.new} does not run: it does not say how far it came")
    return (world.having("lag-known"),)


def scale_up(world: World, plan: Plan, _options: Options) -> States:
    """The target's shop may open more connections."""
    if plan.target not in world.alive:
        raise Stuck(f"{plan.target.name}'s shop does not run")
    return (world.having("scaled"),)


def decide(world: World, plan: Plan, options: Options) -> States:
    """A person needs a while, and what was known of the lag before is out of date then."""
    decided = world.having("decided")
    return (waited(decided, plan) if options["approval"] == "human" else decided,)


def wait_for_primary(world: World, plan: Plan, _options: Options) -> States:
    """A frozen primary goes on where it was; one that is dead or stopped does not."""
    old = world.databases[plan.old]
    if not old.may_lead:
        raise Stuck(f"{plan.old} does not come back by itself")
    return (world.with_database(plan.old, health=Health.UP).having("primary-back"),)


LONG_SECONDS: Final = 60.0
"""From here on a wait is one in which the lag may have changed."""


def waited(world: World, plan: Plan) -> World:
    """A long while has passed: if the old primary took orders in it, the lag has changed."""
    return world.without("lag-known") if plan.old in world.acknowledging() else world


def hold(world: World, plan: Plan, _options: Options) -> States:
    """Time passes."""
    return (waited(world, plan).having("held"),)


def wait(world: World, plan: Plan, options: Options) -> States:
    """Some seconds change nothing; a long while does."""
    long = float(str(options["seconds"])) >= LONG_SECONDS
    return ((waited(world, plan) if long else world).having("waited"),)


def verify(world: World, plan: Plan, _options: Options) -> States:
    """An order reaches the primary: an operator's while the runbook refuses customers."""
    usable = replace(world, read_only=frozenset())
    node = usable.takes_orders_from(plan.target)
    if node is None or (world.databases[plan.new].leads and node != plan.new):
        wanted = plan.new if world.databases[plan.new].leads else "a primary"
        raise Stuck(f"a real order in {plan.target.name} is not taken by {wanted}")
    return (world.having("verified"),)


def affirmed(world: World, plan: Plan, options: Options) -> States:
    """A person did something that the model does not know, and needed a while.

    Each text is a line of its own: none of them is done by another.
    """
    return (waited(world, plan).having(f"affirmed {options['text']}"),)
