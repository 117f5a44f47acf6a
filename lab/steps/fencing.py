"""Writes are stopped: at the shops, which can be told otherwise, and at the database."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from lab.core.errors import LabError
from lab.core.topology import Place, Region
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import fence, resume_writes, stop_writes
from lab.runbooks.facts import CANNOT_COMMIT, TAKES_WRITES, USERS_SERVED, VERIFIED, needs
from lab.runbooks.option import Option
from lab.runbooks.runbook import Harm, Repeats, Step, regions_of
from lab.steps.context import Context
from lab.testbed import fences

_WHERE = Option(
    "where",
    str,
    "everywhere",
    "in which regions the shops get this command",
    ("everywhere", "lost", "target"),
)


def _stop_writes(context: Context) -> str:
    """Tell those that can be told. What one does that cannot be told is a matter of its fence."""
    told = _told(context, regions_of(context.options["where"], context.plan), read_only=True)
    return "; ".join(words for _, words in told)


def _resume_writes(context: Context) -> str:
    return tell_shops(context, regions_of(context.options["where"], context.plan), read_only=False)


def tell_shops(context: Context, chosen: Collection[Region], *, read_only: bool) -> str:
    """Tell the shops; one whose machine is stopped needs no telling. Raises LabError."""
    answers = _told(context, chosen, read_only=read_only)
    failed = [words for reached, words in answers if not reached]
    if failed:
        raise LabError("; ".join(failed), "it may still take orders: fence its database")
    return "; ".join(words for _, words in answers)


def _told(
    context: Context, chosen: Collection[Region], *, read_only: bool
) -> list[tuple[bool, str]]:
    """Tell the shops, all at the same time: whether it is settled for each, and what was seen."""
    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(pool.map(lambda each: _tell(context, each, read_only=read_only), chosen))


def _tell(context: Context, region: Region, *, read_only: bool) -> tuple[bool, str]:
    """Whether it is settled for a region, and what was seen."""
    lab, shop = context.lab, Place(region.name, "app")
    with suppress(LabError):  # what the management network does not reach may be told all the same
        if lab.engine.state(shop).stopped:
            return True, f"{region.name}'s shop does not run: not needed"
    try:
        lab.guests[region].set_read_only(read_only, context.by)
    except LabError as error:
        return False, f"{region.name}'s shop could not be reached: {error.message}"
    mode = "refuses orders" if read_only else "is in normal mode: it does not refuse orders"
    return True, f"{region.name}'s shop {mode}"


def _fence(context: Context) -> str:
    return fences.fence(context.lab, context.plan.old)


STEPS: tuple[Step, ...] = (
    Step(
        name="stop-writes",
        title="stop orders",
        changes="each shop that can be reached answers orders with 503; reads work as before",
        via=Via.IN_BAND,
        phase=Phase.FENCE,
        why="users are told to come back later, and can still read",
        breaks="{lost} may still write orders to {old}, and these are lost",
        seconds=0.1,
        makes=stop_writes,
        repeats=Repeats.OTHERWISE,
        options=(_WHERE,),
        act=_stop_writes,
    ),
    Step(
        name="fence",
        title="fence the old primary",
        changes="{old}'s server is stopped, or else its machine is killed; the proof: neither an"
        " open session nor a new one can commit",
        via=Via.OUT_OF_BAND,
        phase=Phase.FENCE,
        why="two primaries that both take orders are worse than none",
        breaks="{old} keeps acknowledging orders, and these are lost",
        seconds=1.0,
        command="lab fault inject stop-immediate --node {old}",
        makes=fence,
        act=_fence,
    ),
    Step(
        name="resume-writes",
        title="normal read-write again",
        changes="each shop that can be reached takes orders again",
        via=Via.IN_BAND,
        phase=None,
        why="shops that refuse orders must be told to take them again",
        breaks="shops refuse orders that the system could take",
        seconds=0.1,
        makes=resume_writes,
        repeats=Repeats.OTHERWISE,
        needs=(
            needs(
                CANNOT_COMMIT,
                "{lost}'s shop takes orders again as well",
                Harm.DATA,
                where="target",
            ),
            needs(TAKES_WRITES, "orders fail with a database error instead of a clear 503"),
            needs(
                USERS_SERVED,
                "{lost}'s shop no longer refuses the users who are still sent there",
                where="target",
            ),
            needs(VERIFIED, "no real order has been seen to go through", planned=False),
        ),
        options=(_WHERE,),
        act=_resume_writes,
    ),
)
