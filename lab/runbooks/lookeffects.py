"""What steps that look, decide or wait find in the model, and what people know afterwards. Pure."""

from __future__ import annotations

from dataclasses import replace

from lab.core.topology import Region
from lab.runbooks.model import World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Makes, Plan, States, Stuck


def noted(word: str) -> Makes:
    """A step that changes nothing on machines: people know, or were told, something more."""

    def makes(world: World, _plan: Plan, _options: Options) -> States:
        return (world.having(word),)

    return makes


def detect(world: World, plan: Plan, options: Options) -> States:
    """A sign that counts shows the loss, as the other region sees it."""
    new = world.databases[plan.new]
    signs = {
        "health-checks": not (world.joined and _serves(world, plan.lost)),
        "replication": new.serves and not world.streams(plan.old, plan.new),
        "names": plan.lost not in world.resolvers,
    }
    counts = ("health-checks", "replication") if options["by"] == "any" else (str(options["by"]),)
    if not any(signs[each] for each in counts) and not new.leads:
        raise Stuck(f"no sign shows a loss of {plan.lost.name}: {' and '.join(counts)} see none")
    return (world.having("detected"),)


def _serves(world: World, region: Region) -> bool:
    return region in world.read_only or world.takes_orders_from(region) is not None


def confirm(world: World, plan: Plan, _options: Options) -> States:
    """A standby that receives from its primary confirms no loss."""
    old = world.databases[plan.old]
    if old.leads and world.streams(plan.old, plan.new):
        raise Stuck(f"{plan.new} still receives WAL from {plan.old}: no loss is confirmed")
    return (world.having("confirmed"),)


def decide(world: World, plan: Plan, options: Options) -> States:
    """A person needs a while, and what was known of the lag before is out of date then."""
    decided = world.having("decided")
    return (waited(decided, plan) if options["approval"] == "human" else decided,)


def waited(world: World, plan: Plan) -> World:
    """A long while has passed: if the old primary took orders in it, the lag has changed."""
    return world.without("lag-known") if plan.old in world.acknowledging() else world


def hold(world: World, plan: Plan, _options: Options) -> States:
    """Time passes."""
    return (waited(world, plan).having("held"),)


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
