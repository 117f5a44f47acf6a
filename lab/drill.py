"""Drills as rows, and the one way that all of them run.

default topology → load → steady state → fault, proven → runbook, step by step
  → users write again for a while → load stops → final reads → figures → heal
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path

from lab.classify import Row
from lab.clients import Load
from lab.cluster import Lab
from lab.errors import LabError, UnknownName, WaitExpired
from lab.faults import Fault
from lab.finalread import Examined, examine, read_living
from lab.journal import EngineClock, Observer, Recorder
from lab.measure import Fork, parse_lsn
from lab.record import Journal, MarkName
from lab.result import NodeView, Sample
from lab.sampler import Sampler
from lab.steps import Context, Step, Takeover
from lab.topology import DATABASES, PLACES, Place
from lab.verdict import Objective
from lab.views import topology_now
from lab.wait import pause, wait_until

ENTRY_POINTS = "lab.drills"
STEADY_SECONDS = 3.0
CALM_SECONDS = (0.5, 1.0)
STEADY_SHARE = 0.9
RESTORE_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill: what happens, what is expected, what is done about it, what it is judged by.

    `window` is for how many seconds service must stay up before the drill counts it as back.
    `expectations` are for the learner, in the order in which they can be checked.
    """

    name: str
    title: str
    situation: str
    expectations: tuple[str, ...]
    fault: Fault
    takeover: Takeover
    runbook: tuple[Step, ...]
    objectives: tuple[Objective, ...]
    load: Load = field(default_factory=Load)
    window: float = 5.0
    pattern: str = "hot-single-writer"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a drill brought home, before anybody computes anything from it.

    `failure` says why the runbook did not get to its end, `unhealed` why the lab could not be
    put back; both are empty if all went well. `winner` is the node whose data counts, `reads` are
    the final reads by server name; a database that could not be read is missing there, with the
    reason in `unread`. `examined` is what the losers' disks tell beyond that, by server name.
    `stopwatch` is where its record is, if it gave one.
    `samples` are on the engine's clock.
    """

    journal: Journal
    clock: EngineClock
    histories: tuple[Path, ...]
    stopwatch: Path
    reads: Mapping[str, Mapping[str, Row]]
    unread: Mapping[str, str]
    fork: Fork | None
    winner: Place
    failure: str
    before: tuple[NodeView, ...]
    after: tuple[NodeView, ...]
    unhealed: str = ""
    examined: Mapping[str, Examined] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()


def drills() -> tuple[Drill, ...]:
    """Every drill that is installed, by name. They are found as entry points."""
    found = [each.load() for each in entry_points(group=ENTRY_POINTS)]
    return tuple(sorted(found, key=lambda drill: drill.name))


def drill(name: str) -> Drill:
    """The drill of that name. Raises UnknownName with the nearest."""
    for each in drills():
        if each.name == name:
            return each
    raise UnknownName("drill", name, (each.name for each in drills()))


def run(
    chosen: Drill, lab: Lab, folder: Path, seed: int, observers: Iterable[Observer]
) -> Recorded:
    """Run a drill on a lab that is up, and heal whatever happens.

    Raises LabError when the lab was not in order before the fault; a runbook that fails after it
    is a result (`Recorded.failure`), not an error.
    """
    clock = EngineClock.calibrate(lab.users["east"].clock)
    sampler = Sampler(lab, clock)
    recorder = Recorder(clock, folder / "journal.json", (*observers, sampler))
    recorder.mark(MarkName.DRILL_STARTED, note=f"clock read to ±{clock.error * 1000:.1f} ms")
    unhealed = ""
    try:
        recorded = _record(chosen, lab, folder, seed, recorder)
    finally:
        sampler.stop()
        recorder.say("healing: default topology, all machines, all links")
        with suppress(LabError):
            collect_logs(lab, folder / "logs")
        try:
            heal(lab)
            recorder.mark(MarkName.HEALED)
        except LabError as error:
            unhealed = error.message
            recorder.say(f"healing failed: {error.message}")
    return replace(recorded, journal=recorder.journal, unhealed=unhealed, samples=sampler.samples)


def _record(chosen: Drill, lab: Lab, folder: Path, seed: int, recorder: Recorder) -> Recorded:
    before = _steady_state(chosen, lab, recorder, seed)
    failure = _fault_and_runbook(chosen, lab, recorder, seed)
    after = topology_now(lab)
    _stop_load(lab, recorder)
    histories = _collect_histories(lab, folder)
    stopwatch = _collect_stopwatch(lab, folder, recorder)
    winner = _winner(lab, chosen.takeover)
    fork = _fork(lab, winner) if winner == chosen.takeover.new else None
    reads, unread, examined = _final_reads(chosen, lab, recorder, winner, fork)
    return Recorded(
        journal=recorder.journal,
        clock=recorder.clock,
        histories=histories,
        stopwatch=stopwatch,
        reads=reads,
        unread=unread,
        fork=fork,
        winner=winner,
        failure=failure,
        before=before,
        after=after,
        examined=examined,
    )


def heal(lab: Lab) -> None:
    """Put everything back that any drill may have broken. May be repeated."""
    lab.reset()


def _steady_state(chosen: Drill, lab: Lab, recorder: Recorder, seed: int) -> tuple[NodeView, ...]:
    """The default topology (which is returned) under a load that is served."""
    recorder.say("default topology, empty shop")
    lab.reset()
    # Asked now and not right before the fault: asking costs enough to slow users down.
    before = topology_now(lab)
    _start_stopwatch(lab)
    for number, users in enumerate(lab.users.values()):
        users.start(chosen.load, seed + number)
    recorder.mark(MarkName.LOAD_STARTED)
    recorder.say("users at work; waiting for a steady state")
    _wait_for_service(lab, chosen.load.writes_per_second, STEADY_SECONDS, timeout=20)
    # The state has been steady for that long already: what comes later is compared with it.
    recorder.mark(
        MarkName.STEADY,
        at=recorder.clock.now() - STEADY_SECONDS,
        note=f"{STEADY_SHARE:.0%} of the set rate for {STEADY_SECONDS:g} s",
    )
    return before


def _start_stopwatch(lab: Lab) -> None:
    """Before the users: it signs up at each gateway, and has one try for that."""

    def started() -> bool:
        lab.stopwatch.start()
        return True

    wait_until("the stopwatch to start", started, 20, ignoring=(LabError,))


def _fault_and_runbook(chosen: Drill, lab: Lab, recorder: Recorder, seed: int) -> str:
    strike = chosen.fault.arm(lab)
    # Any moment, and none right after the lab's own questions: they would slow users down, and
    # what they are told in the last milliseconds is what may be lost.
    pause(random.Random(seed).uniform(*CALM_SECONDS))  # noqa: S311 - no secret
    started = recorder.mark(MarkName.FAULT_STARTED, note=chosen.fault.why)
    strike()
    context = Context(lab, chosen.takeover, recorder)
    try:
        seen = wait_until(
            f"{chosen.fault.name} to show its effect",
            lambda: chosen.fault.proof(lab),
            chosen.fault.proof_seconds,
            ignoring=(LabError,),
        )
        recorder.mark(MarkName.FAULT_PROVEN, note=seen)
        for step in chosen.runbook:
            first = step is chosen.runbook[0]
            recorder.step(
                step.name,
                step.via,
                step.phase,
                step.why,
                lambda step=step: step.act(context),  # type: ignore[misc]
                started=started if first else None,
            )
        recorder.say(f"waiting until users have been served for {chosen.window:g} s")
        # Those who ignore TTLs go on asking the dead region for half a minute: nobody waits for
        # them. A little longer than the window, whose last moments must be on record too.
        rate = chosen.load.writes_per_second * (1 - chosen.load.ignore_ttl_share)
        _wait_for_service(lab, rate, chosen.window + 2, RESTORE_SECONDS)
    except LabError as error:
        recorder.say(f"the runbook stopped: {error.message}")
        return error.message
    return ""


def _wait_for_service(lab: Lab, rate: float, seconds: float, timeout: float) -> None:
    """Wait until each population has been acknowledged at nearly that rate for a while."""
    streak = _Streak(lab, rate * STEADY_SHARE)
    wait_until(
        f"users of both populations to be served for {seconds:g} s",
        lambda: streak.seconds() >= seconds,
        timeout + seconds,
        every=0.2,
        ignoring=(LabError,),
    )


class _Streak:
    """For how long every population has been acknowledged at a rate or better."""

    def __init__(self, lab: Lab, rate: float) -> None:
        self._lab, self._rate = lab, rate
        self._begin: dict[str, tuple[float, int]] = {}
        self._last: dict[str, tuple[float, int]] = {}

    def seconds(self) -> float:
        """Length of the streak, in seconds."""
        return min(self._seconds(name) for name in self._lab.users)

    def _seconds(self, name: str) -> float:
        stats = self._lab.users[name].stats()
        acknowledged = stats.totals["write"].ok if "write" in stats.totals else 0
        now = (stats.monotonic, acknowledged)
        then = self._last.setdefault(name, now)
        if now[0] - then[0] >= 0.5:
            slow = (now[1] - then[1]) / (now[0] - then[0]) < self._rate
            if slow:
                self._begin[name] = now
            self._last[name] = now
        return now[0] - self._begin.setdefault(name, now)[0]


def _stop_load(lab: Lab, recorder: Recorder) -> None:
    recorder.mark(MarkName.LOAD_STOPPED)
    with ThreadPoolExecutor() as pool:
        stopwatch = pool.submit(lab.stopwatch.stop)
        users = [pool.submit(each.stop) for each in lab.users.values()]
        for stopped in users:
            stopped.result()
    with suppress(LabError):  # then its record is missing, and the verdict says so
        stopwatch.result()


def _collect_histories(lab: Lab, folder: Path) -> tuple[Path, ...]:
    """Both populations' lines in one file: header and operations of each, one after the other."""
    path = folder / "history.jsonl"
    with path.open("wb") as file:
        for users in lab.users.values():
            file.write(users.history())
    return (path,)


def _collect_stopwatch(lab: Lab, folder: Path, recorder: Recorder) -> Path:
    """The stopwatch's record; without one the drill goes on, and its verdict is unknown."""
    path = folder / "stopwatch.jsonl"
    try:
        path.write_bytes(lab.stopwatch.record())
    except LabError as error:
        recorder.say(f"no record of the stopwatch: {error.message}")
    return path


def _final_reads(
    chosen: Drill, lab: Lab, recorder: Recorder, winner: Place, fork: Fork | None
) -> tuple[dict[str, Mapping[str, Row]], dict[str, str], dict[str, Examined]]:
    recorder.say("final read of every database, also the dead")
    reads: dict[str, Mapping[str, Row]] = {}
    unread: dict[str, str] = {}
    examined: dict[str, Examined] = {}
    losers = losers_of(chosen.takeover, winner)
    end = _mark_or_none(lab, winner)
    # The winner first: what a loser alone has can only be said when its rows are known.
    for place in sorted(DATABASES, key=lambda each: each != winner):
        name, node = place.server_name, lab.databases[place]
        try:
            if place in losers:
                examined[name] = examine(lab.engine, node, fork, reads.get(winner.server_name))
                reads[name] = examined[name].read
            else:
                reads[name] = read_living(node, None if place == winner else end)
        except (LabError, WaitExpired) as error:
            unread[name] = error.message
    return reads, unread, examined


def losers_of(plan: Takeover, winner: Place) -> tuple[Place, ...]:
    """Databases whose data does not count: those that died, and a primary that was replaced."""
    left = {*plan.lost, plan.old} - {winner}
    return tuple(place for place in DATABASES if place in left)


def _winner(lab: Lab, plan: Takeover) -> Place:
    """The node whose data counts: the promoted one, or the old primary if none was promoted."""
    try:
        promoted = lab.databases[plan.new].state().role == "primary"
    except LabError:
        promoted = True  # it cannot say so now, and then its final read will be missing too
    return plan.new if promoted else plan.old


def _mark_or_none(lab: Lab, primary: Place) -> int | None:
    try:
        return lab.databases[primary].mark()
    except LabError:
        return None


def _fork(lab: Lab, new: Place) -> Fork | None:
    """Where the new timeline left the old one, from the promoted node's history file."""
    try:
        text = lab.databases[new].query(
            "SELECT pg_read_file('pg_wal/' || substr(pg_walfile_name("
            "pg_current_wal_insert_lsn()), 1, 8) || '.history')"
        )[0][0]
    except LabError:
        return None
    timeline, lsn, *_ = str(text).strip().splitlines()[-1].split("\t")
    return Fork(int(timeline), parse_lsn(lsn))


def collect_logs(lab: Lab, folder: Path) -> None:
    """Write the log of every container into a folder, one file each."""

    def collect(place: Place) -> None:
        with suppress(LabError):
            (folder / f"{place.container}.log").write_text(lab.engine.logs(place, tail=2000))

    lab.engine.each(PLACES, collect)
