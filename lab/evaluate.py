"""From what a drill brought home to result.json and report.html."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lab import __version__, ledger, report, stopwatch, store, strain
from lab.aftermath import look_back
from lab.assemble import assemble
from lab.classify import classify
from lab.cluster import Lab
from lab.drill import Drill
from lab.errors import FaultUnseen, LabError, WaitExpired
from lab.figures import Figures, measure
from lab.homecoming import Recorded, losers_of
from lab.objectives import judge_all
from lab.record import Journal, MarkName
from lab.result import Result, to_json
from lab.rows import Machine, Opinion, Run, Sample, Versions
from lab.topology import ONE_WAY_DELAY_MS
from lab.verdict import Comparison, Judgement, Objective, Verdict

RUNBOOK = Objective(
    "runbook_finished",
    1,
    "",
    Comparison.EXACTLY,
    "a runbook that stops half-way is not one that works",
)
FAULT_SEEN = replace(
    RUNBOOK,
    name="fault_proven",
    why="a fault whose effect nobody saw proves nothing",
    breach=Verdict.UNKNOWN,
)


def evaluate(
    chosen: Drill, recorded: Recorded, lab: Lab, folder: Path, seed: int, command: Sequence[str]
) -> Result:
    """Classify, measure and judge a run; writes its files into its folder."""
    lost_nodes = {p.server_name for p in losers_of(chosen.takeover, recorded.winner)}
    with ledger.load(*recorded.histories) as told:
        reads = _kept_reads(recorded, folder / "reads")
        fates = classify(told, reads, recorded.winner.server_name, lost_nodes)
        figures = measure(
            told,
            recorded.journal,
            fates,
            recorded.fork,
            window=chosen.window,
            dead=_dead_addresses(chosen, lab),
        )
        after = look_back(chosen, recorded, told, fates)
        watched = _watched(recorded, figures)
        judgements = strain.excused(
            (
                *ran_through(recorded.journal, recorded.failure),
                after.judgement,
                stopwatch.judgement(watched),
                *judge_all(chosen.objectives, figures),
            ),
            recorded.waiting,
            timed_out={RUNBOOK.name} if isinstance(recorded.failure, WaitExpired) else (),
        )
        run = _run(chosen, recorded, lab, seed, command)
        result = assemble(run, recorded.journal, told, figures, judgements)
    result = after.added_to(result, folder)
    result = result.model_copy(
        update={
            "opinions": (*result.opinions, watched),
            "samples": since(figures.origin, recorded.samples),
        }
    )
    (folder / "result.json").write_text(to_json(result))
    report.write(result, folder / "report.html")
    return result


def _kept_reads(recorded: Recorded, folder: Path) -> dict[str, Path]:
    """The final reads as files of the run: what was found where can be looked up later."""
    folder.mkdir(exist_ok=True)
    files = {node: folder / f"{node}.parquet" for node in recorded.reads}
    for node, file in files.items():
        copies = {key: row.copies for key, row in recorded.reads[node].items()}
        store.to_parquet(file, copies)
    return files


def _dead_addresses(chosen: Drill, lab: Lab) -> frozenset[str]:
    """The gateways that the fault takes away, as DNS names them."""
    return frozenset(
        lab.settings.addresses.internet(place)
        for place in chosen.takeover.lost
        if place.service == "gateway"
    )


def _watched(recorded: Recorded, figures: Figures) -> Opinion:
    """The outage by the stopwatch against the outage by the users' history."""
    since, until = figures.fault_started, recorded.journal.at(MarkName.LOAD_STOPPED)
    if since is None or until is None or figures.gap is None:
        return stopwatch.missing("the drill has no fault, or its load was never stopped")
    return stopwatch.second_opinion(
        recorded.stopwatch,
        figures.gap,
        stopwatch.Span(recorded.journal.boot_id, since, until),
    )


def since(origin: float, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Samples on the time axis of the result, whose zero is `origin` on the engine's clock."""
    return tuple(each.model_copy(update={"at": each.at - origin}) for each in samples)


def ran_through(journal: Journal, failure: LabError | None) -> tuple[Judgement, Judgement]:
    """What is judged of every run before any figure: was there a fault, and did the runbook end?"""
    reason = failure.message if failure else ""
    proven = journal.at(MarkName.FAULT_PROVEN) is not None and not isinstance(failure, FaultUnseen)
    seen = Judgement(
        FAULT_SEEN,
        Verdict.PASS if proven else Verdict.UNKNOWN,
        float(proven),
        "" if proven else reason,
    )
    # Without a fault the runbook had nothing to prove itself on.
    failed = Verdict.FAIL if proven else Verdict.UNKNOWN
    ended = Judgement(
        RUNBOOK,
        failed if failure else Verdict.PASS,
        float(not failure),
        reason,
    )
    return seen, ended


def _run(chosen: Drill, recorded: Recorded, lab: Lab, seed: int, command: Sequence[str]) -> Run:
    facts = lab.engine.facts()
    began = recorded.journal.at(MarkName.DRILL_STARTED) or recorded.clock.now()
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
            **_room(recorded, lab),
        },
        before=recorded.before,
        after=recorded.after,
    )


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
