"""The end of a load: what there is to see while users work, and all that is read after them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import DATABASES, PLACES, Place
from lab.drills import evidence
from lab.drills.evidence import Held, Recorded
from lab.records import machineload
from lab.records.machineload import Reading
from lab.runbooks.runbook import Plan
from lab.steps.context import Ending
from lab.testbed import service

if TYPE_CHECKING:
    from lab.core.load import Load
    from lab.metrics.measure import Fork
    from lab.records.resultrows import NodeView
    from lab.steps.context import Context
    from lab.testbed.lab import Lab


@dataclass(frozen=True, slots=True)
class Begun:
    """The lab as it was before anything failed, the load it carries, and how busy that kept it.

    `opening` is what the primary held then, if something had led there.
    """

    before: tuple[NodeView, ...]
    load: Load
    calm: Mapping[str, Reading]
    opening: Held | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The lab as it is right before the users stop; the fields are those of `Recorded`."""

    after: tuple[NodeView, ...]
    waiting: float | None
    winner: Place
    losers: tuple[Place, ...]
    dead: tuple[Place, ...]
    fork: Fork | None


@dataclass(frozen=True, slots=True)
class Told:
    """What users and stopwatch wrote down; the fields are those of `Recorded`."""

    histories: tuple[Path, ...]
    written: Mapping[str, int]
    watched: Mapping[str, int]


def leading(lab: Lab, but: Place | None = None) -> Place | None:
    """The primary on the highest timeline, or one that is a primary on its disk; None without."""
    primaries = lab.databases.primaries()
    timelines = {place: lab.databases[place].state().timeline for place in primaries}
    leading = max(timelines, key=timelines.__getitem__, default=None)
    if leading is not None:
        return leading
    return next((p for p in DATABASES if p != but and _was_primary(lab, p)), None)


def _was_primary(lab: Lab, place: Place) -> bool:
    try:
        return not lab.databases[place].is_standby_on_disk()
    except LabError:
        return False


def seen(context: Context, old: Place) -> Context:
    """The context with the primary that the lab has now as the one that took over from `old`."""
    lab = context.whole
    found = leading(lab, but=old)
    plan = Plan(old, old.twin if found in (None, old) else found)
    return replace(context, plan=plan, after=Ending(lab, plan))


def look(context: Context, begun: Begun, *, promotes: bool) -> Ended:
    """See which node's data counts, and which machines died. Users work meanwhile."""
    from lab.testbed.topologyviews import topology_now

    lab, plan = context.whole, context.plan
    waiting = machineload.share(begun.calm, service.readings(lab))
    after = topology_now(lab)
    alive = lab.engine.alive(PLACES)
    dead = tuple(place for place in PLACES if place not in alive)
    winner = evidence.winner_of(lab, plan)
    losers = evidence.losers_of(context, winner, {*dead, *lab.databases.primaries()})
    promoted = promotes and winner == plan.new
    fork = evidence.fork_of(lab, winner) if promoted else None
    return Ended(after, waiting, winner, losers, dead, fork)


def read(
    context: Context,
    begun: Begun,
    ended: Ended,
    rested: Future[dict[str, int]],
    failure: LabError | None = None,
    told: Told | None = None,
) -> Recorded:
    """Every database, and every program's record, unless that was `told` before.

    `rested` ends when the users have stopped.
    """
    lab, recorder = context.whole, context.recorder
    reads, unread, examined = evidence.final_reads(
        ended.losers, lab, ended.winner, ended.fork, rested
    )
    told = told or Told(
        evidence.histories(lab, recorder.folder, recorder),
        rested.result(),
        evidence.stopwatch_record(lab, recorder.folder, recorder),
    )
    return Recorded(
        journal=recorder.journal,
        clock=recorder.clock,
        load=begun.load,
        histories=told.histories,
        written=told.written,
        watched=told.watched,
        reads=reads,
        unread=unread,
        fork=ended.fork,
        winner=ended.winner,
        losers=ended.losers,
        dead=ended.dead,
        failure=failure,
        before=begun.before,
        after=ended.after,
        examined=examined,
        waiting=ended.waiting,
        opening=begun.opening,
    )
