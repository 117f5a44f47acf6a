"""Which database a step means: the present primary, or the one that its option names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.errors import Refused
from lab.core.topology import DATABASES, Place
from lab.runbooks.model import World
from lab.runbooks.option import Option, Options
from lab.runbooks.runbook import Makes, Plan, States
from lab.steps.context import Context

if TYPE_CHECKING:
    from lab.postgres.node import Node

NAMES = tuple(map(str, DATABASES))


def node_option(default: str, why: str, *more: str) -> Option:
    """The option `node`: a database's name, or a word for one of the plan's."""
    return Option("node", str, default, why, (default, *more, *NAMES))


def present_primary(context: Context) -> Node:
    """The new node if it is primary, else the old one. Raises Refused if neither is."""
    lab, plan = context.lab, context.plan
    for place in (plan.new, plan.old):
        # A question to a machine that has just died would wait for the engine's clean-up.
        if lab.engine.alive([place]) and lab.databases[place].is_primary():
            return lab.databases[place]
    raise Refused(
        f"neither {plan.new} nor {plan.old} answers as primary", "see who is primary: lab status"
    )


def named(context: Context, primary: Place | None = None) -> Place:
    """The database that the step's option `node` means; `twin` is the primary's neighbour."""
    word, plan = str(context.options["node"]), context.plan
    known = {"old": plan.old, "new": plan.new}
    if primary is not None:
        known["twin"] = primary.twin
    return known[word] if word in known else Place.parse(word)


def by_name(makes: Makes) -> Makes:
    """The effect of a step that is told a database's name, or nothing for its usual one."""

    def named_in(world: World, plan: Plan, options: Options) -> States:
        word = str(options["node"])
        known = {"old": str(plan.old), "new": str(plan.new), "twin": ""}
        return makes(world, plan, {**options, "node": known.get(word, word)})

    return named_in
