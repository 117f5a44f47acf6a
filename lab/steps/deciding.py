"""A second look, the decision, and what people are told: steps that change nothing."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused, WaitExpired
from lab.core.steering import MACHINE_ENDS_SECONDS
from lab.core.topology import Region
from lab.core.wait import wait_until
from lab.infra.managementnet import OutOfBandLost
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.effects import stand_down
from lab.runbooks.facts import CONFIRMED, DETECTED, needs
from lab.runbooks.lookeffects import confirm, decide, noted, wait_for_primary
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.steps.context import Context
from lab.testbed.health import server_is_stopped

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_LOOK_EVERY_SECONDS = 0.02


def _is_done(context: Context) -> bool:
    """True when the promotion lies behind: a run that was cut looks again at all it rests on."""
    return context.lab.databases[context.plan.new].is_primary()


def _confirm(context: Context) -> str:
    """Dead, frozen, or alive and cut off: a loss each. An upstream that still sends is none."""
    lab, plan = context.lab, context.plan
    context.after.begin()  # the promotion needs it soon
    dead = f"the engine says that {plan.old}'s machine does not run"
    # The quickest answer, and true of a run that goes on, too.
    if not lab.engine.alive([plan.old]):
        return dead
    if _is_done(context):
        return f"{plan.new} is primary already: nothing is left to confirm"
    if _is_ending(context):
        return dead
    if lab.engine.state(plan.old).frozen:
        return (
            f"the engine says that {plan.old}'s machine is frozen: it takes no order now, but may"
            " resume at any moment"
        )
    if "streaming" in lab.databases[plan.new].state().receiver:
        raise Refused(
            f"not confirmed: {plan.new} still receives WAL from {plan.old}",
            "one alarm is not enough for a promotion: a second check must confirm it",
        )
    if server_is_stopped(lab, plan.old):
        return f"{plan.old}'s machine runs, but its database server does not"
    return f"{plan.old}'s machine runs, and nothing arrives from it: it is cut off, not dead"


def _is_ending(context: Context) -> bool:
    """True when the old primary's machine still ran, and does not any more.

    A machine that is losing power needs a moment until the engine has noted its end. Waited for is
    only where nothing of the region answers any more: a partition ends no machine.
    """
    lab, old = context.lab, context.plan.old
    with suppress(LabError):
        if lab.steerings[context.plan.target].state().view[old.region.name].state == "down":
            wait_until(
                f"the engine to note the end of {old}",
                lambda: not lab.engine.alive([old]) or lab.engine.state(old).frozen,
                MACHINE_ENDS_SECONDS,
                _LOOK_EVERY_SECONDS,
            )
    return not lab.engine.alive([old])


def _decide(context: Context) -> str:
    plan = context.plan
    if context.options["approval"] == "human":
        if _is_done(context):
            return f"{plan.new} is primary already: nothing is left to decide"
        name = context.ask(f"promote {plan.new} in place of {plan.old}?")
        if not name:
            raise Refused("a person decided against it", "this step changed nothing")
        context.recorder.mark(MarkName.DECIDED, note=f"by {name}")
        return f"approved by {name}; the waiting time is part of the RTO"
    if context.by_hand:
        context.recorder.mark(MarkName.DECIDED, note="by hand")
        return "confirmed by hand (--manual): Enter was pressed for this step"
    context.recorder.mark(MarkName.DECIDED, note="automatic")
    confirmed = any(each.name == "confirm" for each in context.recorder.journal.steps)
    return "automatic: no person was asked" + (
        "" if confirmed else ", and no second check was made"
    )


def _wait_for_primary(context: Context) -> str:
    """The alternative to a promotion: it costs time, and no order."""
    lab, old, within = context.lab, context.plan.old, context.number("within")
    if _is_done(context):
        raise Refused(f"{context.plan.new} is primary: nothing is left to wait for", "lab status")
    began = time.monotonic()
    try:
        wait_until(
            f"{old} to answer as primary",
            # A frozen machine would keep the question until its time-out.
            lambda: lab.engine.running(old) and lab.databases[old].is_primary(),
            within,
            ignoring=(LabError,),
        )
    except WaitExpired as error:
        raise Refused(
            f"{old} did not come back within {within} s",
            "decide whether to wait longer or to promote; see what is wrong: lab status",
        ) from error
    waited = time.monotonic() - began
    context.recorder.mark(MarkName.RESTORED, note=f"{old} answers as primary")
    return f"{old} answers as primary after {waited:.1f} s: no database was promoted"


def _stand_down(context: Context) -> str:
    """Try to fence the old primary. Without a way to it, no database is promoted."""
    lab, old = context.lab, context.plan.old
    try:
        lab.databases[old].stop("immediate")
    except OutOfBandLost as error:
        context.recorder.mark(MarkName.DECIDED, note="not promoted")
        return f"{error.message}; {old} may be alive and taking orders: no database is promoted"
    raise LabError(
        f"{old} could be fenced after all", "then a promotion is safe: run region-failover"
    )


def _announce(context: Context) -> str:
    """Say where orders are taken as the shops themselves say it now: people act on it."""
    lab, target = context.lab, context.plan.target
    return f"announced: {'; '.join(_taken(lab, each) for each in (target, target.other))}"


def _taken(lab: Lab, region: Region) -> str:
    try:
        found = lab.guests[region].readiness()
    except LabError as error:
        return f"no orders are taken in {region.name}: {error.message}"
    if not found.ready:
        return f"no orders are taken in {region.name}: {found.reason}"
    return f"orders are taken in {region.name}, at {found.node.replace('_', '.')}"


STEPS: tuple[Step, ...] = (
    Step(
        name="confirm",
        title="check a second time, by another path",
        changes="nothing; asks the engine, over the management network, whether {old} runs",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="one alarm may be false",
        breaks="a false alarm promotes a second primary while the first is healthy",
        seconds=0.1,
        makes=confirm,
        look=True,
        needs=(needs(DETECTED, "there is nothing to confirm yet"),),
        act=_confirm,
    ),
    Step(
        name="decide",
        title="decide, or ask a person",
        changes="nothing; records when it was decided, and who decided",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="a promotion cannot be taken back",
        breaks="waiting for a person is part of the outage, and often most of it",
        seconds=0.1,
        makes=decide,
        look=True,
        needs=(needs(CONFIRMED, "the decision rests on one alarm"),),
        options=(Option("approval", str, "automatic", "who decides", ("automatic", "human")),),
        asks=lambda options: options["approval"] == "human",
        act=_decide,
    ),
    Step(
        name="stand-down",
        title="do not promote without a fence",
        changes="nothing, if {old} cannot be reached; if the fence works, {old} is stopped, and"
        " the runbook stops here",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="a primary that cannot be stopped may still acknowledge orders, so a promotion would"
        " make two primaries",
        breaks="{new} is promoted while {old} still takes orders",
        seconds=0.5,
        makes=stand_down,
        act=_stand_down,
        needs=(needs(DETECTED, "there is nothing to decide yet"),),
    ),
    Step(
        name="wait-for-primary",
        title="wait for the primary instead",
        changes="nothing; waits until {old} answers as primary again, and fails after `within`",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="a primary that comes back by itself has every order, and needs no failback",
        breaks="a short freeze costs a promotion, and the standby that the region loses by it",
        seconds=20.0,
        makes=wait_for_primary,
        repeats=Repeats.ALWAYS,
        act=_wait_for_primary,
        options=(Option("within", int, 60, "for how long", least=1, most=3600, unit="s"),),
    ),
    Step(
        name="announce",
        title="tell people",
        changes="nothing; prints where orders are taken now",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="people who were told about the outage must be told that service is back",
        breaks="people keep working around an outage that is over",
        seconds=0.1,
        makes=noted("announced"),
        repeats=Repeats.ALWAYS,
        act=_announce,
    ),
)
