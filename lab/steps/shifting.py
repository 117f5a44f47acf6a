"""Users are sent to another region by names: all at once, or a share of them and then more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused, WaitExpired
from lab.core.topology import APP_NAME, REGIONS, Region
from lab.core.wait import pause, wait_until
from lab.core.words import listed, seconds
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import ALL_USERS, gate, shift
from lab.runbooks.facts import ALLOWED, IS_WARM, SCALED, SERVES, needs
from lab.runbooks.option import Option
from lab.runbooks.runbook import Harm, Repeats, Step
from lab.steps import gates
from lab.steps.context import Context
from lab.testbed.health import ready

if TYPE_CHECKING:
    from lab.infra.dnsnames import Delivery, Names

_STEER_SECONDS = 10.0
_HOME_SECONDS = 30.0
_LATE_SECONDS = 1.0
_TO = Option("to", str, "target", "where users are sent", ("target", "lost"))


def _shift(context: Context) -> str:
    """Pin each steering that answers; where it does not, its resolver is told directly.

    One resolver is enough to go on. The evidence names the others as pending.
    """
    to, share = _to(context), context.number("share")
    delivery = _delivered(context, dict.fromkeys(REGIONS, to), share)
    if not delivery.took:
        raise LabError(f"no resolver accepted the update of {APP_NAME}: {delivery}", "lab status")
    told = [str(delivery)]
    if share < ALL_USERS and to.other.name not in delivery.took:
        told.append(f"no users were moved yet: only {to.other.name}'s steering can apply a share")
    part = "" if share == ALL_USERS else f"{share} % of look-ups in {to.other.name} "
    return f"{APP_NAME} → {part}{to.name}: {', '.join(told)}"


def _delivered(context: Context, where: Mapping[Region, Region], share: int) -> Delivery:
    """Send each region's users somewhere, and see which resolvers do."""
    from lab.infra.dnsnames import Delivery

    told = {viewer: _pin(context, viewer, to, share) for viewer, to in where.items()}
    wanted = {
        v: answers_of(context, v, where[v], share) for v, problem in told.items() if not problem
    }
    if wanted:
        told |= _late(context.lab.names, wanted)
    took = tuple(viewer.name for viewer, problem in told.items() if not problem)
    return Delivery(took, {each.name: problem for each, problem in told.items() if problem})


def _late(names: Names, wanted: Mapping[Region, tuple[str, ...]]) -> dict[Region, str]:
    """What the resolvers say that do not answer as told, a moment after the first one does.

    A steering takes what it is told also where its resolver does not hear of it. Users wait
    meanwhile, and it goes on telling its resolver.
    """

    def late() -> dict[Region, str]:
        asked = {viewer: _wrong(names, viewer, answer) for viewer, answer in wanted.items()}
        return {viewer: problem for viewer, problem in asked.items() if problem}

    def wait_for(others: int, patience: float) -> None:
        what = f"resolvers to answer {APP_NAME} as told"
        with suppress(WaitExpired):
            wait_until(what, lambda: len(late()) <= others, patience)

    wait_for(len(wanted) - 1, _STEER_SECONDS)
    wait_for(0, _LATE_SECONDS)
    return late()


def _wrong(names: Names, viewer: Region, wanted: tuple[str, ...]) -> str:
    """What a resolver says instead; empty if it answers as wanted."""
    try:
        found = names.ask(viewer, APP_NAME)
    except LabError as error:
        return error.message
    told = listed(found) or "no address"
    return "" if found == wanted else f"its resolver does not follow: it still answers {told}"


def _to(context: Context) -> Region:
    """Where users are sent."""
    return context.plan.target if context.options["to"] == "target" else context.plan.lost


def answers_of(context: Context, viewer: Region, to: Region, share: int) -> tuple[str, ...]:
    """What a region's resolver is to answer with: a region's own users need not be shared."""
    whole = share == ALL_USERS or viewer is to
    addresses = context.lab.settings.addresses
    regions = (to,) if whole else REGIONS
    return tuple(sorted(addresses.entry(each) for each in regions))


def _pin(context: Context, viewer: Region, to: Region, share: int) -> str:
    """Why a region's resolver was not told; empty if it was. It alone knows no shares."""
    lab, answers = context.lab, answers_of(context, viewer, to, share)
    try:
        lab.steerings[viewer].pin(to, context.by, ALL_USERS if viewer is to else share)
    except LabError as silent:
        if len(answers) > 1:
            return silent.message
        try:
            lab.names.publish(viewer, {APP_NAME: answers[0]})
        except LabError as error:
            return error.message
    return ""


def _gate(context: Context) -> str:
    """Look at users at work for a while; who is not served goes back, if there is a way back."""
    lab, to = context.lab, _to(context)
    span, limit = context.number("seconds"), context.number("errors")
    began, before = time.monotonic(), gates.seen(lab, to)
    pause(span)
    met = gates.between(before, gates.seen(lab, to), time.monotonic() - began)
    if not met.everywhere:
        return f"no users are at work; {gates.tried(lab, to)}"
    told = (
        f"{met.here} of {met.everywhere} operations in {seconds(met.seconds)} ({met.share:.0%})"
        f" were {to.name}'s, and {met.failed} of those failed"
    )
    if met.failed_share * 100 > limit:
        raise Refused(
            f"{told}: more than the limit of {limit} %; {_sent_back(context, to)}",
            "see why: lab status; users who were not sent there noticed nothing",
        )
    return told


def _sent_back(context: Context, to: Region) -> str:
    """Send users back where they came from, if that region takes orders."""
    lab = context.lab
    able, reason = ready(lab, to.other)
    if not able:
        return f"users stay: {to.other.name} takes no order either ({reason})"
    delivery = _delivered(context, {each: each for each in REGIONS}, ALL_USERS)
    if not delivery.took:
        return f"users stay: no resolver accepted the update of {APP_NAME}: {delivery}"
    return f"users were sent back: {delivery}"


STEPS: tuple[Step, ...] = (
    Step(
        name="shift-traffic",
        title="send users to the other region",
        changes="every resolver that can be reached answers app.lab.test with {target}, and stays"
        " pinned to it",
        via=Via.IN_BAND,
        phase=Phase.CLIENTS,
        why="users go where DNS sends them; users who ignore the TTL move late",
        breaks="users are sent to a region that cannot serve them",
        seconds=0.3,
        makes=shift,
        repeats=Repeats.OTHERWISE,
        needs=(
            needs(
                SERVES,
                "users are sent to a region that can take no order yet",
                Harm.OUTAGE,
            ),
            needs(IS_WARM, "users from the other region find a cold cache"),
            needs(SCALED, "{target} gets twice its users with its usual number of connections"),
        ),
        options=(
            _TO,
            Option(
                "share",
                int,
                ALL_USERS,
                "part of the other region's DNS look-ups that is answered with the region in `to`",
                least=1,
                most=ALL_USERS,
                unit="%",
            ),
        ),
        act=_shift,
    ),
    Step(
        name="gate",
        title="check moved users before moving more",
        changes="nothing, if users who were sent to {target} are served; else they are sent back",
        via=Via.IN_BAND,
        phase=Phase.CLIENTS,
        why="if the first users are not served, the others stay where they are",
        breaks="if the target region does not work, all users are hit at the same time",
        seconds=5.0,
        makes=gate,
        repeats=Repeats.ALWAYS,
        needs=(
            needs(ALLOWED, "users who were sent to {target} get a 503 for each order", Harm.END),
        ),
        options=(
            _TO,
            Option(
                "seconds",
                int,
                5,
                "how long the step observes the users",
                least=1,
                most=3600,
                unit="s",
            ),
            Option("errors", int, 1, "operations that may fail", most=99, unit="%"),
        ),
        act=_gate,
    ),
)
