"""How long answers for the lab's names hold: shorter before names change, as by default after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, REGIONS, TTL_SECONDS, WRITER_NAME, Region, head_name
from lab.core.wait import pause, wait_until
from lab.infra.dnsnames import Delivery
from lab.records.journalfile import Via
from lab.runbooks.lookeffects import noted
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.steps.context import Context

_LONGEST: Final = 60
_TOLD_SECONDS: Final = 10.0
_TOLD_BY_TOOL: Final = (WRITER_NAME, *(head_name(each) for each in REGIONS))


def _lower(context: Context) -> str:
    """No cache has an answer of the old TTL when this ends."""
    ttl = context.number("seconds")
    before, delivery = _set(context, ttl)
    if before == ttl:
        return "; ".join([f"names hold for {ttl} s already", *delivery.waiting])
    pause(before)
    return (
        f"names hold for {ttl} s, before that {before} s: {delivery}; {before} s have passed, so no"
        " cache that honours TTLs has an older answer"
    )


def restore(context: Context) -> str:
    """The default TTL again, on each resolver in reach."""
    before, delivery = _set(context, TTL_SECONDS)
    if before == TTL_SECONDS:
        return "; ".join([f"names hold for {TTL_SECONDS} s already", *delivery.waiting])
    return f"names hold for {TTL_SECONDS} s again, before that {before} s: {delivery}"


def _set(context: Context, ttl: int) -> tuple[int, Delivery]:
    """Set it on each resolver in reach: the one that differed most before, and who took it."""
    before, problems = list[int](), dict[Region, str]()
    for viewer in REGIONS:
        try:
            before += _told(context, viewer, ttl)
        except LabError as error:
            problems[viewer] = error.message
    took = tuple(each.name for each in REGIONS if each not in problems)
    pending: Mapping[str, str] = {each.name: why for each, why in problems.items()}
    delivery = Delivery(took, pending)
    if not took:
        raise LabError(f"no resolver accepted the TTL: {delivery}", "see: lab status")
    return max((each for each in before if each != ttl), default=ttl), delivery


def _told(context: Context, viewer: Region, ttl: int) -> list[int]:
    """Tell a region's resolver, and its steering, which alone writes the app's name."""
    names, steering = context.lab.names, context.lab.steerings[viewer]
    app = names.ttl(viewer, APP_NAME)
    before = [*names.hold(viewer, _TOLD_BY_TOOL, ttl), *([app] if app is not None else [])]
    try:
        steering.hold(ttl)
    except LabError:  # a steering that does not run cannot write it: its resolver is told directly
        names.hold(viewer, (APP_NAME,), ttl)
    wait_until(
        f"{viewer.name}'s resolver to answer {APP_NAME} with a TTL of {ttl} s",
        lambda: names.ttl(viewer, APP_NAME) in (ttl, None),
        _TOLD_SECONDS,
        ignoring=(LabError,),
    )
    return before


STEPS: tuple[Step, ...] = (
    Step(
        name="lower-ttl",
        title="lower the TTL of names",
        changes="answers for the writer, the app and the heads hold for fewer seconds, on each"
        " resolver that can be reached; the step waits until answers of the old TTL have expired",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="clients keep an answer for its TTL, so it must be short before the name changes",
        breaks="clients go to the old primary for as long as the old TTL",
        seconds=3.0,
        command="RFC 2136 updates of the same addresses with another TTL; see: lab dig writer",
        makes=noted("lower-ttl"),
        repeats=Repeats.OTHERWISE,
        options=(
            Option(
                "seconds", int, 1, "for how long an answer holds", least=1, most=_LONGEST, unit="s"
            ),
        ),
        act=_lower,
    ),
    Step(
        name="restore-ttl",
        title="restore the TTL of names",
        changes="answers for the writer, the app and the heads hold for the default time again",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a short TTL costs a look-up per client and second",
        breaks="resolvers get more look-ups than necessary",
        seconds=0.5,
        command="RFC 2136 updates of the same addresses with the default TTL",
        makes=noted("restore-ttl"),
        act=restore,
    ),
)
