"""A database becomes a standby: the old primary follows its successor, a lost copy is made anew."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, Refused
from lab.core.topology import Follows, Place
from lab.postgres.following import prove_following
from lab.postgres.salvage import REBUILD
from lab.records.journalfile import Via
from lab.runbooks.facts import IS_PRIMARY, needs
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.runbooks.scenarios import topology_with
from lab.runbooks.servereffects import demote, rebuild
from lab.steps.context import READ, UNREAD, Context
from lab.steps.whichnode import by_name, named, node_option, present_primary

if TYPE_CHECKING:
    from lab.postgres.node import Node

_PROOF_SECONDS: Final = 3.0
_FOLLOW_SECONDS: Final = 30.0


def _follows(primary: Node, standby: Node) -> bool:
    """True when a standby streams, and fresh WAL of the primary reaches it."""
    with suppress(LabError):
        state = standby.state()
        if state.in_recovery and state.receiver:
            prove_following(primary, [standby], _PROOF_SECONDS)
            return True
    return False


def _demote(context: Context) -> str:
    """Rewound if need be, or rebuilt; what it alone has is kept first."""
    lab, plan = context.lab, context.plan
    new = lab.databases[plan.new]
    if not new.is_primary():
        raise Refused(
            f"{plan.new} is not primary: {plan.old} has no node to follow", "promote it first"
        )
    if _follows(new, lab.databases[plan.old]):
        return f"{plan.old} follows {plan.new} already: nothing is left to do"
    arrow = Follows(plan.old, plan.new)
    how = lab.databases.follow_all([arrow], plan.new, context.keep, _FOLLOW_SECONDS)
    return f"{'; '.join(how)}; fresh WAL of {plan.new} reaches it"


def _rebuild(context: Context) -> str:
    primary = present_primary(context)
    place = named(context, primary.place)
    if place == primary.place:
        raise Refused(
            f"{place} is the primary: there is no copy to rebuild it from",
            "name a standby, as in - rebuild: {node: " + str(place.twin) + "}",
        )
    node = context.lab.databases[place]
    if not context.options["anyway"] and _follows(primary, node):
        return f"fresh WAL of {primary} reaches {place} already: nothing is left to rebuild"
    return _rebuilt(context, primary, node)


def _rebuilt(context: Context, primary: Node, node: Node) -> str:
    """What it alone has is kept; then it is a new copy of the primary, at its place in the line."""
    databases, place, source = context.lab.databases, node.place, primary.place
    waited = place.server_name in primary.state().synchronous_names
    upstream = _upstream(context, primary, place)
    how = databases.follow(
        Follows(place, source), source, context.keep, _FOLLOW_SECONDS, gentlest=REBUILD
    )
    if upstream != source:
        _lead(context, primary, place, upstream)
    behind = topology_with(source).standbys_of(place)
    told = [
        f"{place} is a new base backup of {primary} ({how}) and follows {upstream}",
        *(_led_along(context, primary, place, each) for each in behind),
        *([f"orders waited for it meanwhile, because {primary} is synchronous"] if waited else []),
    ]
    return "; ".join(told)


def _led_along(context: Context, primary: Node, rebuilt: Place, standby: Place) -> str:
    """Lead a standby behind a rebuilt one past the WAL that only the old data directory had.

    A base backup begins a new WAL file. What comes before that, the standby gets from the primary.
    """
    try:
        _lead(context, primary, standby, primary.place, rebuilt)
    except LabError as error:
        return f"{standby} does not follow it ({error.message}): rebuild that as well"
    return f"{standby} follows it as before"


def _lead(context: Context, primary: Node, standby: Place, *upstreams: Place) -> None:
    """Let a standby follow nodes one after the other, and hold no WAL for it on the primary."""
    arrows = [Follows(standby, each) for each in upstreams]
    context.lab.databases.follow_all(arrows, primary.place, context.keep, _FOLLOW_SECONDS)
    primary.drop_unused_slot(standby)


def _upstream(context: Context, primary: Node, standby: Place) -> Place:
    """Whom it is to follow: the primary, or the head of its region if that follows."""
    lab = context.lab
    head = topology_with(primary.place).upstream_of(standby)
    if head is None or head == primary.place or not lab.engine.alive([head]):
        return primary.place
    return head if _follows(primary, lab.databases[head]) else primary.place


STEPS: tuple[Step, ...] = (
    Step(
        name="demote",
        title="demote {old} to a standby",
        changes="{old} is a standby of {new}: re-pointed, or rewound, or rebuilt",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="an old primary that follows is one more copy of every order",
        breaks="{old} stays down, so there is one copy less when the next fault strikes",
        seconds=3.0,
        command="pg_rewind, an empty standby.signal, primary_conninfo, then pg_ctl start, in"
        " {old}'s container",
        makes=demote,
        needs=(needs(IS_PRIMARY, "there is no primary to follow yet"), READ),
        options=(UNREAD,),
        act=_demote,
    ),
    Step(
        name="rebuild",
        title="rebuild a standby from the primary",
        changes="the standby's data directory is a new base backup of the present primary; orders"
        " that exist only on the standby are saved first",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a standby that can no longer follow holds old data only",
        breaks="the primary has one standby less when the next fault strikes",
        seconds=4.0,
        command="pg_basebackup -D data -R -X stream -c fast -d 'host=PRIMARY user=replicator', in"
        " the standby's container",
        makes=by_name(rebuild),
        repeats=Repeats.OTHERWISE,
        needs=(READ,),
        options=(
            node_option("twin", "which standby: the twin of the present primary, or a name"),
            Option("anyway", bool, False, "rebuild it even if it follows"),
            UNREAD,
        ),
        act=_rebuild,
    ),
)
