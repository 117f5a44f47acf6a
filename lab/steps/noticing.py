"""How a loss is noticed, and by whose eyes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lab.core.errors import LabError, LossUnseen, Refused, WaitExpired
from lab.core.steering import STREAM_ASKED_SECONDS, STREAM_LASTS_SECONDS
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
_SEEN = {
    "live": "{}'s steering sees that {}'s shop answers but takes no order",
    "down": "{}'s steering sees no answer from {}",
}
"""What a steering says of a region that is not ready, by the state that it is in."""
_FRESH_SECONDS = 1.0
_CALM_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sign:
    """What shows a loss, since when (engine's clock, s), and for how long it has done so (s).

    Without `since`, it is the moment of the look.
    """

    told: str
    since: float | None = None
    error: str = ""
    lasted: float = 0.0

    def after(self, lasted: float) -> Sign:
        """The sign at the moment of the look, when it has lasted for so long."""
        return Sign(f"{self.told} for {seconds(lasted)}", error=self.error)

    def __str__(self) -> str:
        return f"{self.told}: {self.error}" if self.error else self.told


_UNKNOWN = Sign("")
"""What an eye sees that gets no answer, or does not ask: a sign neither begins nor ends by it."""


class _Watch:
    """The target's own eyes: health checks by the users' way, replication, and names."""

    def __init__(self, context: Context) -> None:
        self._lab, self._plan = context.lab, context.plan
        self._await_proof, self._struck = context.await_proof, False
        self._counts = _SIGNS[str(context.options["by"])]
        after = context.amount("after")
        self._needed = {eye: max(least, after) for eye, least in self._counts.items()}
        self._began = dict[Eye, float]()
        self._calm_since: float | None = None
        self._promoted, self._received, self._heard = False, -1, float("-inf")
        self._asked = float("-inf")

    def sees(self) -> Sign | None:
        """What shows that the region is lost, by a sign that counts; None as long as nothing does.

        Health checks and the stream are looked at in any case: they also show that all is well.
        """
        for eye in dict.fromkeys((*_STREAM_AND_CHECKS, *self._counts)):
            found = eye(self)
            if eye in self._counts and (sign := self._lasting(eye, found)):
                return sign
        return None

    def _lasting(self, eye: Eye, found: Sign | None) -> Sign | None:
        """The sign, if it has been there without a break for as long as is needed."""
        if found is None:
            self._began.pop(eye, None)
        if found in (None, _UNKNOWN):
            return None
        now, needed = time.monotonic(), self._needed[eye]
        lasted = now - self._began.setdefault(eye, now - found.lasted)
        if lasted < needed:
            return None
        return found.after(lasted) if needed else found

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
            state = self._lab.steerings[target].state()
            view = state.view[lost.name]
            if view.state in _SEEN:
                told = _SEEN[view.state].format(target.name, lost.name)
                return Sign(told, view.since, view.error or "", state.monotonic - view.since)
            if view.state == "ready":
                return None
        self._calm_since = None
        return _UNKNOWN

    def by_replication(self) -> Sign | None:
        """The node to be promoted is without its upstream."""
        node, now = self._plan.new, time.monotonic()
        at_once = self._needed.get(_Watch.by_replication) == 0
        if now - self._asked < (_STREAM_EVERY_SECONDS if at_once else STREAM_ASKED_SECONDS):
            return _UNKNOWN
        self._asked = now
        with suppress(LabError):
            state = self._lab.databases[node].state()
            self._promoted = not state.in_recovery
            if state.received > self._received:
                self._received, self._heard = state.received, now
            if not state.in_recovery or state.receiver:
                return None
            return Sign(f"{node} has had no replication connection")
        return _UNKNOWN

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
_SIGNS: dict[str, dict[Eye, float]] = {
    "any": {_Watch.by_health_checks: 0.0, _Watch.by_replication: STREAM_LASTS_SECONDS},
    "health-checks": {_Watch.by_health_checks: 0.0},
    "replication": {_Watch.by_replication: 0.0},
    "names": {_Watch.by_names: 0.0},
}
"""What counts as a sign, by the words of a runbook, and for how long it must last at least (s).

Health checks have thresholds of their own.
"""


def _detect(context: Context) -> str:
    watch, began = _Watch(context), time.monotonic()
    try:
        seen = wait_until(
            f"{context.plan.target.name} to notice the loss of {context.plan.lost.name}",
            lambda: watch.sees() or watch.needs_none(),
            _NOTICE_SECONDS + context.amount("after"),
            every=_LOOK_EVERY_SECONDS,
        )
    except WaitExpired as error:
        raise LossUnseen(error.what, error.timeout, error.last) from error
    context.recorder.mark(MarkName.DETECTED, at=seen.since, note=str(seen))
    return f"{seen}; noticed {seconds(time.monotonic() - began)} after the step began"


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
                "which signs count (`any`: health checks, or replication that is broken for 3 s)",
                tuple(_SIGNS),
            ),
            Option(
                "after",
                int,
                0,
                "how long the alarm must have lasted: one that ends before does not count",
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
