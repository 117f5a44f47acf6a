"""post-mortem.md: a run as a text that a team completes. Pure.

The lab writes what it measured. People write what no record holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from lab.core import words
from lab.records.journalfile import MARK_WORDS, ZEROS, Journal, MarkName, StepRecord
from lab.records.liverun import LiveRun
from lab.records.result import Result
from lab.records.resultrows import StepRow
from lab.report import ordertables, reporttables, sentences
from lab.report.table import Column, Table
from lab.report.templating import written

FILE: Final = "post-mortem.md"
LISTED: Final = 20
"""So many orders of a list are in the text; the table says where all of them are."""

_COLUMNS: Final = tuple(
    Column("Moment or step") if each.title == "Step" else each for each in reporttables.STEP_COLUMNS
)
_Row = tuple[float, tuple[str, ...]]
"""A row of the time line, and the moment that sorts it."""


def of_run(result: Result, journal: Journal, name: str) -> str:
    """The text about a run that was measured; `name` is its folder's.

    The journal knows how each moment was seen. Without one the moments stand alone.
    """
    return written(
        "post-mortem-run.md.j2",
        title=result.title,
        name=name,
        result=result,
        headline=sentences.headline(result),
        sentences=sentences.sentences(result),
        objectives=_objectives(result),
        timeline=_timeline(
            "After the fault" if result.time_zero == "fault_started" else "After the start",
            [*_marks(result, journal), *_steps(result.steps), *_returns(result)],
        ),
        phases=_phases(result),
        lost=ordertables.lost_writes(result, LISTED),
        loss=sentences.loss(result),
        split_brain=sentences.split_brain(result),
        gone=ordertables.seen_then_gone(result, LISTED),
        seen_then_gone=sentences.seen_then_gone(result),
    )


def of_runbook(run: LiveRun, journal: Journal, orphans: tuple[str, ...], name: str) -> str:
    """The text about a runbook on the lab as it stood, which measured nothing."""
    zero = journal.steps[0].started if journal.steps else 0.0
    return written(
        "post-mortem-runbook.md.j2",
        title=run.title,
        name=name,
        run=run,
        done=len(journal.steps),
        orphans=orphans,
        timeline=_timeline(
            "After the start", [*_noted(journal, zero), *_steps(journal.steps, zero)]
        ),
        phases=_time_of_steps(journal.steps),
    )


# ── the time line ────────────────────────────────────────────────────────────────────────────


def _timeline(when: str, rows: Iterable[_Row]) -> Table:
    """Moments and steps in one table, by their times."""
    return Table(
        "Time line",
        (Column(when, "n"), *_COLUMNS),
        tuple((words.moment(at), *cells) for at, cells in sorted(rows, key=lambda row: row[0])),
        reporttables.STEPS_FORMULA,
    )


def _moment(at: float, what: str, evidence: str = "") -> _Row:
    """A row for what has no length."""
    return at, ("", what, "", "", evidence)


def _marks(result: Result, journal: Journal) -> Iterator[_Row]:
    zero = journal.at(*ZEROS)
    if zero is not None:
        yield from _noted(journal, zero)
        return
    for name in MarkName:
        if name.value in result.marks:
            yield _moment(result.marks[name.value], MARK_WORDS[name])


def _noted(journal: Journal, zero: float) -> Iterator[_Row]:
    for mark in journal.events:
        yield _moment(mark.at - zero, MARK_WORDS[mark.name], mark.note)


def _steps(steps: Iterable[StepRow | StepRecord], zero: float = 0.0) -> Iterator[_Row]:
    for step in steps:
        yield step.started - zero, reporttables.step_cells(step)


def _returns(result: Result) -> Iterator[_Row]:
    """When users could order again, and when they were interrupted once more."""
    for row in result.recoveries:
        if not row.honours_ttl:
            continue
        if row.seconds:
            yield _moment(row.seconds, f"users {row.population} can order again", row.why)
        if row.relapsed is not None:
            yield _moment(row.relapsed, f"users {row.population} are interrupted again")


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def _objectives(result: Result) -> Table:
    return Table(
        "Objectives",
        (Column("Objective", "code"), Column("Limit", "n"), Column("Measured", "n"),
         Column("Verdict"), Column("Why it matters", "line")),
        tuple(
            (
                row.name,
                f"{row.comparison.sign} {words.limit(row.limit, row.unit)}",
                words.number(row.found, row.unit),
                row.verdict.value,
                "; ".join(filter(None, (row.detail, row.why))),
            )
            for row in result.objectives
        ),
        "",
    )  # fmt: skip


def _phases(result: Result) -> Table:
    """Where the time went until the slowest users were back."""
    return Table(
        "Phases",
        (Column("Phase"), Column("Time", "n"), Column("From", "n"), Column("To", "n")),
        tuple(
            (
                row.phase.value,
                words.seconds(row.seconds),
                words.moment(min(begin for begin, _ in row.spans)) if row.spans else "–",
                words.moment(max(end for _, end in row.spans)) if row.spans else "–",
            )
            for row in result.rto_phases
        ),
        "",
    )


def _time_of_steps(steps: Iterable[StepRecord]) -> Table:
    """The same of a run that measured no users: what its steps took, by phase."""
    found: dict[str, list[StepRecord]] = defaultdict(list)
    for step in steps:
        found[step.phase.value if step.phase else "no part of the recovery"].append(step)
    return Table(
        "Phases",
        (Column("Phase"), Column("Time", "n"), Column("Steps", "line")),
        tuple(
            (
                phase,
                words.seconds(sum(step.ended - step.started for step in those)),
                ", ".join(step.name for step in those),
            )
            for phase, those in found.items()
        ),
        "",
    )
