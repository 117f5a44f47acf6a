"""Drills as rows, and the one way that all of them run.

default topology → load → steady state → runbook, step by step, beside the fault and its proof
  → users write again for a while → load stops → final reads → figures → heal
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError, TooBusy, UnknownName
from lab.core.interrupts import ended
from lab.core.load import Load
from lab.core.topology import DATABASES, PLACES
from lab.core.verdict import Objective
from lab.core.wait import pause, within
from lab.drills import evidence
from lab.drills.evidence import Recorded
from lab.faults.acting import Proof
from lab.faults.row import Aimed, Strike
from lab.postgres.salvage import Keep
from lab.records import machineload
from lab.records.journalfile import MarkName
from lab.records.runfiles import JOURNAL
from lab.steps.drillsteps import Context, Step, Takeover
from lab.testbed import service
from lab.testbed.journalwriter import EngineClock, Observer, Recorder

if TYPE_CHECKING:
    from lab.records.resultrows import NodeView
    from lab.testbed.lab import Lab

ENTRY_POINTS = "lab.drills"
CALM_SECONDS = (0.5, 1.0)
UNNOTICED_SECONDS = 0.3
"""No steering notices a fault sooner: it needs 0.4 s of bad checks. The runbook's looks would slow
down those checks, and the strike."""
RESTORE_SECONDS = 40.0
HEALING = "wait: what is under way ends, the lab is healed, and the command ends by itself"
"""The answer to the second Ctrl-C."""
ENDLESS = float("inf")


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill: what happens, what is expected, what is done about it, what it is judged by.

    The faults strike one right after the other, and the runbook begins with the first of them: its
    first step waits until the fault is noticed. `arrange` is done before them under load,
    `afterwards` once users are served again. `window` is for how many seconds service must stay up
    before the drill counts it as back. `bound` is for how many seconds it may last on a machine of
    usual speed, from the reset to the last final read; healing comes after that. It is `ENDLESS`
    where a user says how long it lasts. `expectations` are for the learner, in the order in which
    they can be checked.
    """

    name: str
    title: str
    situation: str
    expectations: tuple[str, ...]
    faults: tuple[Aimed, ...]
    takeover: Takeover
    runbook: tuple[Step, ...]
    objectives: tuple[Objective, ...]
    arrange: tuple[Step, ...] = ()
    afterwards: tuple[Step, ...] = ()
    load: Load = field(default_factory=Load)
    window: float = 5.0
    bound: float = 300.0
    pattern: str = "hot-single-writer"


def drills(unusable: Callable[[LabError], object] = lambda _error: None) -> tuple[Drill, ...]:
    """Every drill that is installed, by name. They are found as entry points.

    `unusable` is told of each one that cannot be loaded; it is left out.
    """
    found = list[Drill]()
    for each in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            found.append(_loaded(each))
        except LabError as error:
            unusable(error)
    return tuple(found)


def drill(name: str) -> Drill:
    """The drill of that name. Raises UnknownName with the nearest.

    Raises LabError when it cannot be loaded; drills of other packages do not matter.
    """
    known = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise UnknownName("drill", name, known)
    return _loaded(known[name])


def _loaded(entry: EntryPoint) -> Drill:
    """The drill that an entry point names. Raises LabError with its package and the reason."""
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, Drill):
        raise _unusable(entry, f"{entry.value} is of type {type(found).__name__}, not Drill")
    if found.name != entry.name:
        raise _unusable(entry, f"in {entry.value} it is called {found.name!r}")
    return found


def _unusable(entry: EntryPoint, reason: str) -> LabError:
    package = entry.dist.name if entry.dist else "?"
    return LabError(
        f"drill {entry.name!r} of the package {package} cannot be used: {reason}",
        f"mend that package, or remove it: pip uninstall {package}",
    )


def run(
    chosen: Drill, lab: Lab, folder: Path, seed: int, observers: Iterable[Observer]
) -> Recorded:
    """Run a drill on a lab that is up, and heal whatever happens.

    Raises LabError when the lab was not in order before the fault; a runbook that fails after it
    is a result (`Recorded.failure`), not an error. Raises TooBusy after the drill's `bound`.
    """
    from lab.testbed.sampler import Sampler

    clock = EngineClock.calibrate(lab.users["east"].clock)
    sampler = Sampler(lab, clock)
    recorder = Recorder(clock, folder / JOURNAL, (*observers, sampler))
    recorder.mark(MarkName.DRILL_STARTED, note=f"clock read to ±{clock.error * 1000:.1f} ms")
    unhealed = list[str]()

    def record() -> Recorded:
        with within(chosen.bound):
            return _record(chosen, lab, folder, seed, recorder)

    def put_right() -> None:
        sampler.stop()
        recorder.say("healing: default topology, all machines, all links")
        with suppress(LabError):
            evidence.collect_logs(lab, folder / "logs")
        try:
            # What a lost machine alone has of other clients' orders is among the run's orphans.
            _tell(recorder, lab.reset(Keep(folder, unread=True), dead=False))
            recorder.mark(MarkName.HEALED)
        except LabError as error:
            unhealed.append(error.message)
            recorder.say(f"healing failed: {error.message}")

    recorded = ended(record, put_right, HEALING)
    return replace(
        recorded,
        journal=recorder.journal,
        unhealed="".join(unhealed),
        samples=sampler.samples,
    )


def _record(chosen: Drill, lab: Lab, folder: Path, seed: int, recorder: Recorder) -> Recorded:
    from lab.testbed.topologyviews import topology_now

    before = _arrange(chosen, lab, recorder)
    load = service.begin(lab, chosen.load, seed, recorder)
    calm = service.readings(lab)
    failure = _fault_and_runbook(chosen, lab, recorder, load, seed)
    waiting = machineload.share(calm, service.readings(lab))
    after = topology_now(lab)
    plan = chosen.takeover
    winner = evidence.winner_of(lab, plan)
    losers = evidence.losers_of(plan, winner, lab.databases.primaries())
    fork = evidence.fork_of(lab, winner) if plan.promotes and winner == plan.new else None
    recorder.say("users stop; final read of every database, also the dead")
    recorder.mark(MarkName.LOAD_STOPPED)
    with ThreadPoolExecutor() as pool:
        rested = pool.submit(lab.stop_load)
        pool.submit(_boot_without_data, lab, rested)
        reads, unread, examined = evidence.final_reads(losers, lab, winner, fork, rested)
    written = rested.result()
    histories = evidence.histories(lab, folder, recorder)
    watched = evidence.stopwatch_record(lab, folder, recorder)
    return Recorded(
        journal=recorder.journal,
        clock=recorder.clock,
        load=load,
        histories=histories,
        written=written,
        watched=watched,
        reads=reads,
        unread=unread,
        fork=fork,
        winner=winner,
        losers=losers,
        failure=failure,
        before=before,
        after=after,
        examined=examined,
        waiting=waiting,
    )


def _boot_without_data(lab: Lab, rested: Future[dict[str, int]]) -> None:
    """Boot what holds no data beside the final reads: healing then has less to wait for."""
    with suppress(LabError):
        rested.result()
        lab.engine.start(each for each in PLACES if each not in DATABASES)


def _tell(recorder: Recorder, text: str) -> None:
    if text:
        recorder.say(text)


def _arrange(chosen: Drill, lab: Lab, recorder: Recorder) -> tuple[NodeView, ...]:
    """The default topology, which is returned, as the drill wants it before anything fails."""
    from lab.testbed.topologyviews import topology_now

    recorder.say("default topology, empty shop")
    _tell(recorder, lab.reset(Keep(recorder.folder)))
    # Asked now and not right before the fault: asking costs enough to slow users down.
    return topology_now(lab)


def _fault_and_runbook(
    chosen: Drill, lab: Lab, recorder: Recorder, load: Load, seed: int
) -> LabError | None:
    """Why it stopped half-way, if it did."""
    # What a step can reach is what a runbook can reach: not always all that the lab can.
    context = Context(lab.obeying_cuts(), chosen.takeover, recorder, lab)
    proof = Proof(lab, chosen.faults, partial(_proven, recorder))

    def play() -> None:
        _run_steps(chosen.arrange, replace(context, lab=lab))
        strikes = _armed(chosen, lab, seed)
        why = "; and ".join(each.fault.why for each in chosen.faults)
        begins = MarkName.FAULT_STARTED if chosen.faults else MarkName.RUNBOOK_STARTED
        started = recorder.mark(begins, note=why)
        # A strike is over when all machines are dead, which may be later than steering notices.
        proof.begin(strikes)
        proof.await_strike(UNNOTICED_SECONDS)
        _run_steps(chosen.runbook, replace(context, await_proof=proof.wait), started)
        proof.wait()
        recorder.say(f"waiting until users have been served for {chosen.window:g} s")
        # Those who ignore TTLs go on asking the dead region for half a minute: the drill does not
        # wait for them. A little longer than the window, whose last moments must be on record too.
        rate = load.writes_per_second * (1 - load.ignore_ttl_share)
        service.wait_for_service(lab, rate, chosen.window + 2, RESTORE_SECONDS)
        _run_steps(chosen.afterwards, replace(context, lab=lab))

    # A strike that is not given up would come after the healing.
    return ended(partial(_stopped, play, proof, recorder), proof.give_up, HEALING)


def _stopped(play: Callable[[], None], proof: Proof, recorder: Recorder) -> LabError | None:
    """Play it; why it stopped half-way, if it did."""
    try:
        play()
    except TooBusy:
        raise  # neither the runbook's fault nor anything that can be measured
    except LabError as error:
        recorder.say(f"the runbook stopped: {error.message}")
        return _unseen(proof) or error
    return None


def _proven(recorder: Recorder, seen: str) -> None:
    recorder.mark(MarkName.FAULT_PROVEN, note=seen)


def _unseen(proof: Proof) -> LabError | None:
    """Why an unseen fault explains whatever else went wrong; None if it was seen."""
    try:
        proof.wait()
    except TooBusy:
        raise
    except LabError as error:
        return error
    return None


def _armed(chosen: Drill, lab: Lab, seed: int) -> list[Strike]:
    """What breaks it, once the lab's own questions no longer matter."""
    strikes = [each.arm(lab) for each in chosen.faults]
    # Any moment, and none right after the lab's own questions: they would slow users down, and
    # what they are told in the last milliseconds is what may be lost.
    pause(random.Random(seed).uniform(*CALM_SECONDS))  # noqa: S311 - no secret
    return strikes


def _run_steps(steps: Iterable[Step], context: Context, since: float | None = None) -> None:
    """One after the other; the first one began when the fault did, if that is given."""
    for step in steps:
        step.do(context, since)
        since = None
