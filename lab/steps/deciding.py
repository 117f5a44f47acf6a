"""Steps that change nothing: detect, confirm, decide, announce."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError, LossUnseen, Refused, WaitExpired
from lab.core.topology import Region
from lab.core.wait import wait_until
from lab.core.words import seconds
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.effects import noted
from lab.runbooks.facts import CONFIRMED, DETECTED, needs
from lab.runbooks.runbook import Option, Spec
from lab.steps.row import Deed, Move

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_NOTICE_SECONDS = 75.0
_LASTING_SECONDS = 3.0
_FRESH_SECONDS = 1.0


def _detect(deed: Deed) -> str:
    watch, plan = _Watch(deed), deed.plan
    try:
        seen = wait_until(
            f"{plan.target.name}'s steering or standby to notice the loss of {plan.lost.name}",
            lambda: watch.sees() or watch.needs_none(),
            _NOTICE_SECONDS,
            every=0.1,
        )
    except WaitExpired as error:
        raise LossUnseen(error.what, error.timeout, error.last) from error
    deed.context.recorder.mark(MarkName.DETECTED, note=seen)
    return seen


class _Watch:
    """The target's own eyes: health checks by the users' way, and replication.

    Health checks have thresholds of their own. A stream of WAL that breaks is there again a moment
    later, as long as nothing is wrong but the line.
    """

    def __init__(self, deed: Deed) -> None:
        self._lab, self._plan = deed.context.lab, deed.plan
        self._broken_since: float | None = None
        self._await_proof, self._struck = deed.context.await_proof, False
        self._calm_since: float | None = None
        self._promoted, self._received, self._heard = False, -1, float("-inf")

    def sees(self) -> str | None:
        """What shows that the region is lost; None as long as nothing does."""
        return self._by_health_checks() or self._by_replication()

    def needs_none(self) -> str | None:
        """Why nothing needs to be noticed any more; None as long as a loss may still show.

        Raises Refused when none can show: two databases take orders, or the region works.
        """
        plan = self._plan
        if self._promoted:
            if self._lab.databases[plan.old].is_primary():
                raise Refused(
                    f"{plan.old} and {plan.new} are both primary: no loss shows which one counts",
                    "stop the one whose orders are not to count: lab status shows both",
                )
            return f"{plan.new} is primary already: nothing is left to notice"
        if not self._is_calm(time.monotonic()):
            return None
        if self._struck:
            raise Refused(
                f"nothing is lost: {plan.target.name}'s steering sees {plan.lost.name} as ready,"
                f" and {plan.new} receives what {plan.old} writes",
                "see what is wrong: lab status",
            )
        self._await_proof()  # a drill's fault may be on its way
        self._struck, self._calm_since = True, None
        return None

    def _is_calm(self, now: float) -> bool:
        """True when for a while the region was ready and its WAL arrived, also in the end.

        Health checks write, so WAL arrives without users too. A link that has fallen silent leaves
        the stream as it was, but for that.
        """
        self._calm_since = self._calm_since or now
        return now - self._calm_since >= _LASTING_SECONDS and now - self._heard <= _FRESH_SECONDS

    def _by_health_checks(self) -> str | None:
        target, lost = self._plan.target, self._plan.lost
        with suppress(LabError):  # who cannot be asked shows nothing
            view = self._lab.steerings[target].state().view[lost.name]
            if view.state in ("live", "down"):
                return f"{target.name}'s steering sees {lost.name} as {view.state}: {view.error}"
            if view.state == "ready":
                return None
        self._calm_since = None
        return None

    def _by_replication(self) -> str | None:
        node = self._plan.new
        with suppress(LabError):
            state, now = self._lab.databases[node].state(), time.monotonic()
            self._promoted = not state.in_recovery
            if state.received > self._received:
                self._received, self._heard = state.received, now
            if not state.in_recovery or state.receiver:
                self._broken_since = None
                return None
            since = self._broken_since = self._broken_since or now
            if now - since >= _LASTING_SECONDS:
                return f"{node} has been without its upstream for {seconds(now - since)}"
        return None


def _is_done(deed: Deed) -> bool:
    """True when the promotion lies behind: a run that was cut looks again at all it rests on."""
    return deed.context.lab.databases[deed.plan.new].is_primary()


def _confirm(deed: Deed) -> str:
    """Dead, frozen, or alive and cut off: a loss each. An upstream that still sends is none."""
    lab, plan = deed.context.lab, deed.plan
    if _is_done(deed):
        return f"{plan.new} is primary already: nothing is left to confirm"
    if not lab.engine.alive([plan.old]):
        return f"the engine says that {plan.old}'s machine does not run"
    if lab.engine.state(plan.old).frozen:
        return (
            f"the engine says that {plan.old}'s machine is frozen: it takes no order now, and may"
            " go on at any moment"
        )
    if "streaming" in lab.databases[plan.new].state().receiver:
        raise Refused(
            f"not confirmed: {plan.new} still receives WAL from {plan.old}",
            "an alarm from one side alone is no reason to promote",
        )
    return f"{plan.old}'s machine runs, and nothing arrives from it: it is cut off, not dead"


def _decide(deed: Deed) -> str:
    plan = deed.plan
    if deed.options["approval"] == "human":
        if _is_done(deed):
            return f"{plan.new} is primary already: nothing is left to decide"
        name = deed.ask(f"promote {plan.new} in place of {plan.old}?")
        if not name:
            raise Refused("a person decided against it", "nothing was changed by this step")
        deed.context.recorder.mark(MarkName.DECIDED, note=f"by {name}")
        return f"approved by {name}: the wait for that counts like any other"
    if deed.by_hand:
        deed.context.recorder.mark(MarkName.DECIDED, note="by hand")
        return "confirmed by hand (--manual): Enter was pressed for this step"
    deed.context.recorder.mark(MarkName.DECIDED, note="automatic")
    return "automatic: no person was asked"


def _announce(deed: Deed) -> str:
    """Say where orders are taken as the shops themselves say it now: people act on it."""
    lab, target = deed.context.lab, deed.plan.target
    text = "; ".join(_taken(lab, each) for each in (target, target.other))
    deed.context.recorder.say(text)
    return f"announced: {text}"


def _taken(lab: Lab, region: Region) -> str:
    try:
        found = lab.guests[region].readiness()
    except LabError as error:
        return f"no orders are taken in {region.name}: {error.message}"
    if not found.ready:
        return f"no orders are taken in {region.name}: {found.reason}"
    return f"orders are taken in {region.name}, at {found.node.replace('_', '.')}"


MOVES = (
    Move(
        Spec(
            name="detect",
            title="notice the loss",
            changes="nothing; {target}'s steering or its standby must see that {lost} is lost",
            via=Via.IN_BAND,
            phase=Phase.DETECT,
            why="health checks as users come and the stream of WAL notice a loss",
            breaks="the clock of every outage starts here: what is not noticed is not ended",
            seconds=1.0,
            command="lab status",
            makes=noted("detected"),
            look=True,
        ),
        _detect,
    ),
    Move(
        Spec(
            name="confirm",
            title="look a second time, from elsewhere",
            changes="nothing; the management network is asked about {old}",
            via=Via.OUT_OF_BAND,
            phase=Phase.DECIDE,
            why="one alarm may be the alarm's own fault",
            breaks="a false alarm promotes a second primary beside a healthy one",
            seconds=0.1,
            makes=noted("confirmed"),
            look=True,
            needs=(needs(DETECTED, "there is nothing to confirm yet"),),
        ),
        _confirm,
    ),
    Move(
        Spec(
            name="decide",
            title="decide, or ask who may",
            changes="nothing; the moment is written down, with who decided",
            via=Via.OUT_OF_BAND,
            phase=Phase.DECIDE,
            why="a promotion cannot be taken back",
            breaks="waiting for a person is part of the outage, and often most of it",
            seconds=0.1,
            makes=noted("decided"),
            look=True,
            needs=(needs(CONFIRMED, "it rests on one alarm alone"),),
            options=(Option("approval", str, "automatic", "who decides", ("automatic", "human")),),
        ),
        _decide,
    ),
    Move(
        Spec(
            name="announce",
            title="tell people",
            changes="nothing; prints where orders are taken now, for people who wait",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="those who were told that it is down must be told that it is up",
            breaks="people go on working around an outage that is over",
            seconds=0.1,
            makes=noted("announced"),
        ),
        _announce,
    ),
)
