"""Replication between the regions is paused and goes on: its link is closed and opened."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import Link, link
from lab.core.wait import wait_until
from lab.core.words import listed
from lab.faults import acting
from lab.faults.catalogue import aimed, fault
from lab.records.journalfile import Phase, Via
from lab.runbooks.runbook import Step
from lab.runbooks.servereffects import pause_replication, resume_replication
from lab.steps.context import Context

if TYPE_CHECKING:
    from lab.infra.linkstates import LinkState

_CLOSED: Final = "refused"
"""The fault that a closed link is, wherever the lab shows or heals it."""
_STREAM_SECONDS: Final = 15.0


def _way(context: Context) -> Link:
    """The link by which the old primary's WAL comes to the target region. Raises Refused."""
    plan = context.plan
    if plan.lost is plan.target:
        raise Refused(
            f"{plan.old} and {plan.new} are both in {plan.lost.name}: WAL passes no gateway"
            " between them, so there is no link to close",
            "take this step out of a runbook inside one region",
        )
    return link(f"{plan.target.name}:{plan.lost.name}:replication")


def _pause(context: Context) -> str:
    way = _way(context)
    if context.lab.engine.state(way.gateway).stopped:
        return f"{way.gateway} does not run: nothing passes {way.name}"
    effect = acting.inject(context.lab, aimed(fault(_CLOSED), [way]))
    told = f"{way.name} was closed already" if effect.already else f"{way.name} is closed"
    return "; ".join([f"{told} ({effect.evidence})", *_received(context)])


def _received(context: Context) -> list[str]:
    """Where the new node's WAL ends, of which nothing more arrives now."""
    with suppress(LabError):
        state = context.lab.databases[context.plan.new].state()
        if state.in_recovery:
            where = f"{format_lsn(state.received)} on timeline {state.timeline}"
            return [f"{context.plan.new} has received WAL up to {where}"]
    return []


def _resume(context: Context) -> str:
    way = _way(context)
    if _state(context, way).open:
        return f"{way.name} is open already: nothing is left to do"
    wider = [each for each in acting.in_force(context.lab) if way in each.touches()]
    wider = [each for each in wider if len(each.touches()) > 1]
    if wider:
        raise Refused(
            f"{way.name} is closed by a fault that closes more: {listed(wider)}",
            f"end that: lab fault heal {wider[0].name}",
        )
    context.lab.links.armed([way], lambda proxy: proxy.enable())()
    return f"{way.name} is open; {_streams(context)}"


def _state(context: Context, way: Link) -> LinkState:
    return next(each for each in context.lab.links.states(way.entered) if each.link == way)


def _streams(context: Context) -> str:
    """Whether the new node streams through the link again. A primary has no need to."""
    new = context.lab.databases[context.plan.new]
    with suppress(LabError):
        if new.is_primary():
            return f"{new} is primary and receives nothing"
        wait_until(
            f"{new} to stream again",
            lambda: "streaming" in new.state().receiver,
            _STREAM_SECONDS,
            ignoring=(LabError,),
        )
        return f"{new} streams again"
    return f"{new} does not stream yet: lab status shows why"


STEPS: tuple[Step, ...] = (
    Step(
        name="pause-replication",
        title="pause replication between regions",
        changes="the link that carries {old}'s WAL to {target} is closed, until"
        " `resume-replication` or `lab fault heal --all`",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="the lag must not change while people judge it",
        breaks="WAL arrives meanwhile, so people decide about figures that are out of date",
        seconds=0.3,
        command="lab fault inject refused --link {target}:{lost}:replication",
        makes=pause_replication,
        act=_pause,
    ),
    Step(
        name="resume-replication",
        title="resume replication between regions",
        changes="the link that `pause-replication` closed is open",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="during a pause the far copy lacks every new order",
        breaks="if {lost} is lost, so are all orders since the pause",
        seconds=1.0,
        command="lab fault heal refused --link {target}:{lost}:replication",
        makes=resume_replication,
        mends=True,
        act=_resume,
    ),
)
