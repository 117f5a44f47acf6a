"""Every figure of a run from its raw record: what a drill computes, and what is computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import pydantic

from lab.core import jsondocuments
from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Judgement, Objective, Verdict
from lab.core.words import count
from lab.metrics import figurerows, orphans, stopwatch
from lab.metrics.assemble import assemble, judged
from lab.metrics.classify import classify
from lab.metrics.figures import Figures, measure
from lab.metrics.incidents import incidents
from lab.metrics.loserdisks import look_back
from lab.metrics.objectives import judge_all
from lab.metrics.orphans import Orphan
from lab.metrics.rawrecord import Inputs, Raw, Stopped
from lab.metrics.unknownorders import elsewhere
from lab.records import ledger, machineload
from lab.records.journalfile import LONGEST_RUN, Journal, MarkName
from lab.records.ledger import Ledger
from lab.records.recordgaps import Planned
from lab.records.result import Result
from lab.records.resultrows import IncidentRow, Opinion
from lab.records.runfiles import STOPWATCH
from lab.records.samples import Sample, Sampled

RUNBOOK = Objective(
    "runbook_finished",
    1,
    "",
    Comparison.EXACTLY,
    "a runbook that stops half-way does not work",
)
FAULT_SEEN = replace(
    RUNBOOK,
    name="fault_proven",
    why="if no effect of the fault was seen, the run proves nothing",
    breach=Verdict.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Computed:
    """A run's result, and the orders that only a loser has."""

    result: Result
    orphans: tuple[Orphan, ...]


def compute(raw: Raw) -> Computed:
    """Classify, measure and judge a run. Raises LabError when its record is damaged."""
    try:
        return _computed(raw)
    except pydantic.ValidationError as error:
        raise UsageError(
            f"the record in {raw.folder} gives a figure that is none:"
            f" {jsondocuments.reason(error)}",
            jsondocuments.CHANGED,
        ) from error


def _computed(raw: Raw) -> Computed:
    given, journal = raw.inputs, raw.journal
    with ledger.load(raw.history) as told:
        _refuse_far_apart(told, journal)
        fates = classify(told, raw.reads, given.winner, set(given.losers), raw.opening)
        figures = measure(
            told, journal, fates, given.fork, window=given.window, dead=frozenset(given.dead),
            planned=Planned(
                frozenset(given.populations), given.operations_per_second, given.written
            ),
            elsewhere=elsewhere(told, raw.reads, given.winner),
        )  # fmt: skip
        after = look_back(raw, told, fates)
        watched, timed = _watched(raw, figures), _may_be_timed(given, journal)
        found = assemble(
            given.run, journal, told, figures,
            {
                "opinions": (after.opinion, *([watched] if timed else [])),
                "orphans_file": orphans.CSV_FILE if after.orphans else None,
                "samples": since(figures.origin, given.samples),
                "incidents": _incidents(journal, told, figures) if given.by_hand else (),
            },
        )  # fmt: skip
        judgements = machineload.excused(
            (
                *_standing(given, journal),
                after.judgement,
                *([stopwatch.judgement(watched)] if timed else []),
                *judge_all(given.objectives, found),
            ),
            given.waiting,
            timed_out={RUNBOOK.name} if given.failure and given.failure.timed_out else (),
        )
    return Computed(judged(found, judgements), after.orphans)


def _refuse_far_apart(told: Ledger, journal: Journal) -> None:
    """Times of one run are near each other; figures of damaged ones would fill the memory."""
    done = told.operations
    if not len(done):
        return
    times = [float(done.start.min()), float(done.end.max()), *journal.times]
    if max(times) - min(times) > LONGEST_RUN:
        raise UsageError(
            "the history and the journal have times that lie further apart than a week",
            "they are damaged, or of two runs; run the drill again",
        )


def _watched(raw: Raw, figures: Figures) -> Opinion:
    """The outage by the stopwatch against the outage by the users' history."""
    since, until = figures.acted, raw.journal.at(MarkName.LOAD_STOPPED)
    if since is None or until is None or figures.gap is None:
        return stopwatch.missing("nothing was done to users, or their load was never stopped")
    return stopwatch.second_opinion(
        raw.stopwatch,
        figures.gap,
        stopwatch.Span(raw.journal.boot_id, since, until),
        raw.inputs.entries.get(STOPWATCH, {}),
    )


def _incidents(journal: Journal, told: Ledger, figures: Figures) -> tuple[IncidentRow, ...]:
    found = incidents(
        journal, told.writes, figures.until,
        populations=told.populations, window=figures.window, patience=figures.patience,
    )  # fmt: skip
    return tuple(figurerows.incident(each, figures.origin) for each in found)


def since(origin: float, samples: Iterable[Sampled]) -> tuple[Sample, ...]:
    """Samples on the time axis of the result, whose zero is `origin` on the engine's clock."""
    return tuple(
        Sample(at=each.at - origin, nodes=each.nodes, answers=each.answers) for each in samples
    )


def _standing(given: Inputs, journal: Journal) -> tuple[Judgement, ...]:
    if given.by_hand:
        return by_hand(journal)
    return ran_through(journal, given.failure, given.steps)


def _may_be_timed(given: Inputs, journal: Journal) -> bool:
    """False where people only let users work: there is no outage that a stopwatch could time."""
    return not given.by_hand or journal.acted is not None


def by_hand(journal: Journal) -> tuple[Judgement, ...]:
    """What is judged of a run by hand: was each of its faults seen? None without a fault."""
    begun, seen = (
        sum(mark.name is name for mark in journal.events)
        for name in (MarkName.FAULT_STARTED, MarkName.FAULT_PROVEN)
    )
    if not begun:
        return ()
    doubt = "" if seen >= begun else f"{begun - seen} of {count(begun, 'fault')} had no effect"
    verdict = Verdict.UNKNOWN if doubt else Verdict.PASS
    return (Judgement(FAULT_SEEN, verdict, float(not doubt), doubt),)


def ran_through(
    journal: Journal, failure: Stopped | None, steps: Collection[str] = ()
) -> tuple[Judgement, ...]:
    """What is judged of every run before any figure: was its fault seen, and did the runbook end?

    The journal of a runbook that came to its end has all `steps` that were to be done. In a run
    without a fault there is nothing to be seen.
    """
    reason = failure.reason if failure else ""
    planned = journal.at(MarkName.RUNBOOK_STARTED) is not None
    proven = journal.at(MarkName.FAULT_PROVEN) is not None and not (failure and failure.unseen)
    seen = Judgement(
        FAULT_SEEN,
        Verdict.PASS if proven else Verdict.UNKNOWN,
        float(proven),
        "" if proven else reason,
    )
    # Without its fault the runbook had nothing to prove itself on.
    unseen = failure is not None and failure.unseen
    failed = Verdict.FAIL if (proven or planned) and not unseen else Verdict.UNKNOWN
    doubt = _doubt(journal, steps)
    passed = Verdict.UNKNOWN if doubt else Verdict.PASS
    ended = Judgement(
        RUNBOOK,
        failed if failure else passed,
        float(not failure),
        reason or doubt,
    )
    return (ended,) if planned else (seen, ended)


def _doubt(journal: Journal, steps: Collection[str]) -> str:
    """Why a runbook that came to its end has not proven itself; empty if it has."""
    if not journal.steps:
        return "no step of it was done"
    undone = Counter(steps) - Counter(each.name for each in journal.steps)
    if undone:
        return f"the journal has no step {', '.join(undone)}"
    acted, detected = journal.acted, journal.at(MarkName.DETECTED)
    if acted is not None and detected is not None and detected < acted:
        return "the loss was detected before anything was done: it began with another alarm"
    return ""
