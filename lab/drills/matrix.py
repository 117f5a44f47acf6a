"""Runs the five steps for real in every order, and sets what users saw beside the prediction.

One cell is one order in one scenario. A cell starts with the default topology and users at work.
Then come the fault and the five steps, one after the other, with users at work in between. In the
end the users' own record is read. Only the steps change names: both steerings are pinned to where
their users are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from lab.core.errors import LabError
from lab.core.load import Load
from lab.core.topology import REGIONS, TTL_SECONDS
from lab.core.wait import pause
from lab.drills.observedmatrix import PATIENCE, Evidence, Observed, observe
from lab.drills.rehearsal import faults_of
from lab.faults.acting import proven
from lab.postgres.finalread import read_living
from lab.postgres.salvage import Keep
from lab.records.history import Operation
from lab.records.historyreader import Reader
from lab.records.journalfile import MarkName
from lab.records.runfiles import HISTORY, JOURNAL
from lab.runbooks import permutations
from lab.runbooks.matrixresults import Row
from lab.runbooks.predict import Prediction, predict
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import Scenario, scenario
from lab.steps.arranging import pin_home
from lab.steps.catalogue import do, steps
from lab.steps.context import Context, Ending
from lab.testbed import service
from lab.testbed.journalwriter import EngineClock, Recorder
from lab.testbed.lab import Lab

# Many ignore TTLs: those who stay at the old primary must be enough to be seen there, and their
# first look at a name is spread over half a minute, so that half of them have gone by then. They
# know one resolver, which no scenario takes away: asked because the first was slow to answer on a
# busy machine, the other one would send them elsewhere before any step does.
LOAD: Final = Load(
    writes_per_second=15, reads_per_second=10, users=30, ignore_ttl_share=0.4, resolvers=1
)
_STEADY_SECONDS: Final = 1.0
_STEADY_PATIENCE: Final = 15.0
_BETWEEN: Final = 0.8
"""Seconds between two steps: enough for users of both regions to try, and be refused."""

_OVERLAP: Final = 2.0
"""The same after the writer was re-pointed: shops connect anew before the first order is taken."""

_FOLLOW: Final = TTL_SECONDS + 0.4
"""Seconds until all users who honour TTLs have followed a name."""

_AFTER: Final = {"shift-traffic": _FOLLOW + _BETWEEN, "repoint": _OVERLAP}

_LAST: Final = 1.0
"""Seconds of users at work by which the end is judged."""


def predicted(order: str, where: str) -> Prediction:
    """What an order will do."""
    return predict(permutations.runbook(order), steps(), scenario(where))


# ── one cell ─────────────────────────────────────────────────────────────────────────────────


def play(lab: Lab, order: str, where: str, folder: Path) -> Row:
    """Do one order for real. One that could not be played says why; nothing is raised for it."""
    began = time.monotonic()
    row = Row(order, where, predicted(order, where).vector, None)
    try:
        observed, steps = _observed(lab, permutations.runbook(order), scenario(where), folder)
    except LabError as error:
        problem = error.message.splitlines()[0]
        return replace(row, problem=problem, seconds=time.monotonic() - began)
    finally:
        with suppress(LabError):
            lab.stop_load()
    return replace(
        row,
        observed=observed.vector,
        acknowledged=observed.acknowledged,
        lost=observed.lost,
        doubled=observed.doubled,
        outage=observed.outage,
        stale=observed.stale,
        steps=steps,
        seconds=time.monotonic() - began,
    )


def _observed(
    lab: Lab, runbook: Runbook, where: Scenario, folder: Path
) -> tuple[Observed, tuple[str, ...]]:
    folder.mkdir(parents=True, exist_ok=True)
    clock = EngineClock.awaited(lab.users["east"].clock)
    recorder = Recorder(clock, folder / JOURNAL, ())
    after = Ending(lab, runbook.plan)
    context = Context(lab, lab, runbook.plan, after, recorder, force=True)
    _begin(lab, context.by)
    struck = _strike(lab, where, runbook, recorder)
    failed = _run(runbook.steps, context)
    settled = clock.now()
    pause(_LAST + PATIENCE)
    stopped = recorder.mark(MarkName.LOAD_STOPPED)
    lab.stop_load()
    found = Evidence(
        operations=_histories(lab, folder),
        struck=struck,
        settled=settled,
        stopped=stopped,
        kept=frozenset(read_living(lab.databases[runbook.plan.new])),
        primary=runbook.plan.new.server_name,
        primaries=tuple(place.server_name for place in lab.databases.primaries()),
        failed=failed,
    )
    words = tuple(f"{each.name}: {each.evidence}" for each in recorder.journal.steps)
    return observe(found), words


def _begin(lab: Lab, by: str) -> None:
    """Default topology, all users at home by the names alone, users at work.

    Each cache holds what its own users ask for, and nothing of users who strayed.
    """
    _reset(lab)
    pin_home(lab, by)
    for number, users in enumerate(lab.users.values()):
        users.start(LOAD, seed=number)
    service.wait_for_service(lab, LOAD.writes_per_second, _STEADY_SECONDS, _STEADY_PATIENCE)
    for each in REGIONS:
        lab.flush_cache(each)
        lab.guests[each].catalogue(each.name)


def _strike(lab: Lab, where: Scenario, runbook: Runbook, recorder: Recorder) -> float:
    chosen = faults_of(where, runbook.plan)
    strikes = [each.arm(lab) for each in chosen]
    struck = recorder.mark(MarkName.FAULT_STARTED)
    for strike in strikes:
        strike()
    seen = "; ".join(proven(lab, each) for each in chosen)
    recorder.mark(MarkName.FAULT_PROVEN, note=seen)
    pause(_BETWEEN)
    return struck


def _run(calls: Iterable[Call], context: Context) -> str:
    """Do the steps, with users at work after each; why it went no further, if it did not."""
    for call in calls:
        try:
            do(call, context)
        except LabError as error:
            return error.message
        pause(_AFTER.get(call.step, _BETWEEN))
    return ""


def _histories(lab: Lab, folder: Path) -> list[Operation]:
    found: list[Operation] = []
    path = folder / HISTORY
    with path.open("wb") as file:
        for users in lab.users.values():
            users.history(file)
    Reader(lambda _, item: found.append(item)).consume_all([path])
    return found


# ── all of them ──────────────────────────────────────────────────────────────────────────────


def play_all(
    labs: Iterable[Lab],
    wanted: Iterable[tuple[str, str]],
    folder: Path,
    told: Callable[[Row], None],
) -> list[Row]:
    """Play cells on several labs at once; `told` hears of each as it ends."""
    free: SimpleQueue[Lab] = SimpleQueue()
    chosen = list(labs)
    for lab in chosen:
        free.put(lab)

    def one(cell: tuple[str, str]) -> Row:
        lab = free.get()
        try:
            order, where = cell
            done = play(lab, order, where, folder / f"{where}-{order}")
        finally:
            free.put(lab)
        told(done)
        return done

    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(pool.map(one, wanted))


def put_back(labs: Iterable[Lab]) -> None:
    """Default topology everywhere, and steerings that steer."""
    for lab in labs:
        _reset(lab)


def _reset(lab: Lab) -> None:
    """A lab of the matrix's own, in which no other client is at work."""
    lab.reset(Keep(unread=True), dead=False)
