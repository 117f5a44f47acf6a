"""Users are sent to another region by names: all at once, or a share of them and then more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused, WaitExpired
from lab.core.topology import APP_NAME, REGIONS, Place, Region
from lab.core.wait import pause, wait_until
from lab.core.words import listed, seconds
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import ALL_USERS, gate, shift
from lab.runbooks.facts import ALLOWED, IS_WARM, SCALED, SERVES, needs
from lab.runbooks.runbook import Harm, Option, Repeats, Spec
from lab.steps import gates
from lab.steps.row import Deed, Move
from lab.testbed.health import ready

if TYPE_CHECKING:
    from lab.infra.dnsnames import Delivery, Names

_STEER_SECONDS = 10.0
_LATE_SECONDS = 1.0
_TO = Option("to", str, "target", "where users are sent", ("target", "lost"))


def _shift(deed: Deed) -> str:
    """Pin each steering that answers; where it does not, its resolver is told directly.

    One resolver is enough to go on. The evidence names the others as pending.
    """
    to, share = _to(deed), deed.number("share")
    delivery = _delivered(deed, dict.fromkeys(REGIONS, to), share)
    if not delivery.took:
        raise LabError(f"no resolver took {APP_NAME}: {delivery}", "lab status")
    told = [str(delivery)]
    if share < ALL_USERS and to.other.name not in delivery.took:
        told.append(f"no user was sent yet: only {to.other.name}'s steering can send a share")
    part = "" if share == ALL_USERS else f"{share} % of look-ups in {to.other.name} "
    return f"{APP_NAME} → {part}{to.name}: {', '.join(told)}"


def _delivered(deed: Deed, where: Mapping[Region, Region], share: int) -> Delivery:
    """Send each region's users somewhere, and see which resolvers do."""
    from lab.infra.dnsnames import Delivery

    told = {viewer: _steer(deed, viewer, to, share) for viewer, to in where.items()}
    wanted = {v: _answers(deed, v, where[v], share) for v, problem in told.items() if not problem}
    if wanted:
        told |= _late(deed.context.lab.names, wanted)
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


def _to(deed: Deed) -> Region:
    """Where users are sent."""
    return deed.plan.target if deed.options["to"] == "target" else deed.plan.lost


def _answers(deed: Deed, viewer: Region, to: Region, share: int) -> tuple[str, ...]:
    """What a region's resolver is to answer with: a region's own users need not be shared."""
    whole = share == ALL_USERS or viewer is to
    addresses = deed.context.lab.settings.addresses
    regions = (to,) if whole else REGIONS
    return tuple(sorted(addresses.internet(Place(each.name, "gateway")) for each in regions))


def _steer(deed: Deed, viewer: Region, to: Region, share: int) -> str:
    """Why a region's resolver was not told; empty if it was. It alone knows no shares."""
    lab, answers = deed.context.lab, _answers(deed, viewer, to, share)
    try:
        lab.steerings[viewer].pin(to, deed.context.by, ALL_USERS if viewer is to else share)
    except LabError as silent:
        if len(answers) > 1:
            return silent.message
        try:
            lab.names.publish(viewer, {APP_NAME: answers[0]})
        except LabError as error:
            return error.message
    return ""


def _gate(deed: Deed) -> str:
    """Look at users at work for a while; who is not served goes back, if there is a way back."""
    lab, to = deed.context.lab, _to(deed)
    span, limit = deed.number("seconds"), deed.number("errors")
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
            f"{told}: more than {limit} % of those who were sent there; {_sent_back(deed, to)}",
            "see why: lab status; those who were not sent on noticed nothing",
        )
    return told


def _sent_back(deed: Deed, to: Region) -> str:
    """Send users back where they came from, if that region takes orders."""
    lab = deed.context.lab
    able, reason = ready(lab, to.other)
    if not able:
        return f"users stay: {to.other.name} takes no order either ({reason})"
    delivery = _delivered(deed, {each: each for each in REGIONS}, ALL_USERS)
    if not delivery.took:
        return f"users stay: no resolver took {APP_NAME}: {delivery}"
    return f"users were sent back: {delivery}"


MOVES = (
    Move(
        Spec(
            name="shift-traffic",
            title="send users to the other region",
            changes="app.lab.test leads to {target} on every resolver in reach, and stays so",
            via=Via.IN_BAND,
            phase=Phase.CLIENTS,
            why="users follow a name; those who ignore its TTL follow late",
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
                needs(IS_WARM, "those who arrive find a cold cache"),
                needs(SCALED, "{target} gets twice its users with its usual room"),
            ),
            options=(
                _TO,
                Option(
                    "share",
                    int,
                    ALL_USERS,
                    "look-ups elsewhere that lead there",
                    least=1,
                    most=ALL_USERS,
                    unit="%",
                ),
            ),
        ),
        _shift,
    ),
    Move(
        Spec(
            name="gate",
            title="look before sending more",
            changes="nothing, if those who were sent on are served; else users are sent back",
            via=Via.IN_BAND,
            phase=Phase.CLIENTS,
            why="what a tenth of the users meets, the others need not",
            breaks="all users find out at the same time that it does not work",
            seconds=5.0,
            makes=gate,
            repeats=Repeats.ALWAYS,
            needs=(
                needs(ALLOWED, "those who were sent on are refused orders, politely", Harm.END),
            ),
            options=(
                _TO,
                Option(
                    "seconds",
                    int,
                    5,
                    "for how long users at work are looked at",
                    least=1,
                    most=3600,
                    unit="s",
                ),
                Option("errors", int, 1, "operations that may fail", most=99, unit="%"),
            ),
        ),
        _gate,
    ),
)
