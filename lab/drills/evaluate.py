"""Turns what a drill collected into its raw record, result.json and report.html."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab import __version__
from lab.core.errors import FaultUnseen, LabError, Unplayed, WaitExpired
from lab.core.steering import FIELDS, Steering
from lab.core.topology import ONE_WAY_DELAY_MS, both
from lab.drills.evidence import Recorded
from lab.drills.row import Drill
from lab.metrics import rawrecord
from lab.metrics.compute import compute
from lab.metrics.rawrecord import Disk, Inputs, Stopped
from lab.records import duckdbstore
from lab.records.journalfile import Journal, MarkName
from lab.records.result import Result
from lab.records.resultrows import Machine, Run, Versions
from lab.records.runfiles import OPENING, STOPWATCH
from lab.report import folders
from lab.testbed.lab import Lab


def evaluate(
    chosen: Drill,
    recorded: Recorded,
    lab: Lab,
    folder: Path,
    seed: int,
    command: Sequence[str],
) -> Result:
    """Keep what a drill brought home, compute its result from that; all of it into its folder."""
    start = recorded.opening
    for name, rows in {**recorded.reads, **({OPENING: start.orders} if start else {})}.items():
        path = rawrecord.read_file(folder, name)
        path.parent.mkdir(exist_ok=True)
        duckdbstore.to_parquet(path, {key: row.copies for key, row in rows.items()})
    disks = {name: Disk(each.evidence, each.rows) for name, each in recorded.examined.items()}
    run = _run(chosen, recorded, lab, seed, command)
    rawrecord.keep(folder, _inputs(chosen, recorded, lab, run), disks)
    raw = rawrecord.load(folder)
    found = compute(raw)
    folders.write_run(raw, found)
    return found.result


def _inputs(chosen: Drill, recorded: Recorded, lab: Lab, run: Run) -> Inputs:
    book, winner = chosen.book, recorded.winner
    return Inputs(
        run=run,
        winner=winner.server_name,
        losers=tuple(place.server_name for place in recorded.losers),
        old=book.plan.old.server_name,
        promoted=(chosen.by_hand or book.promotes) and winner != book.plan.old,
        fork=recorded.fork,
        reads=tuple(recorded.reads),
        # The gateways that the fault took away, as DNS names them.
        dead=tuple(
            lab.settings.addresses.internet(place)
            for place in recorded.dead
            if place.service == "gateway"
        ),
        populations=tuple(lab.users),
        operations_per_second=recorded.load.operations_per_second,
        written=dict(recorded.written),
        entries={STOPWATCH: dict(recorded.watched)},
        steps=tuple(each.step for each in chosen.calls),
        window=chosen.window,
        objectives=chosen.objectives,
        failure=stopped(recorded.failure, recorded.journal),
        waiting=recorded.waiting,
        by_hand=chosen.by_hand,
        samples=recorded.samples,
        opening=start.at if (start := recorded.opening) else None,
    )


def stopped(failure: LabError | None, journal: Journal) -> Stopped | None:
    """Why a runbook did not come to its end, as it is kept: at which step, if it was one."""
    if failure is None:
        return None
    failed = (f"the runbook stopped at {e.name}: " for e in journal.steps if e.outcome == "failed")
    return Stopped(
        reason=f"{next(failed, '')}{failure.message}",
        unseen=isinstance(failure, FaultUnseen | Unplayed),
        timed_out=isinstance(failure, WaitExpired),
    )


def _run(chosen: Drill, recorded: Recorded, lab: Lab, seed: int, command: Sequence[str]) -> Run:
    facts = lab.engine.facts()
    began = recorded.journal.at(MarkName.DRILL_STARTED, MarkName.LOAD_STARTED)
    began = recorded.clock.now() if began is None else began
    started = time.time() - (recorded.clock.now() - began)
    return Run(
        drill=chosen.name,
        title=chosen.title,
        pattern=chosen.pattern,
        seed=seed,
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        command=shlex.join(command),
        versions=Versions(lab=__version__, engine=facts.version, postgresql=_server_version(lab)),
        machine=Machine(
            cpus=facts.cpus,
            memory_bytes=facts.memory,
            kernel=facts.kernel,
            architecture=facts.architecture,
            system=facts.system,
        ),
        settings={
            "one_way_delay_ms": ONE_WAY_DELAY_MS,
            "writes_per_second": recorded.load.writes_per_second,
            "reads_per_second": recorded.load.reads_per_second,
            "users_per_population": recorded.load.users,
            "ignore_ttl_share": recorded.load.ignore_ttl_share,
            "window_seconds": chosen.window,
            "clock_error_seconds": round(recorded.clock.error, 6),
            **_thresholds(chosen.steering),
            **({"added_faults": "; ".join(chosen.added)} if chosen.added else {}),
            **_shops_of_others(lab),
            **_room(recorded, lab),
        },
        before=recorded.before,
        after=recorded.after,
    )


def _thresholds(used: Steering) -> dict[str, float]:
    """Thresholds of the steerings that differ from the default."""
    return {
        f"steering_{name}{'_seconds' if FIELDS[name].unit == 's' else ''}": value
        for name, value in used.changed.items()
    }


def _shops_of_others(lab: Lab) -> dict[str, str]:
    """The images of shops that are not the lab's own (LAB_IMAGE_SHOP)."""
    used = {lab.engine.image(each) for each in both("app")}
    others = sorted(each for each in used if not each.startswith("lab/apps:"))
    return {"shop_image": ", ".join(others)} if others else {}


def _room(recorded: Recorded, lab: Lab) -> dict[str, float]:
    """What the machine had left for the lab.

    `late_ms`: how late its timers are; `pace`: how fast it was when the lab was made, 1 is usual;
    `processor_wait_share`: how long programs waited for a processor.
    """
    found = {
        "late_ms": lab.settings.late_ms,
        "pace": lab.settings.pace,
        "processor_wait_share": recorded.waiting,
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def _server_version(lab: Lab) -> str:
    for node in lab.databases.nodes.values():
        try:
            return str(node.query("SHOW server_version")[0][0])
        except LabError:
            continue
    return "unknown"
