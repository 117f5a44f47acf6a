"""The region that takes over is made fit for its users, tried, and left to work for a while."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from lab.core.errors import LabError, Refused, WaitExpired
from lab.core.load import VERIFY_PREFIX
from lab.core.topology import REGIONS, Place
from lab.core.wait import pause, wait_until
from lab.core.words import listed
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.effects import warm
from lab.runbooks.lookeffects import hold, scale_up, verify, wait
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.steps.context import Context
from lab.testbed import inforce

_VERIFY_SECONDS = 15.0
_WARM_SECONDS = 10.0
_CONNECTIONS = 64
_FOUND = {"hit": "hit", "miss": "missed", "down": "could not be asked for"}


def _scale_up(context: Context) -> str:
    guest, wanted = context.lab.guests[context.plan.target], context.number("connections")
    before, where = guest.capacity(), context.plan.target.name
    if before is None:
        return f"{where}'s shop has no limit that could be raised: it is left as it is"
    guest.set_capacity(wanted)
    return f"{where}'s shop: {before} → {guest.capacity()} connections to its writer"


def _warm(context: Context) -> str:
    """Read everything twice: what was missed is there the second time, once the cache takes it.

    A shop that has just been pointed at another database may refuse a read or two.
    """
    guest, target = context.lab.guests[context.plan.target], context.plan.target.name
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
    return f"{target}'s cache at the first look: {_found(looks[0])}; both are cached now"


def _found(look: Mapping[str, str]) -> str:
    """What a cache had of each region's catalogue: hit, miss or down."""
    return " and ".join(f"{who}'s catalogue {_FOUND[had]}" for who, had in look.items())


def _verify(context: Context) -> str:
    """A real order, as a customer places one."""
    plan, lab = context.plan, context.lab
    guest, key = lab.guests[plan.target], f"{VERIFY_PREFIX}{uuid.uuid4().hex}"
    first = _primary(context)
    by_operator, token = _keeps_customers_out(context), cache(guest.token)

    def ordered() -> tuple[Place, str]:
        primary = first or _primary(context)
        if primary is None:
            raise LabError("no database answers as primary")
        receipt = guest.operator_order(key) if by_operator else guest.order(token(), key)
        if receipt.outcome != "ok" or receipt.node != primary.server_name:
            raise LabError(f"a real order was answered {receipt.outcome!r} by {receipt.node!r}")
        return primary, f"timeline {receipt.timeline}"

    try:
        primary, timeline = wait_until(
            f"{plan.target.name}'s shop to answer ok to a real order from {first or 'the primary'}",
            ordered, _VERIFY_SECONDS, every=0.1, ignoring=(LabError,),
        )  # fmt: skip
    except WaitExpired as error:
        error.message += _held_up(context)
        raise
    rows = lab.databases[primary].query(
        "SELECT count(*) FROM orders WHERE key = %s", (key,), database="shop"
    )
    if rows != [(1,)]:
        raise LabError(f"the order that was answered ok is not on {primary}")
    whose = "an operator's" if by_operator else "a customer's"
    why = " (this run still refuses customers)" if by_operator else ""
    context.recorder.mark(MarkName.RESTORED, note=f"{whose} order went through{why}")
    return f"{whose} order {key[:13]}…{why} answered ok by {primary}, {timeline}, and found there"


def _primary(context: Context) -> Place | None:
    """The node that is to have the order: the new one if it is primary, else the present primary.

    None while no database answers as one. Raises Refused where two databases are primary and the
    new one is none of them.
    """
    found = context.lab.databases.primaries()
    if context.plan.new in found:
        return context.plan.new
    if len(found) > 1:
        raise Refused(
            f"{listed(map(str, found))} are primary: an order at one of them proves nothing",
            "see what is wrong: lab status",
        )
    return found[0] if found else None


def _held_up(context: Context) -> str:
    """Which standby the primary's commits wait for, if that does not answer; else empty."""
    lab = context.lab
    with suppress(LabError):
        primary = _primary(context)
        waited = lab.databases[primary].state().waits_for if primary else ()
        # A frozen machine would keep the question until its time-out.
        silent = [p for p in waited if not (lab.engine.running(p) and lab.databases[p].answers())]
        if silent:
            return (
                f"; {primary} acknowledges no order before {listed(silent)} has it, and"
                f" {listed(silent)} does not answer"
            )
    return ""


def _keeps_customers_out(context: Context) -> bool:
    """True while this very run refuses customers' orders, as between two of its steps.

    Raises Refused when another run, or a person, refuses them anywhere: an order of an operator
    would go through, and prove nothing of customers.
    """
    modes = inforce.modes(context.lab)
    refusing = {where: mode for where, mode in modes.items() if mode.read_only}
    for where, mode in refusing.items():
        if mode.by != context.by:
            raise Refused(str(inforce.refusing(where, mode)), f"to end that, run: {inforce.ENDS}")
    return context.plan.target in refusing


def _wait(context: Context) -> str:
    seconds = context.amount("seconds")
    pause(seconds)
    return f"{seconds:g} s have passed"


def _hold(context: Context) -> str:
    """Let time pass, and count who took orders meanwhile."""
    minutes, speed = context.number("minutes"), context.number("speed")
    before = _taken(context)
    pause(minutes * 60 / speed)
    taken = {where: count - before[where] for where, count in _taken(context).items()}
    told = ", ".join(f"{where} took {count} orders" for where, count in taken.items())
    return f"simulated {minutes} min at {speed} times the speed: {told}"


def _taken(context: Context) -> Counter[str]:
    found: Counter[str] = Counter({each.name: 0 for each in REGIONS})
    for users in context.lab.users.values():
        found.update(users.stats().acknowledged_by_region)
    return found


STEPS: tuple[Step, ...] = (
    Step(
        name="scale-up",
        title="raise the shop's connection limit",
        changes="{target}'s shop may open more connections to its writer, and queues more requests",
        via=Via.IN_BAND,
        phase=Phase.PROMOTE,
        prepares=True,
        why="{target} is about to serve all users",
        breaks="{target} refuses users because its limit is too low",
        seconds=0.1,
        makes=scale_up,
        options=(
            Option(
                "connections",
                int,
                _CONNECTIONS,
                "how many the shop may open to its writer",
                least=1,
                most=_CONNECTIONS,
                unit="connections",
            ),
        ),
        act=_scale_up,
    ),
    Step(
        name="warm-caches",
        title="warm the caches",
        changes="{target}'s cache holds the catalogue of every region's users",
        via=Via.IN_BAND,
        phase=None,
        why="without a warm cache, all users from the other region query the database at the same"
        " time",
        breaks="the first reads of users from the other region go to the database",
        seconds=0.2,
        makes=warm,
        act=_warm,
    ),
    Step(
        name="verify",
        title="verify by a real order",
        changes="places one order at {target}'s guest port, as a customer does, or as an operator"
        " while this run refuses customers",
        via=Via.IN_BAND,
        phase=None,
        why="only an order that is answered ok and found in the database proves service",
        breaks="users are the first to notice what does not work",
        seconds=0.5,
        command="place an order at the guest's port of {target}: lab status shows it",
        makes=verify,
        repeats=Repeats.ALWAYS,
        act=_verify,
    ),
    Step(
        name="wait",
        title="let time pass",
        changes="nothing; users keep trying to read and to order",
        via=Via.IN_BAND,
        phase=None,
        why="users keep trying to order while the operator reads, thinks or is called",
        breaks="problems that appear only after some time are missed",
        seconds=5.0,
        makes=wait,
        repeats=Repeats.ALWAYS,
        act=_wait,
        look=True,
        options=(Option("seconds", float, 5.0, "for how long", most=3600, unit="s"),),
    ),
    Step(
        name="hold",
        title="keep this state for some time",
        changes="nothing; users stay where they are, and the step counts which region takes their"
        " orders",
        via=Via.IN_BAND,
        phase=None,
        why="the test must run long enough to show slow failures",
        breaks="a failure that comes after ten minutes shows only in a real outage",
        seconds=30.0,
        makes=hold,
        repeats=Repeats.ALWAYS,
        options=(
            Option("minutes", int, 30, "for how long", least=1, most=1440, unit="min"),
            Option(
                "speed",
                int,
                60,
                "how much faster the lab's minutes pass",
                least=1,
                most=3600,
                unit="times",
            ),
        ),
        act=_hold,
    ),
)
