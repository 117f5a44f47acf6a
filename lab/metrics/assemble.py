"""From figures to result.json: everything here was measured before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from lab.core.verdict import Judgement, Verdict, worst
from lab.metrics import figurerows
from lab.metrics.classify import Classification
from lab.metrics.figures import Figures
from lab.metrics.measure import SplitBrain
from lab.records.history import Outcome
from lab.records.journalfile import ZEROS, Journal
from lab.records.ledger import Ledger
from lab.records.result import Result
from lab.records.resultrows import (
    MOVED,
    AddressRow,
    BudgetRow,
    LatencyRow,
    MisdirectedRow,
    MovementRow,
    PhaseRow,
    Run,
    TrafficRow,
)
from lab.records.thresholds import DAYS


def assemble(
    run: Run,
    journal: Journal,
    ledger: Ledger,
    figures: Figures,
    added: Mapping[str, object] = MappingProxyType({}),
) -> Result:
    """Put everything that was recorded and measured into one document, which nothing judged yet.

    `added` are fields by name that no figure is needed for. `judged` completes and validates it.
    """
    zero, fates = figures.origin, figures.classification
    parts: tuple[Mapping[str, object], ...] = (
        dict(run),
        _counts(fates),
        _journal(journal, figures),
        _headline(figures),
        _split_brain(figures.split_brain),
        _users(figures),
        _steadiness(figures),
        _axis(figures),
        _gaps(figures),
        added,
    )
    found: dict[str, Any] = {name: value for part in parts for name, value in part.items()}
    return Result.model_construct(
        **found,
        verdict=Verdict.UNKNOWN,
        objectives=(),
        boot_id=journal.boot_id,
        cut_lines=len(ledger.cut_lines),
        recoveries=tuple(figurerows.recovery(item) for item in figures.recoveries),
        populations=tuple(figurerows.population(item, zero) for item in figures.populations),
        lost_writes=tuple(
            figurerows.lost_write(fate, zero) for fate in figures.classification.lost
        ),
    )


def judged(found: Result, judgements: Iterable[Judgement]) -> Result:
    """The whole document. Raises pydantic's ValidationError for a figure that is none."""
    every = tuple(judgements)
    verdict = worst(item.verdict for item in every)
    rows = tuple(figurerows.objective(item) for item in every)
    return Result.model_validate({**dict(found), "verdict": verdict, "objectives": rows})


def _counts(found: Classification) -> dict[str, object]:
    """What became of the writes."""
    return {
        "winner": found.winner,
        "unread": found.unread,
        "acknowledged": found.told(Outcome.OK),
        "unknown": found.told(Outcome.UNKNOWN),
        "local": found.told(Outcome.LOCAL),
        "lost_ids": tuple(fate.key for fate in found.lost),
        "lost_earlier": len(found.earlier),
        "lost_earlier_ids": tuple(fate.key for fate in found.earlier),
        "unaccounted": len(found.nowhere),
        "outcomes": tuple(figurerows.outcome(outcome, found) for outcome in Outcome),
        **{name: len(getattr(found, name)) for name in _COUNTED},
    }


_COUNTED: Final = (
    "lost",
    "orphaned",
    "recovered",
    "unexpected",
    "duplicated",
    "local_lost",
    "unrecorded",
)


def _journal(journal: Journal, figures: Figures) -> dict[str, object]:
    """Marks and steps on the time axis of the result. The first mark of a name counts."""
    zero = figures.origin
    times = [mark.at for mark in journal.events] or [zero, figures.until]
    return {
        "time_zero": _time_zero(journal),
        "duration": max(times) - min(times),
        "marks": {mark.name.value: mark.at - zero for mark in reversed(journal.events)},
        "steps": tuple(figurerows.step(step, zero) for step in journal.steps),
    }


def _time_zero(journal: Journal) -> str:
    name = journal.first_of(*ZEROS)
    return "first write" if name is None else name.value


def _headline(figures: Figures) -> dict[str, object]:
    """RPO and RTO."""
    honouring = [item for item in figures.recoveries if item.honours_ttl]
    return {
        "rpo_seconds": figures.loss.seconds if figures.loss else None,
        "rpo_wal_bytes": figures.loss.wal_bytes if figures.loss else None,
        "rto_seconds": figurerows.rto(figures.recoveries),
        "rto_first_seconds": {item.population: item.first_write for item in honouring},
        "rto_window": figures.window,
        "rto_patience": figures.patience,
        "rto_phases": tuple(
            PhaseRow(phase=item.phase, seconds=item.seconds, spans=item.spans)
            for item in figures.phases
        ),
    }


def _split_brain(split: SplitBrain) -> dict[str, object]:
    """Acknowledgements that name no timeline leave only a lower bound of its figures."""
    known = not split.untraced
    return {
        "split_brain_writes": split.writes if known else None,
        "split_brain_seconds": split.seconds if known else None,
        "split_brain_untraced": split.untraced,
        "split_brain_writes_at_least": split.writes,
        "split_brain_seconds_at_least": split.seconds,
        "split_brain_certain": split.certain,
        "split_brain_timelines": split.timelines,
        "split_brain_branches": tuple(f"{line} of {node}" for line, node in split.branches),
    }


def _gaps(figures: Figures) -> dict[str, object]:
    """What is missing of the record, and of the final reads."""
    gaps, fates = figures.gaps, figures.classification
    unread = [f"{name} could not be read at the end" for name in fates.unread]
    return {
        "unheard": gaps.unheard,
        "record_gaps": gaps.count + len(unread),
        "record_gap_reasons": (*gaps.reasons(fates.winner), *unread),
    }


def _users(figures: Figures) -> dict[str, object]:
    """Where users went, what they did not find, and what they found that is gone."""
    return {
        "movements": tuple(
            MovementRow(
                population=row.population,
                honours_ttl=row.honours_ttl,
                users=row.users,
                moved=row.moved,
                **dict(zip(MOVED, row.times, strict=True)),
            )
            for row in figures.movements
        ),
        "misdirected": tuple(MisdirectedRow(**asdict(row)) for row in figures.misdirected),
        "stale_reads": tuple(figurerows.stale_read(row, figures.origin) for row in figures.stale),
        "seen_then_gone": tuple(
            figurerows.seen_then_gone(row, figures.origin)
            for row in figures.classification.seen_then_gone
        ),
    }


def _steadiness(figures: Figures) -> dict[str, object]:
    """For how long it was worse than before."""
    whole, spike = figures.full_recovery, figures.spike
    return {
        "full_recovery_seconds": whole.seconds if whole else None,
        "full_recovery_at_least": whole.at_least if whole else None,
        "latency_limit": spike.limit if spike else None,
        "seconds_over_limit": spike.seconds if spike else None,
        "budgets": tuple(
            BudgetRow(
                target=row.target,
                period_days=DAYS,
                budget_seconds=row.seconds,
                spent_seconds=row.spent_seconds,
                spent=row.spent,
            )
            for row in figures.budgets
        ),
    }


def _axis(figures: Figures) -> dict[str, object]:
    """What is drawn second by second."""
    return {
        "traffic": tuple(TrafficRow(**asdict(row)) for row in figures.seconds),
        "latencies": tuple(LatencyRow(**asdict(row)) for row in figures.latencies),
        "addresses": tuple(AddressRow(**asdict(row)) for row in figures.addresses),
    }
