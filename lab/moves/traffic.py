"""Users are sent to the region that can serve them, which is made fit for them."""

from __future__ import annotations

import time
import uuid
from collections import Counter

from lab import gates
from lab.classify import VERIFY_PREFIX
from lab.effects import EVERYBODY, gate, hold, noted, shift, verify, warm
from lab.errors import LabError
from lab.facts import ALLOWED, IS_WARM, SCALED, SERVES, needs
from lab.moves.row import Deed, Move
from lab.record import MarkName, Phase, Via
from lab.runbook import Harm, Option, Spec
from lab.topology import APP_NAME, REGIONS, Place, Region
from lab.wait import pause, wait_until
from lab.words import seconds

_STEER_SECONDS = 10.0
_VERIFY_SECONDS = 15.0
_WARM_SECONDS = 10.0
_CONNECTIONS = 64
_TO = Option("to", str, "target", "where users are sent", ("target", "lost"))


def _scale_up(deed: Deed) -> str:
    guest, wanted = deed.context.lab.guests[deed.plan.target], int(str(deed.options["connections"]))
    before = guest.capacity()
    guest.set_capacity(wanted)
    return (
        f"{deed.plan.target.name}'s shop: {before} → {guest.capacity()} connections to its writer"
    )


def _warm(deed: Deed) -> str:
    """Read everything twice: what was missed is there the second time, once the cache takes it.

    A shop that has just been pointed at another database may refuse a read or two.
    """
    guest, target = deed.context.lab.guests[deed.plan.target], deed.plan.target.name
    looks: list[dict[str, str]] = []

    def holds_all() -> bool:
        looks.append({people.name: guest.catalogue(people.name) for people in REGIONS})
        return set(looks[-1].values()) == {"hit"}

    wait_until(
        f"{target}'s cache to hold the catalogue of all users",
        holds_all,
        _WARM_SECONDS,
        ignoring=(LabError,),
    )
    first = ", ".join(f"{people}: {found}" for people, found in looks[0].items())
    return f"{target}'s cache, first look: {first}; now all of it is there"


def _shift(deed: Deed) -> str:
    """Pin each steering that answers; where it does not, its resolver is told directly."""
    to, share = _to(deed), int(str(deed.options["share"]))
    told = {viewer: _steer(deed, viewer, to, share) for viewer in REGIONS}
    taken = [viewer for viewer, problem in told.items() if not problem]
    if not taken:
        raise LabError(f"no resolver took {APP_NAME}: {'; '.join(told.values())}", "lab status")
    for viewer in taken:
        _await_answer(deed, viewer, _answers(deed, viewer, to, share))
    pending = [f"{viewer.name} pending ({problem})" for viewer, problem in told.items() if problem]
    took = [f"{viewer.name} took it" for viewer in taken]
    part = "" if share == EVERYBODY else f"{share} % of look-ups in {to.other.name} "
    return f"{APP_NAME} → {part}{to.name}: {', '.join([*took, *pending])}"


def _await_answer(deed: Deed, viewer: Region, wanted: tuple[str, ...]) -> None:
    wait_until(
        f"{viewer.name}'s resolver to answer {APP_NAME} with {' and '.join(wanted)}",
        lambda: deed.context.lab.names.ask(viewer, APP_NAME) == wanted,
        _STEER_SECONDS,
        ignoring=(LabError,),
    )


def _to(deed: Deed) -> Region:
    """Where users are sent."""
    return deed.plan.target if deed.options["to"] == "target" else deed.plan.lost


def _answers(deed: Deed, viewer: Region, to: Region, share: int) -> tuple[str, ...]:
    """What a region's resolver is to answer with: a region's own users need not be shared."""
    whole = share == EVERYBODY or viewer is to
    addresses = deed.context.lab.settings.addresses
    regions = (to,) if whole else REGIONS
    return tuple(sorted(addresses.internet(Place(each.name, "gateway")) for each in regions))


def _steer(deed: Deed, viewer: Region, to: Region, share: int) -> str:
    """Why a region's resolver was not told; empty if it was. It alone knows no shares."""
    lab, answers = deed.context.lab, _answers(deed, viewer, to, share)
    try:
        lab.steerings[viewer].pin(to, EVERYBODY if viewer is to else share)
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
    span, limit = int(str(deed.options["seconds"])), int(str(deed.options["errors"]))
    began, before = time.monotonic(), gates.seen(lab, to)
    pause(span)
    met = gates.between(before, gates.seen(lab, to), time.monotonic() - began)
    if not met.everywhere:
        return f"nobody is at work; {gates.tried(lab, to)}"
    told = (
        f"{met.here} of {met.everywhere} operations in {seconds(met.seconds)} ({met.share:.0%})"
        f" were {to.name}'s, and {met.failed} of those failed"
    )
    if met.failed_share * 100 > limit:
        raise LabError(
            f"{told}: more than {limit} % of those who were sent there; {_sent_back(deed, to)}",
            "see why: lab status; those who were not sent on noticed nothing",
        )
    return told


def _sent_back(deed: Deed, to: Region) -> str:
    """Send users back where they came from, if that region takes orders."""
    lab = deed.context.lab
    try:
        ready, reason = lab.guests[to.other].ready()
    except LabError as error:
        ready, reason = False, error.message
    if not ready:
        return f"nobody is sent back: {to.other.name} takes no order either ({reason})"
    for viewer in REGIONS:
        _steer(deed, viewer, viewer, EVERYBODY)
    return "users were sent back"


def _verify(deed: Deed) -> str:
    """A real order, as an operator: read-only mode, which may be on, refuses customers alone."""
    plan, lab = deed.plan, deed.context.lab
    guest, key = lab.guests[plan.target], f"{VERIFY_PREFIX}{uuid.uuid4().hex}"

    def ordered() -> str:
        receipt = guest.operator_order(key)
        if receipt.outcome != "ok" or receipt.node != plan.new.server_name:
            raise LabError(f"a real order was answered {receipt.outcome!r} by {receipt.node!r}")
        return f"timeline {receipt.timeline}"

    timeline = wait_until(
        f"{plan.target.name}'s shop to answer ok to a real order from {plan.new}",
        ordered, _VERIFY_SECONDS, every=0.1, ignoring=(LabError,),
    )  # fmt: skip
    rows = lab.databases[plan.new].query(
        "SELECT count(*) FROM orders WHERE key = %s", (key,), database="shop"
    )
    if rows != [(1,)]:
        raise LabError(f"the order that was answered ok is not on {plan.new}")
    deed.context.recorder.mark(MarkName.RESTORED)
    return f"order {key[:13]}… answered ok by {plan.new}, {timeline}, and found there"


def _hold(deed: Deed) -> str:
    """Let time pass, and count who took orders meanwhile."""
    minutes, speed = (int(str(deed.options[each])) for each in ("minutes", "speed"))
    before = _taken(deed)
    pause(minutes * 60 / speed)
    taken = {where: count - before[where] for where, count in _taken(deed).items()}
    told = ", ".join(f"{where} took {count} orders" for where, count in taken.items())
    return f"{minutes} min, {speed} times faster: {told}"


def _taken(deed: Deed) -> Counter[str]:
    found: Counter[str] = Counter({each.name: 0 for each in REGIONS})
    for users in deed.context.lab.users.values():
        found.update(users.stats().acknowledged_by_region)
    return found


MOVES = (
    Move(
        Spec(
            name="scale-up",
            title="give the survivor room",
            changes="{target}'s shop may open more connections to its writer, and queues more",
            via=Via.IN_BAND,
            phase=Phase.PROMOTE,
            why="it is about to serve everybody",
            breaks="the survivor refuses those it should save",
            seconds=0.1,
            makes=noted("scaled"),
            options=(
                Option(
                    "connections",
                    int,
                    _CONNECTIONS,
                    "connections to the writer",
                    least=1,
                    most=_CONNECTIONS,
                ),
            ),
        ),
        _scale_up,
    ),
    Move(
        Spec(
            name="warm-caches",
            title="warm the caches, or accept a cold start",
            changes="{target}'s cache holds the catalogue of every region's users",
            via=Via.IN_BAND,
            phase=None,
            why="newcomers would all ask the database at the same time",
            breaks="the first reads of those who arrive go to the database",
            seconds=0.2,
            makes=warm,
        ),
        _warm,
    ),
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
                    EVERYBODY,
                    "per cent of look-ups elsewhere that lead there",
                    least=1,
                    most=EVERYBODY,
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
            breaks="everybody finds out at the same time that it does not work",
            seconds=5.0,
            makes=gate,
            needs=(
                needs(ALLOWED, "those who were sent on are refused orders, politely", Harm.END),
            ),
            options=(
                _TO,
                Option(
                    "seconds",
                    int,
                    5,
                    "seconds of users at work that are looked at",
                    least=1,
                    most=3600,
                ),
                Option("errors", int, 1, "per cent of operations that may fail", most=99),
            ),
        ),
        _gate,
    ),
    Move(
        Spec(
            name="verify",
            title="verify by a real order",
            changes="one order of an operator, by the guests' link of {target}",
            via=Via.IN_BAND,
            phase=None,
            why="a status word proves nothing: an order that is answered ok and found does",
            breaks="users find out",
            seconds=0.5,
            command="place an order at the guest's port of {target}: lab status shows it",
            makes=verify,
        ),
        _verify,
    ),
    Move(
        Spec(
            name="hold",
            title="leave it so for a while",
            changes="nothing; users work where they are, and who takes their orders is counted",
            via=Via.IN_BAND,
            phase=None,
            why="what only works for a moment does not work: a practice must last",
            breaks="what fails after ten minutes is found on the day that counts",
            seconds=30.0,
            makes=hold,
            options=(
                Option("minutes", int, 30, "for how long", least=1, most=1440),
                Option(
                    "speed",
                    int,
                    60,
                    "how many times faster the lab's minutes pass",
                    least=1,
                    most=3600,
                ),
            ),
        ),
        _hold,
    ),
)
