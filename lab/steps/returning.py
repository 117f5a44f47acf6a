"""The way back: the lost region returns, gives up what it alone has, and takes over again.

The plan of a way back leads from the present primary to the node that is to be one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lab.core.errors import CommandFailed, LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import (
    DATABASES,
    Follows,
    Place,
    Replication,
    machines_of,
)
from lab.core.wait import wait_until
from lab.records.journalfile import Phase, Via
from lab.runbooks.backeffects import catch_up, export, follow, return_machines, rewind, switch_over
from lab.runbooks.facts import CAUGHT_UP, needs
from lab.runbooks.runbook import Harm, Repeats, Step
from lab.runbooks.scenarios import topology_with
from lab.steps.context import READ, UNREAD, Context

if TYPE_CHECKING:
    from lab.postgres.node import Node, Upstream

_BOOT_SECONDS = 20.0
_SHUT_DOWN_SECONDS = 20
_CATCH_UP_SECONDS = 60.0
_FOLLOW_SECONDS = 30.0


def _is_back(context: Context) -> bool:
    """True when the whole way back lies behind. Raises Refused when the primary is unknown.

    Asked before anything is touched: the primary must not be taken for what has returned.
    """
    databases, plan = context.lab.databases, context.plan
    there = [each for each in (plan.old, plan.new) if databases[each].is_primary()]
    if len(there) == 2:
        raise Refused(
            f"{plan.new} and {plan.old} are both primary",
            f"stop the database that users are not sent to: lab psql {plan.new} shows the orders of"
            f" {plan.new}",
        )
    if not there:
        raise Refused(
            f"neither {plan.old} nor {plan.new} is primary: there is no primary to take over from",
            "see which database is primary: lab status",
        )
    return there == [plan.new]


def _unless_back(otherwise: str, act: Callable[[Context], str]) -> Callable[[Context], str]:
    """A step of the way back, and what it says when all of the way lies behind."""

    def acting(context: Context) -> str:
        if _is_back(context):
            return f"{context.plan.new} is primary already: {otherwise}"
        return act(context)

    return acting


def _return(context: Context) -> str:
    """Boot what is dead; see to it that the database which was primary stays where it is."""
    lab, plan = context.lab, context.plan
    machines = machines_of(plan.target)
    dead = [place for place in machines if not lab.engine.running(place)]
    lab.boot(machines)
    for place in machines:
        wait_until(f"{place} to boot", lambda p=place: lab.engine.running(p), _BOOT_SECONDS)  # type: ignore[misc]
    names = lab.reopen(plan.old)
    _is_back(context)  # what has booted must not be a primary
    told = f"booted {', '.join(map(str, dead))}" if dead else "all machines ran already"
    return "; ".join([told, f"{plan.new} starts no server by itself", *names.waiting])


def _export(context: Context) -> str:
    """What the returned nodes alone have, as files: it is about to be given up."""
    lab, plan = context.lab, context.plan
    kept = lab.databases.salvage.keep
    back = [each for each in DATABASES if each.region is plan.target and each != plan.old]
    return "; ".join(kept(each, plan.old, context.keep).told for each in back)


def _rewind(context: Context) -> str:
    return _follows(context, [Follows(context.plan.new, context.plan.old)], context.plan.old)


def _follow(context: Context) -> str:
    plan = context.plan
    primary = plan.new if _is_back(context) else plan.old
    return _follows(context, [Follows(plan.new.twin, plan.new)], primary)


def _follows(context: Context, arrows: Iterable[Follows], primary: Place) -> str:
    databases = context.lab.databases
    return "; ".join(databases.follow_all(arrows, primary, context.keep, _FOLLOW_SECONDS))


def _catch_up(context: Context) -> str:
    from lab.postgres.following import prove_following

    databases, plan = context.lab.databases, context.plan
    took = prove_following(databases[plan.old], [databases[plan.new]], _CATCH_UP_SECONDS)
    return f"{plan.new} has replayed what {plan.old} wrote a moment ago ({took[plan.new]:.2f} s)"


def switched_over(context: Context) -> str:
    """Shut down, compare, promote, re-point, follow: in that order, nothing can be lost.

    Whatever of it was done before it was cut is not done again, and all the rest is.
    """
    lab, plan = context.lab, context.plan
    new, topology = lab.databases[plan.new], topology_with(plan.new)
    already = new.is_primary()
    how = f"{plan.new} is primary already" if already else _handed_over(context, topology)
    new.ensure_slots(topology.standbys_of(plan.new))
    return f"{how}; {lab.publish(topology)}; {_old_follows(context)}"


def _handed_over(context: Context, topology: Replication) -> str:
    lab, plan = context.lab, context.plan
    old, new = lab.databases[plan.old], lab.databases[plan.new]
    new.set_synchronous(topology.synchronous, _upstream(context, plan.new, plan.old))
    if old.answers():
        if old.state().in_recovery:
            raise Refused(
                f"{plan.old} is a standby: it cannot hand over",
                "see which database is primary: lab status",
            )
        old.query("CHECKPOINT")  # so that little is left for the one that users wait for
    _shut_down(old)
    end = old.end_of_shutdown()
    try:
        wait_until(
            f"{plan.new} to have {format_lsn(end)}, the last that {plan.old} wrote",
            lambda: new.state().received >= end,
            _BOOT_SECONDS,
        )
    except LabError as error:
        old.start()
        raise LabError(
            f"{error.message}; {plan.old} was started again and is primary as before",
            f"see why {plan.new} does not receive: lab status",
        ) from error
    new.promote()
    return f"the WAL of {plan.old} ends at {format_lsn(end)}; {plan.new} has all of it"


def _shut_down(old: Node) -> None:
    """Shut a primary down in good order. Raises LabError if it hangs; then it is as before."""
    try:
        old.stop("fast", within=_SHUT_DOWN_SECONDS)
    except CommandFailed as error:
        old.stop("immediate")
        old.start()
        raise LabError(
            f"{old} did not shut down in {_SHUT_DOWN_SECONDS} s; it was restarted and is primary as"
            " before",
            f"see what held it up: lab logs {old}",
        ) from error


def _upstream(context: Context, standby: Place, upstream: Place) -> Upstream:
    return context.lab.databases.upstream(Follows(standby, upstream))


def _old_follows(context: Context) -> str:
    """All nodes follow the new primary, the old one as well. No user waits for this any more."""
    lab, plan = context.lab, context.plan
    topology = topology_with(plan.new)
    arrows = {arrow.standby: arrow for arrow in topology.follows}
    first = (plan.old, *(each for each in arrows if each != plan.old))
    how = _follows(context, (arrows[each] for each in first), plan.new)
    lab.databases[plan.new].set_synchronous(topology.synchronous)
    took = lab.databases.prove(topology)
    return f"{how}; fresh WAL of {plan.new} reaches {', '.join(map(str, took))}"


STEPS: tuple[Step, ...] = (
    Step(
        name="return",
        title="boot the machines of {target}",
        changes="{target}'s machines boot; a database that was primary does not start",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a database that comes back must not start as primary",
        breaks="the machines stay off, and only one region serves",
        seconds=5.0,
        makes=return_machines,
        act=_unless_back("nothing has to come back", _return),
        mends=True,
    ),
    Step(
        name="export-orphans",
        title="save orders that exist nowhere else",
        changes="{target}'s databases are read in quarantine; the orders that exist only there are"
        " saved to orphans-NODE-*.csv and .sql",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a rewind deletes acknowledged orders: save them first",
        breaks="a later step saves the orders instead, just before it overwrites the node",
        seconds=4.0,
        makes=export,
        options=(UNREAD,),
        act=_unless_back("no orders are saved from it", _export),
    ),
    Step(
        name="rewind",
        title="rewind the returned node, or rebuild it",
        changes="pg_rewind takes {new} back to the point where {old}'s timeline branched off; then"
        " {new} streams from {old}",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a standby cannot keep orders that its primary does not have",
        breaks="{new} cannot follow, so there is one copy of the data less when the next fault"
        " comes",
        seconds=4.0,
        makes=rewind,
        needs=(READ,),
        options=(UNREAD,),
        act=_unless_back("it follows no primary", _rewind),
    ),
    Step(
        name="follow",
        title="the other database follows {new}",
        changes="{target}'s other database streams from {new}",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="{new} needs a standby before it takes orders",
        breaks="{target} takes orders without a standby in the same region",
        seconds=4.0,
        makes=follow,
        needs=(READ,),
        options=(UNREAD,),
        act=_follow,
    ),
    Step(
        name="catch-up",
        title="wait until {new} has everything",
        changes="nothing; waits until {new} has replayed what {old} writes now",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a switchover waits for the last byte, so the lag must be short",
        breaks="the pause that users feel is as long as the lag",
        seconds=0.2,
        makes=catch_up,
        repeats=Repeats.ALWAYS,
        act=_unless_back("it has everything", _catch_up),
    ),
    Step(
        name="switch-over",
        title="hand over, losing nothing",
        changes="{old} is shut down, {new} is promoted with all of {old}'s WAL, the names resolve"
        " to {new}, and {old} follows",
        via=Via.OUT_OF_BAND,
        phase=Phase.PROMOTE,
        why="a primary that is alive can wait until its successor has everything",
        breaks="a failover in place of a switchover loses orders that are not yet sent",
        seconds=1.5,
        makes=switch_over,
        needs=(
            needs(CAUGHT_UP, "users wait while {new} receives what it lacks", Harm.OUTAGE),
            READ,
        ),
        options=(UNREAD,),
        act=switched_over,
    ),
)
