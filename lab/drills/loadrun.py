"""Users at work on the lab as it stands: put to work, measured meanwhile, and measured in the end.

Nothing is arranged and nothing is healed. What happens is up to people and to other commands.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, UsageError, WaitExpired
from lab.core.load import PROFILES
from lab.core.topology import DATABASES, DEFAULT_REPLICATION, Place
from lab.drills import collecting, evaluate, evidence
from lab.drills.collecting import Begun, Told
from lab.drills.evidence import Recorded
from lab.drills.row import ENDLESS, Drill, without_runbook
from lab.records import duckdbstore
from lab.records.journalfile import MarkName
from lab.records.runfiles import HISTORY, JOURNAL
from lab.runbooks.runbook import Plan
from lab.steps.context import Context, Ending
from lab.testbed import resetting, service, underway
from lab.testbed.journalwriter import EngineClock, Observer, Recorder, SharedRecorder
from lab.testbed.underway import Underway

if TYPE_CHECKING:
    from lab.core.console import Say
    from lab.core.load import Load
    from lab.core.verdict import Objective
    from lab.metrics.placing import Row
    from lab.records.result import Result
    from lab.testbed.lab import Lab

NAME: Final = "load"
"""What such runs and their folders are called."""
LIVE: Final = "live"
"""The folder, in the run's own, of what was measured while users went on."""
EARLIER: Final = "earlier.parquet"
_KEY: Final = re.compile(rb'"key":"([^"]+)"')
_STEADY_PATIENCE: Final = 6.0


# ── the beginning ────────────────────────────────────────────────────────────────────────────


def begin(
    lab: Lab, load: Load, seed: int, folder: Path, observers: Iterable[Observer] = ()
) -> Underway:
    """Put users to work, and note it. A lab that does not serve them well is a legal beginning."""
    from lab.testbed.topologyviews import topology_now

    clock = EngineClock.awaited(lab.users["east"].clock)
    recorder = Recorder(clock, folder / JOURNAL, observers)
    with ThreadPoolExecutor() as pool:
        idle = [pool.submit(resetting.idle, each) for each in lab.users.values()]
        idle.append(pool.submit(resetting.idle_stopwatch, lab.stopwatch))
        before = topology_now(lab)
        earlier = _orders_now(lab)
        for each in idle:
            each.result()
    duckdbstore.to_parquet(folder / EARLIER, dict.fromkeys(earlier, 1))
    old = collecting.leading(lab) or DEFAULT_REPLICATION.primary
    found = Underway(folder.absolute(), clock.boot_id, load, seed, str(old), before=before)
    underway.keep(lab.name, found)  # before they begin: they go on if this command is killed
    try:
        service.start(lab, load, seed)
    except LabError:
        underway.forget(lab.name)
        lab.stop_load()
        raise
    recorder.mark(MarkName.LOAD_STARTED)
    _await_steady(lab, load, recorder)
    found = replace(found, calm=service.readings(lab))
    underway.keep(lab.name, found)
    return found


def _await_steady(lab: Lab, load: Load, recorder: Recorder) -> None:
    steady = service.STEADY_SECONDS
    try:
        service.wait_for_service(lab, load.writes_per_second, steady, _STEADY_PATIENCE)
    except WaitExpired as error:
        recorder.say(f"users of both populations were not served well yet: {error}")
        return
    service.mark_steady(load, recorder)


def _orders_now(lab: Lab) -> set[str]:
    """Keys of all orders that any database has before this load."""

    def keys(place: Place) -> Iterable[str]:
        from lab.postgres import finalread

        try:
            return finalread.read_living(lab.databases[place])
        except LabError:
            return ()

    return {key for found in lab.engine.each(DATABASES, keys) for key in found}


# ── the end, and a look before it ────────────────────────────────────────────────────────────


def finish(
    lab: Lab,
    found: Underway,
    objectives: tuple[Objective, ...] = (),
    observers: Iterable[Observer] = (),
) -> Result:
    """End the load, measure it, judge it, and forget it. The lab stays as it is."""
    recorder = SharedRecorder(_clock(lab, found), found.folder / JOURNAL, observers)
    context, begun = _context(lab, found, recorder), _begun(found)
    ended = collecting.look(context, begun, promotes=True)
    if recorder.journal.at(MarkName.LOAD_STOPPED) is None:  # else an earlier try was cut
        recorder.mark(MarkName.LOAD_STOPPED)
    with ThreadPoolExecutor() as pool:
        rested = pool.submit(lab.stop_load)
        recorded = collecting.read(context, begun, ended, rested)
    earlier = _earlier(found.folder / EARLIER)
    recorded = _with_orders(recorded, lambda key: key not in earlier)
    result = _evaluated(lab, found, context, recorded, objectives)
    underway.forget(lab.name)
    return result


def _earlier(path: Path) -> set[str]:
    """Orders of before the load; none of a drill by hand, which began with an empty shop."""
    return duckdbstore.keys(path) if path.is_file() else set()


def look(lab: Lab, found: Underway) -> tuple[Result, Path]:
    """Measure what has happened so far, while users go on; the result, and its folder.

    Records come first and databases after them: every order that was acknowledged by then is there
    to be found. Orders that came after the records count for nothing.
    """
    folder = found.folder / LIVE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    clock = _clock(lab, found)
    (folder / JOURNAL).write_text((found.folder / JOURNAL).read_text())
    recorder = SharedRecorder(clock, folder / JOURNAL, ())
    recorder.mark(MarkName.LOAD_STOPPED)
    histories = evidence.histories(lab, folder, recorder)
    told = Told(histories, {}, evidence.stopwatch_record(lab, folder, recorder, stop=False))
    context, begun = _context(lab, found, recorder), _begun(found)
    ended = collecting.look(context, begun, promotes=True)
    rested = Future[dict[str, int]]()
    rested.set_result({})
    recorded = collecting.read(context, begun, ended, rested, told=told)
    known = _keys_in(folder / HISTORY)
    recorded = _with_orders(recorded, known.__contains__)
    return _evaluated(lab, replace(found, folder=folder), context, recorded), folder


def end_first(lab_name: str, say: Say) -> None:
    """Before something that resets the lab: measure a load that is on, and say so.

    A record that cannot be measured stays in its folder.
    """
    from lab.testbed.lab import Lab

    if (found := underway.kept(lab_name)) is None:
        return
    say.warn(f"users are at work since {found.began}: their record ends first")
    try:
        with Lab.attached(lab_name, dark=True) as lab, say.step("measuring that load"):
            finish(lab, found)
        say.note(f"its report: {found.folder}/report.html")
    except LabError as error:
        say.warn(f"not measured: {error.message}; what there is lies in {found.folder}")
        underway.forget(lab_name)


def _clock(lab: Lab, found: Underway) -> EngineClock:
    clock = EngineClock.awaited(lab.users["east"].clock)
    if clock.boot_id != found.boot_id:
        raise UsageError(
            "the machine that the engine runs on was booted since the load began: times before and"
            " after that cannot be compared",
            "give its record up: lab load stop --discard",
        )
    return clock


def _context(lab: Lab, found: Underway, recorder: Recorder) -> Context:
    old = Place.parse(found.old)
    plan = Plan(old, old.twin)
    context = Context(lab.obeying_cuts(), lab, plan, Ending(lab, plan), recorder)
    return collecting.seen(context, old)


def _begun(found: Underway) -> Begun:
    return Begun(found.before, found.load, found.calm or {})


def _keys_in(history: Path) -> set[str]:
    with history.open("rb") as file:
        return {each.decode() for line in file for each in _KEY.findall(line)}


def _with_orders(recorded: Recorded, wanted: Callable[[str], bool]) -> Recorded:
    """Without orders that are no part of this load."""

    def kept(rows: Mapping[str, Row]) -> Mapping[str, Row]:
        return {key: row for key, row in rows.items() if wanted(key)}

    return replace(recorded, reads={node: kept(rows) for node, rows in recorded.reads.items()})


def _evaluated(
    lab: Lab,
    found: Underway,
    context: Context,
    recorded: Recorded,
    objectives: tuple[Objective, ...] = (),
) -> Result:
    return evaluate.evaluate(
        _as_drill(context.plan, objectives),
        recorded,
        lab,
        found.folder,
        found.seed,
        _again(found),
    )


def _again(found: Underway) -> tuple[str, ...]:
    """The command that puts the same users to work."""
    profile = next((n for n, each in PROFILES.items() if each.load.alike(found.load)), "usual")
    return (
        "lab", "load", "start", "--profile", profile,
        "--rate", f"{found.load.writes_per_second:g}",
        "--reads", f"{found.load.reads_per_second:g}", "--seed", str(found.seed),
    )  # fmt: skip


def _as_drill(plan: Plan, objectives: tuple[Objective, ...]) -> Drill:
    """The load as the drill that its figures are computed of: nothing is arranged, or done."""
    title = "Users at work on the lab as it stands"
    drill = without_runbook(NAME, title, "People and other commands do what they do.", plan)
    return replace(drill, objectives=objectives, by_hand=True, bound=ENDLESS)
