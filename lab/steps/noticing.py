"""How a loss is noticed, and by whose eyes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lab.core.errors import LabError, LossUnseen, Refused, WaitExpired
from lab.core.topology import APP_NAME
from lab.core.wait import wait_until
from lab.core.words import seconds
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.lookeffects import compare_checks, detect
from lab.runbooks.option import Option
from lab.runbooks.runbook import Step
from lab.steps.context import Context

_NOTICE_SECONDS = 75.0
_LOOK_EVERY_SECONDS = 0.02
"""Half of it is part of each recovery, as time to decide."""
_STREAM_EVERY_SECONDS = 0.1
_STREAM_SELDOM_SECONDS = 0.5
"""Where a break must last, the standby is asked less often: health checks end most waits, and each
question delays the next look at them."""
_SEEN = {
    "live": "{}'s steering sees that {}'s shop answers but takes no order",
    "down": "{}'s steering sees no answer from {}",
}
"""What a steering says of a region that is not ready, by the state that it is in."""
_LASTING_SECONDS = 3
_FRESH_SECONDS = 1.0
_CALM_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sign:
    """What shows a loss, and since when (engine's clock, s); None for the moment of the look."""

    told: str
    since: float | None = None


class _Watch:
    """The target's own eyes: health checks by the users' way, replication, and names.

    Health checks have thresholds of their own. A stream of WAL that breaks is there again a moment
    later, as long as nothing is wrong but the line.
    """

    def __init__(self, context: Context) -> None:
        self._lab, self._plan = context.lab, context.plan
        self._await_proof, self._struck = context.await_proof, False
        self._lasting = context.amount("lasting")
        self._broken_since: float | None = None
        self._calm_since: float | None = None
        self._promoted, self._received, self._heard = False, -1, float("-inf")
        self._asked = float("-inf")
        self._counts = _SIGNS[str(context.options["by"])]

    def sees(self) -> Sign | None:
        """What shows that the region is lost, by a sign that counts; None as long as nothing does.

        Health checks and the stream are looked at in any case: they also show that all is well.
        """
        for eye in dict.fromkeys((*_STREAM_AND_CHECKS, *self._counts)):
            if (found := eye(self)) and eye in self._counts:
                return found
        return None

    def needs_none(self) -> Sign | None:
        """Why nothing needs to be noticed any more; None as long as a loss may still show.

        Raises Refused when none can show: two databases take orders, or the region works.
        """
        plan = self._plan
        if self._promoted:
            if self._lab.databases[plan.old].is_primary():
                raise Refused(
                    f"{plan.old} and {plan.new} are both primary: the lab cannot tell which one to"
                    " keep",
                    "stop the one whose orders you give up: lab status shows both",
                )
            return Sign(f"{plan.new} is primary already: nothing is left to notice")
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
        return now - self._calm_since >= _CALM_SECONDS and now - self._heard <= _FRESH_SECONDS

    def by_health_checks(self) -> Sign | None:
        """The target's steering sees the lost region as down, or as alive and not ready."""
        target, lost = self._plan.target, self._plan.lost
        with suppress(LabError):  # a steering that does not answer shows nothing
            view = self._lab.steerings[target].state().view[lost.name]
            if view.state in _SEEN:
                told = _SEEN[view.state].format(target.name, lost.name)
                return Sign(f"{told}: {view.error}", view.since)
            if view.state == "ready":
                return None
        self._calm_since = None
        return None

    def by_replication(self) -> Sign | None:
        """The node to be promoted has been without its upstream for as long as is asked."""
        node, now = self._plan.new, time.monotonic()
        often = _STREAM_SELDOM_SECONDS if self._lasting else _STREAM_EVERY_SECONDS
        if now - self._asked < often:
            return None
        self._asked = now
        with suppress(LabError):
            state = self._lab.databases[node].state()
            self._promoted = not state.in_recovery
            if state.received > self._received:
                self._received, self._heard = state.received, now
            if not state.in_recovery or state.receiver:
                self._broken_since = None
                return None
            since = self._broken_since = self._broken_since or now
            if now - since >= self._lasting:
                return Sign(f"{node} has had no replication connection for {seconds(now - since)}")
        return None

    def by_names(self) -> Sign | None:
        """The lost region's resolver gives no answer. No health check asks it as users do."""
        region = self._plan.lost
        try:
            self._lab.names.ask(region, APP_NAME)
        except LabError:
            return Sign(f"{region.name}'s resolver gives no answer")
        return None


Eye = Callable[[_Watch], Sign | None]
_STREAM_AND_CHECKS: tuple[Eye, ...] = (_Watch.by_health_checks, _Watch.by_replication)
_SIGNS: dict[str, tuple[Eye, ...]] = {
    "any": _STREAM_AND_CHECKS,
    "health-checks": (_Watch.by_health_checks,),
    "replication": (_Watch.by_replication,),
    "names": (_Watch.by_names,),
}
"""What counts as a sign, by the words of a runbook."""


def _detect(context: Context) -> str:
    watch, began = _Watch(context), time.monotonic()
    try:
        seen = wait_until(
            f"{context.plan.target.name} to notice the loss of {context.plan.lost.name}",
            lambda: watch.sees() or watch.needs_none(),
            _NOTICE_SECONDS,
            every=_LOOK_EVERY_SECONDS,
        )
    except WaitExpired as error:
        raise LossUnseen(error.what, error.timeout, error.last) from error
    context.recorder.mark(MarkName.DETECTED, at=seen.since, note=seen.told)
    return f"{seen.told}; noticed {seconds(time.monotonic() - began)} after the step began"


def _compare_checks(context: Context) -> str:
    region = context.plan.lost
    guest = context.lab.guests[region]
    live, (ready, reason) = guest.live(), guest.ready()
    if not live or ready:
        raise Refused(
            f"both health checks agree: the shallow one is {_said(live)}, the deep one"
            f" {_said(ready)}",
            "this is no grey failure: both checks give the same result",
        )
    return f"{region.name}: the shallow check is green, the deep one red: {reason}"


def _said(well: bool) -> str:
    return "green" if well else "red"


STEPS: tuple[Step, ...] = (
    Step(
        name="detect",
        title="notice the loss",
        changes="nothing; {target}'s steering or its standby must see that {lost} is lost",
        via=Via.IN_BAND,
        phase=Phase.DETECT,
        why="two signs show a loss: health checks on the users' network path, and the stream of"
        " WAL",
        breaks="the outage lasts at least until it is noticed",
        seconds=1.0,
        command="lab status",
        makes=detect,
        act=_detect,
        look=True,
        options=(
            Option(
                "by",
                str,
                "any",
                "which signs count (`any`: health checks or replication)",
                tuple(_SIGNS),
            ),
            Option(
                "lasting",
                int,
                _LASTING_SECONDS,
                "for how long replication must have been broken",
                most=600,
                unit="s",
            ),
        ),
    ),
    Step(
        name="compare-checks",
        title="compare both health checks",
        changes="nothing; asks {lost}'s shop whether it lives, and whether it can take an order",
        via=Via.IN_BAND,
        phase=Phase.DETECT,
        why="a health check that writes nothing stays green while no order works",
        breaks="a grey failure is taken for a false alarm",
        seconds=0.1,
        makes=compare_checks,
        act=_compare_checks,
        look=True,
    ),
)
