"""Steps that set a scene, look at it, or end it: what drills need beside a failover's own steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, WEST_DB1, WRITER_NAME, Place, head_name
from lab.core.wait import pause, wait_until
from lab.faults import acting
from lab.faults.catalogue import fault
from lab.faults.row import Aimed
from lab.infra.managementnet import OutOfBandLost
from lab.records.journalfile import MarkName, Phase, Via
from lab.steps.drillsteps import Context, Step
from lab.testbed import fences

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_NOTICE_SECONDS = 75.0
_DETECT_SECONDS = 30.0


# ── before the fault ─────────────────────────────────────────────────────────────────────────


def injected(aimed: Aimed, why: str) -> Step:
    """A fault that is in force before the one that is measured."""

    def act(context: Context) -> str:
        return str(acting.inject(context.whole, aimed))

    return Step(f"arrange: {aimed.name}", Via.OUT_OF_BAND, None, why, act)


def lasting(seconds: float, why: str) -> Step:
    """Let time pass with users at work."""

    def act(_context: Context) -> str:
        pause(seconds)
        return f"{seconds:g} s have passed"

    return Step("let it last", Via.IN_BAND, None, why, act)


def _wait_for_no_standby(context: Context) -> str:
    old = context.lab.databases[context.takeover.old]
    old.set_synchronous(None)
    return f"{old} acknowledges as soon as an order is on its own disk"


ASYNCHRONOUS = Step(
    "arrange: asynchronous", Via.OUT_OF_BAND, None,
    "what a synchronous standby is worth shows when there is none",
    _wait_for_no_standby,
)  # fmt: skip


# ── noticing ─────────────────────────────────────────────────────────────────────────────────


def _upstream_lost(lab: Lab, standby: Place, timeout: float) -> float:
    """Seconds until a standby has given its upstream up."""
    began = time.monotonic()
    wait_until(
        f"{standby} to notice that its upstream is gone",
        lambda: not lab.databases[standby].state().receiver,
        timeout,
        ignoring=(LabError,),
    )
    return time.monotonic() - began


def _notice_stream(context: Context) -> str:
    took = _upstream_lost(context.lab, WEST_DB1, _NOTICE_SECONDS)
    context.recorder.mark(MarkName.DETECTED)
    return f"{WEST_DB1} gave its upstream up, {took:.1f} s after this look began"


NOTICE_STREAM = Step(
    "notice: replication", Via.OUT_OF_BAND, Phase.DETECT,
    "the far standby notices a lost upstream, if the loss says so; else after 60 s",
    _notice_stream,
)  # fmt: skip


def _notice_names(context: Context) -> str:
    region = context.takeover.old.region

    def silent() -> bool:
        try:
            context.lab.names.ask(region, APP_NAME)
        except LabError:
            return True
        return False

    wait_until(f"{region.name}'s resolver to be missed", silent, _DETECT_SECONDS)
    context.recorder.mark(MarkName.DETECTED)
    return f"{region.name}'s resolver gives no answer"


NOTICE_NAMES = Step(
    "notice: names", Via.OUT_OF_BAND, Phase.DETECT,
    "no health check asks a resolver as users do: it needs a check of its own",
    _notice_names,
)  # fmt: skip


def _look_twice(context: Context) -> str:
    region = context.takeover.old.region
    guest = context.lab.guests[region]
    live, (ready, reason) = guest.live(), guest.ready()
    if not live or ready:
        raise LabError(
            f"no grey failure: the shallow check says {live}, the deep one {ready}",
            "both would have noticed, or neither",
        )
    return f"{region.name}: the shallow check is green, the deep one red: {reason}"


LOOK_TWICE = Step(
    "look twice", Via.IN_BAND, Phase.DETECT,
    "a check that does not do what users do stays green while nothing works",
    _look_twice,
)  # fmt: skip


# ── deciding without a fence ─────────────────────────────────────────────────────────────────


def _decide_blindly(context: Context) -> str:
    context.recorder.mark(MarkName.DECIDED, note="not confirmed")
    return "east does not answer west, so east must be dead: no second look was taken"


DECIDE_BLINDLY = Step(
    "decide blindly", Via.OUT_OF_BAND, Phase.DECIDE,
    "the mistake that this drill is about: one view is taken for the truth",
    _decide_blindly,
)  # fmt: skip


def _stand_down(context: Context) -> str:
    """Try every way to fence; without one, no database is promoted."""
    lab, old = context.lab, context.takeover.old
    try:
        lab.databases[old].stop("immediate")
    except OutOfBandLost as error:
        context.recorder.mark(MarkName.DECIDED, note="not promoted")
        return f"{error.message}; {old} may be alive and taking orders: no database is promoted"
    raise LabError(
        f"{old} could be fenced after all", "then a promotion is safe: run split-brain-fenced"
    )


STAND_DOWN = Step(
    "try to fence, or stand down", Via.OUT_OF_BAND, Phase.DECIDE,
    "a primary that cannot be stopped may still acknowledge: promoting now makes two of them",
    _stand_down,
)  # fmt: skip


def _repoint_near(context: Context) -> str:
    plan, lab = context.takeover, context.lab
    near = plan.new.region
    address = lab.settings.addresses.inside(plan.new)
    lab.names.publish(near, {WRITER_NAME: address, head_name(near): address})
    return f"{WRITER_NAME} → {plan.new} on {near.name}'s resolver; the other one was not told"


REPOINT_NEAR = Step(
    "re-point the near resolver", Via.IN_BAND, Phase.REPOINT,
    "what an operator in one region can reach from there",
    _repoint_near,
)  # fmt: skip


def _steered_away(context: Context) -> str:
    """Users of the region that cannot write are sent to the one that can."""
    lab, plan = context.lab, context.takeover
    here, there = plan.old.region.other, plan.old.region
    wanted = (lab.settings.addresses.internet(Place(there.name, "gateway")),)
    wait_until(
        f"{here.name}'s resolver to send users to {there.name}",
        lambda: lab.names.ask(here, APP_NAME) == wanted,
        15,
        ignoring=(LabError,),
    )
    context.recorder.mark(MarkName.RESTORED)
    return f"{APP_NAME} → {wanted[0]} on {here.name}'s resolver: its users go to {there.name}"


STEERED_AWAY = Step(
    "users are steered away", Via.IN_BAND, Phase.CLIENTS,
    "users can move where data cannot: a partition between regions is none between them and users",
    _steered_away,
)  # fmt: skip


# ── names ────────────────────────────────────────────────────────────────────────────────────


def _restart_resolver(context: Context) -> str:
    effect = acting.heal(context.lab, fault("resolver-down").at())
    context.recorder.mark(MarkName.RESTORED)
    return effect.evidence


RESTART_RESOLVER = Step(
    "bring the resolver back", Via.OUT_OF_BAND, Phase.REPOINT,
    "it comes back knowing nothing: records are published to it again",
    _restart_resolver,
    mends=True,
)  # fmt: skip


# ── afterwards ───────────────────────────────────────────────────────────────────────────────


def healed(aimed: Aimed, why: str) -> Step:
    """The fault ends while users are still at work."""

    def act(context: Context) -> str:
        return str(acting.heal(context.whole, aimed))

    return Step(f"end: {aimed.name}", Via.OUT_OF_BAND, None, why, act)


def _thaw(context: Context) -> str:
    lab, old = context.lab, context.takeover.old
    lab.engine.thaw([old])
    wait_until(f"{old} to go on", lab.databases[old].answers, 15)
    state = lab.databases[old].state()
    return f"{old} goes on where it was: {state.role} on timeline {state.timeline}"


THAW = Step(
    "the old primary thaws", Via.OUT_OF_BAND, None,
    "what was frozen does not know that time has passed: it believes that it is primary",
    _thaw,
)  # fmt: skip


def _prove_fenced(context: Context) -> str:
    said = fences.intrude(context.lab, context.takeover.old)
    if said == "committed":
        raise LabError(f"{context.takeover.old} is not fenced: it acknowledged an order")
    return f"an order straight to {context.takeover.old}: {said}; it was not acknowledged"


PROVE_FENCED = Step(
    "prove the fence", Via.OUT_OF_BAND, None,
    "a fence counts only if a session that declares itself read-write cannot commit",
    _prove_fenced,
)  # fmt: skip


def compared_with(kind: Aimed, standby: Place = WEST_DB1) -> Step:
    """How long the same cut takes to be noticed when it is told: the two stand side by side."""

    def act(context: Context) -> str:
        lab = context.lab
        wait_until(
            f"{standby} to stream again",
            lambda: "streaming" in lab.databases[standby].state().receiver,
            30,
            ignoring=(LabError,),
        )
        strike = kind.arm(lab)
        began = time.monotonic()
        strike()
        _upstream_lost(lab, standby, _NOTICE_SECONDS)
        took = time.monotonic() - began
        acting.heal(lab, kind)
        silent = _step_seconds(context, NOTICE_STREAM.name)
        return f"closed links: noticed after {took:.2f} s; silent ones: after {silent:.1f} s"

    return Step(
        "the same cut, told", Via.OUT_OF_BAND, None,
        "the cut is the same: one ends connections, the other leaves them silent", act,
    )  # fmt: skip


def _step_seconds(context: Context, name: str) -> float:
    found = (step for step in context.recorder.journal.steps if step.name == name)
    return next((step.ended - step.started for step in found), float("nan"))
