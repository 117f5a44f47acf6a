"""Writes are stopped: at the shops, which can be told otherwise, and at the database."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from lab.core.errors import LabError
from lab.core.topology import Place, Region
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import fence, resume_writes, stop_writes
from lab.runbooks.facts import CANNOT_COMMIT, MOVED, TAKES_WRITES, VERIFIED, needs
from lab.runbooks.runbook import Harm, Option, Repeats, Spec, regions_of
from lab.steps.row import Deed, Move
from lab.testbed import fences

_WHERE = Option(
    "where", str, "everywhere", "whose shops are told", ("everywhere", "lost", "target")
)


def _stop_writes(deed: Deed) -> str:
    return tell_shops(deed, regions_of(deed.options["where"], deed.plan), read_only=True)


def _resume_writes(deed: Deed) -> str:
    return tell_shops(deed, regions_of(deed.options["where"], deed.plan), read_only=False)


def tell_shops(deed: Deed, chosen: Collection[Region], *, read_only: bool) -> str:
    """Tell the shops, all at the same time; one whose machine is stopped needs no telling."""
    with ThreadPoolExecutor(len(chosen)) as pool:
        answers = list(pool.map(lambda each: _tell(deed, each, read_only=read_only), chosen))
    failed = [words for reached, words in answers if not reached]
    if failed:
        raise LabError("; ".join(failed), "it may go on taking orders: fence its database")
    return "; ".join(words for _, words in answers)


def _tell(deed: Deed, region: Region, *, read_only: bool) -> tuple[bool, str]:
    """Whether it is settled for a region, and what was seen."""
    lab = deed.context.lab
    try:
        lab.guests[region].set_read_only(read_only, deed.context.by)
    except LabError as error:
        if lab.engine.state(Place(region.name, "app")).stopped:
            return True, f"{region.name}'s shop does not run: not needed"
        return False, f"{region.name}'s shop cannot be told: {error.message}"
    return True, f"{region.name}'s shop {'refuses' if read_only else 'takes'} orders"


def _fence(deed: Deed) -> str:
    return fences.fence(deed.context.lab, deed.plan.old)


MOVES = (
    Move(
        Spec(
            name="stop-writes",
            title="global read-only",
            changes="each shop that can be told answers orders with 503, and reads as before",
            via=Via.IN_BAND,
            phase=Phase.FENCE,
            why="users are told to come back later, and go on reading",
            breaks="what {lost} still takes is taken by a database that will not count",
            seconds=0.1,
            makes=stop_writes,
            repeats=Repeats.OTHERWISE,
            options=(_WHERE,),
        ),
        _stop_writes,
    ),
    Move(
        Spec(
            name="fence",
            title="fence the old primary",
            changes="{old}'s server is stopped, or else its machine killed; proven by two sessions",
            via=Via.OUT_OF_BAND,
            phase=Phase.FENCE,
            why="two primaries that both take orders are worse than none",
            breaks="{old} goes on acknowledging orders that are lost",
            seconds=1.0,
            command="lab fault inject stop-immediate --node {old}",
            makes=fence,
        ),
        _fence,
    ),
    Move(
        Spec(
            name="resume-writes",
            title="normal read-write again",
            changes="each shop that can be told takes orders again",
            via=Via.IN_BAND,
            phase=None,
            why="the outage ends for users here, not with the promotion",
            breaks="orders are refused by a system that could take them",
            seconds=0.1,
            makes=resume_writes,
            repeats=Repeats.OTHERWISE,
            needs=(
                needs(
                    CANNOT_COMMIT,
                    "{lost} is told to take orders as well",
                    Harm.DATA,
                    where="target",
                ),
                needs(TAKES_WRITES, "orders fail where they could have been refused politely"),
                needs(
                    MOVED,
                    "users who are still sent to {lost} are told that all is well",
                    where="target",
                ),
                needs(VERIFIED, "no real order has been seen to go through"),
            ),
            options=(_WHERE,),
        ),
        _resume_writes,
    ),
)
