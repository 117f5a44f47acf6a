"""The way back: the lost region returns, gives up what it alone has, and takes over again.

The plan of a way back leads from the present primary to the node that is to be one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    REGIONS,
    Follows,
    Place,
    Region,
    Replication,
    machines_of,
)
from lab.core.wait import wait_until
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import (
    catch_up,
    follow,
    noted,
    return_machines,
    rewind,
    send_home,
    switch_over,
)
from lab.runbooks.facts import CAUGHT_UP, needs
from lab.runbooks.runbook import Harm, Repeats, Spec
from lab.runbooks.scenarios import topology_with
from lab.steps.row import READ, UNREAD, Deed, Move
from lab.testbed.health import ready

if TYPE_CHECKING:
    from lab.postgres.node import Upstream

_BOOT_SECONDS = 20.0
_CATCH_UP_SECONDS = 60.0
_HOME_SECONDS = 30.0
_FOLLOW_SECONDS = 30.0


def _is_back(deed: Deed) -> bool:
    """True when the whole way back lies behind. Raises Refused when the primary is unknown.

    Asked before anything is touched: the primary must not be taken for what has returned.
    """
    databases, plan = deed.context.lab.databases, deed.plan
    there = [each for each in (plan.old, plan.new) if databases[each].is_primary()]
    if len(there) == 2:
        raise Refused(
            f"{plan.new} runs as primary beside {plan.old}",
            f"stop the one that users were not sent to: lab psql {plan.new} shows what it has",
        )
    if not there:
        raise Refused(
            f"neither {plan.old} nor {plan.new} is primary: there is nothing to come back from",
            "see who is: lab status",
        )
    return there == [plan.new]


def _unless_back(otherwise: str, act: Callable[[Deed], str]) -> Callable[[Deed], str]:
    """A step of the way back, and what it says when all of the way lies behind."""

    def acting(deed: Deed) -> str:
        if _is_back(deed):
            return f"{deed.plan.new} is primary already: {otherwise}"
        return act(deed)

    return acting


def _return(deed: Deed) -> str:
    """Boot what is dead; see to it that the database which was primary stays where it is."""
    lab, plan = deed.context.lab, deed.plan
    machines = machines_of(plan.target)
    dead = [place for place in machines if not lab.engine.running(place)]
    lab.boot(machines)
    for place in machines:
        wait_until(f"{place} to boot", lambda p=place: lab.engine.running(p), _BOOT_SECONDS)  # type: ignore[misc]
    names = lab.reopen(plan.old)
    _is_back(deed)  # what has booted must not be a primary
    told = f"booted {', '.join(map(str, dead))}" if dead else "all machines ran already"
    return "; ".join([told, f"{plan.new} starts no server by itself", *names.waiting])


def _export(deed: Deed) -> str:
    """What the returned nodes alone have, as files: it is about to be given up."""
    lab, plan = deed.context.lab, deed.plan
    kept = lab.databases.salvage.keep
    back = [each for each in DATABASES if each.region is plan.target and each != plan.old]
    return "; ".join(kept(each, plan.old, deed.keep).told for each in back)


def _rewind(deed: Deed) -> str:
    return _follows(deed, [Follows(deed.plan.new, deed.plan.old)], deed.plan.old)


def _follow(deed: Deed) -> str:
    plan = deed.plan
    twins = [p for p in DATABASES if p.site == plan.new.site and p != plan.new]
    primary = plan.new if _is_back(deed) else plan.old
    return _follows(deed, [Follows(each, plan.new) for each in twins], primary)


def _follows(deed: Deed, arrows: Iterable[Follows], primary: Place) -> str:
    databases = deed.context.lab.databases
    return "; ".join(databases.follow_all(arrows, primary, deed.keep, _FOLLOW_SECONDS))


def _catch_up(deed: Deed) -> str:
    from lab.postgres.node import prove_following

    databases, plan = deed.context.lab.databases, deed.plan
    took = prove_following(databases[plan.old], [databases[plan.new]], _CATCH_UP_SECONDS)
    return f"{plan.new} has replayed what {plan.old} wrote a moment ago ({took[plan.new]:.2f} s)"


def _switch_over(deed: Deed) -> str:
    """Shut down, compare, promote, re-point, follow: in that order, nothing can be lost.

    Whatever of it was done before it was cut is not done again, and all the rest is.
    """
    lab, plan = deed.context.lab, deed.plan
    new, topology = lab.databases[plan.new], topology_with(plan.new)
    already = new.is_primary()
    how = f"{plan.new} is primary already" if already else _handed_over(deed, topology)
    new.ensure_slots(topology.standbys_of(plan.new))
    return f"{how}; {lab.publish(topology)}; {_old_follows(deed)}"


def _handed_over(deed: Deed, topology: Replication) -> str:
    lab, plan = deed.context.lab, deed.plan
    old, new = lab.databases[plan.old], lab.databases[plan.new]
    new.set_synchronous(topology.synchronous, _upstream(deed, plan.new, plan.old))
    if old.answers():
        if old.state().in_recovery:
            raise Refused(
                f"{plan.old} is a standby: it has nothing to hand over", "see who has: lab status"
            )
        old.query("CHECKPOINT")  # so that little is left for the one that users wait for
    old.stop("fast")
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
    return f"{plan.old} ended at {format_lsn(end)}, all of it on {plan.new}"


def _upstream(deed: Deed, standby: Place, upstream: Place) -> Upstream:
    return deed.context.lab.databases.upstream(Follows(standby, upstream))


def _old_follows(deed: Deed) -> str:
    """All nodes follow the new primary, the old one as well. No user waits for this any more."""
    lab, plan = deed.context.lab, deed.plan
    topology = topology_with(plan.new)
    arrows = {arrow.standby: arrow for arrow in topology.follows}
    first = (plan.old, *(each for each in arrows if each != plan.old))
    how = _follows(deed, (arrows[each] for each in first), plan.new)
    lab.databases[plan.new].set_synchronous(topology.synchronous)
    took = lab.databases.prove(topology)
    return f"{how}; fresh WAL of {plan.new} reaches {', '.join(map(str, took))}"


def go_home(deed: Deed) -> str:
    """No steering is pinned any more, and each sends users to its own region if that serves."""
    lab = deed.context.lab
    silent: dict[Region, str] = {}
    for each in REGIONS:
        try:
            lab.steerings[each].unpin()
            problem = lab.out_of_touch(each)
        except LabError as error:
            problem = error.message
        if problem:
            silent[each] = problem
    if len(silent) == len(REGIONS):
        raise LabError(f"no user is sent home: {'; '.join(silent.values())}", "lab status")
    homes = [_home_of(deed, each) for each in REGIONS if each not in silent]
    pending = [f"{each.name} pending ({why})" for each, why in silent.items()]
    return f"steering steers again: {APP_NAME} leads {', '.join([*homes, *pending])}"


def _home_of(deed: Deed, viewer: Region) -> str:
    """Where a region's steering sends users now: home, if home takes orders."""
    lab = deed.context.lab
    addresses = {
        each: (lab.settings.addresses.internet(Place(each.name, "gateway")),) for each in REGIONS
    }

    def settled() -> str:
        answer = lab.names.ask(viewer, APP_NAME)
        if answer == addresses[viewer]:
            return f"{viewer.name}'s users home"
        if answer == addresses[viewer.other] and not ready(lab, viewer)[0]:
            return f"{viewer.name}'s users to {viewer.other.name}: their own takes no orders"
        return ""

    return wait_until(
        f"{viewer.name}'s resolver to answer {APP_NAME} with its own region",
        settled,
        _HOME_SECONDS,
        ignoring=(LabError,),
    )


MOVES = (
    Move(
        Spec(
            name="return",
            title="the lost region's machines come back",
            changes="{target}'s machines boot; a database that was primary does not start",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="what comes back must not believe that nothing has happened",
            breaks="there is no way back while one region must not fail",
            seconds=5.0,
            makes=return_machines,
        ),
        _unless_back("nothing has to come back", _return),
        mends=True,
    ),
    Move(
        Spec(
            name="export-orphans",
            title="keep what only the returned nodes have",
            changes="{target}'s databases are read, in quarantine; orphans-NODE-*.csv and .sql",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="a rewind throws away acknowledged orders: see them before",
            breaks="the steps that give a node up write them down, when it is about to go",
            seconds=4.0,
            makes=noted("exported"),
            options=(UNREAD,),
        ),
        _unless_back("it gives nothing up", _export),
    ),
    Move(
        Spec(
            name="rewind",
            title="rewind the returned node, or rebuild it",
            changes="{new}: pg_rewind to where {old} left its timeline, then it streams from {old}",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="what it alone has cannot be kept in a database that follows another",
            breaks="it cannot follow, and the next fault finds one copy of the data",
            seconds=4.0,
            makes=rewind,
            needs=(READ,),
            options=(UNREAD,),
        ),
        _unless_back("it follows no primary", _rewind),
    ),
    Move(
        Spec(
            name="follow",
            title="its neighbour follows it",
            changes="{target}'s other database streams from {new}",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="the pair must be one again before it is trusted with orders",
            breaks="{target} takes orders with no standby next door",
            seconds=4.0,
            makes=follow,
            needs=(READ,),
            options=(UNREAD,),
        ),
        _follow,
    ),
    Move(
        Spec(
            name="catch-up",
            title="wait until it has everything",
            changes="nothing; waits until {new} has replayed what {old} writes now",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="a switchover waits for the last byte: better that it is near",
            breaks="the pause that users feel is as long as the lag",
            seconds=0.2,
            makes=catch_up,
            repeats=Repeats.ALWAYS,
        ),
        _unless_back("it has everything", _catch_up),
    ),
    Move(
        Spec(
            name="switch-over",
            title="hand over, losing nothing",
            changes="{old} shut down, {new} promoted with all of its WAL, names, {old} follows",
            via=Via.OUT_OF_BAND,
            phase=Phase.PROMOTE,
            why="a primary that is alive can wait until its successor has everything",
            breaks="a failover where a switchover would do loses what is on its way",
            seconds=1.5,
            makes=switch_over,
            needs=(
                needs(CAUGHT_UP, "users wait while {new} receives what it lacks", Harm.OUTAGE),
                READ,
            ),
            options=(UNREAD,),
        ),
        _switch_over,
    ),
    Move(
        Spec(
            name="send-home",
            title="steering steers again",
            changes="no resolver is pinned: each sends users to its own region if that serves",
            via=Via.IN_BAND,
            phase=Phase.CLIENTS,
            why="what was done by hand must be given back to what does it alone",
            breaks="users stay where they were sent, also when that region fails",
            seconds=1.0,
            makes=send_home,
        ),
        go_home,
    ),
)
