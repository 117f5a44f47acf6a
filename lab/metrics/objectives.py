"""The table of figures by which objectives name them, and the objectives of every drill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Final

from lab.core.errors import UnknownName
from lab.core.verdict import Comparison, Found, Judgement, Objective, Verdict, check
from lab.core.words import count
from lab.metrics.classify import Classification
from lab.metrics.figures import Figures, PopulationFigures
from lab.metrics.measure import Loss, SplitBrain
from lab.metrics.recovery import PATIENCE, Recovery
from lab.metrics.traffic import Gap
from lab.records.history import Outcome


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table of figures: its name in objectives, its unit, what it means."""

    name: str
    unit: str
    meaning: str
    find: Callable[[Figures], Found]


def _lost(figures: Figures) -> Found:
    return Found(len(figures.classification.lost))


def _loss(pick: Callable[[Loss], float | None]) -> Callable[[Figures], Found]:
    def find(figures: Figures) -> Found:
        if figures.loss is None:
            return Found(None, "there was no fault to measure from")
        return Found(pick(figures.loss))

    return find


def _back(item: Recovery | None) -> Found:
    if item is None:
        return Found(None, "there was no fault, or no users, to measure")
    at_least = item.at_least if item.interrupted else None
    return Found(item.seconds, f"users {item.population}: {item.why}", at_least)


def slowest(figures: Figures) -> Found:
    """The longest recovery of users that honour TTLs; None when any of them has none.

    Even then those that were measured bound it from below.
    """
    each = [_back(item) for item in figures.recoveries if item.honours_ttl]
    missing = next((item for item in each if item.value is None), None)
    known = [value for item in each for value in (item.value, item.at_least) if value is not None]
    if missing:
        return Found(None, missing.detail, max(known, default=None))
    return max(each, key=lambda item: item.value or 0.0, default=_back(None))


def _gap(pick: Callable[[PopulationFigures], Gap | None]) -> Callable[[Figures], Found]:
    def find(figures: Figures) -> Found:
        gaps = [
            (gap.seconds, item.population) for item in figures.populations if (gap := pick(item))
        ]
        if not gaps:
            return Found(None, "nothing was done to users that could be measured from")
        longest, population = max(gaps)
        return Found(longest, f"users {population}")

    return find


def _full(figures: Figures) -> Found:
    whole = figures.full_recovery
    if whole is None:
        return Found(None, "there was no fault, or no load before it")
    if whole.seconds is None:
        return Found(None, "not within the record", whole.at_least)
    return Found(whole.seconds)


def _over(figures: Figures) -> Found:
    if figures.spike is None:
        return Found(None, "there was no fault, or no load before it")
    return Found(figures.spike.seconds, f"limit {figures.spike.limit * 1000:.0f} ms")


def _stale(figures: Figures) -> Found:
    return Found(sum(not row.lost for row in figures.stale))


def _split(value: Callable[[SplitBrain], float]) -> Callable[[Figures], Found]:
    """Acknowledgements that name no timeline leave only a lower bound."""

    def find(figures: Figures) -> Found:
        split = figures.split_brain
        if not split.untraced:
            return Found(value(split))
        return Found(None, f"{split.untraced} acknowledgements name no timeline", value(split))

    return find


def _relapses(figures: Figures) -> Found:
    if not figures.recoveries:
        return Found(None, "there was no fault, or no users, to measure")
    return Found(sum(r.relapsed is not None for r in figures.recoveries if r.honours_ttl))


def _before_fault(figures: Figures) -> Found:
    counts = [item.before.rate.acknowledged for item in figures.populations]
    return Found(min(counts, default=0), "acknowledged writes of the quietest population")


def _pause(figures: Figures) -> Found:
    return Found(max((item.pause.seconds for item in figures.populations), default=None))


def _count(pick: Callable[[Classification], int]) -> Callable[[Figures], Found]:
    return lambda figures: Found(pick(figures.classification))


def _unaccounted(figures: Figures) -> Found:
    unread = figures.classification.unread
    detail = f"could not be read: {', '.join(unread)}" if unread else ""
    return Found(len(figures.classification.nowhere), detail)


def _record_gaps(figures: Figures) -> Found:
    gaps = figures.gaps
    said = [f"users {name} have no record" for name in gaps.unheard]
    said += [
        f"users {each.population} recorded {each.recorded:,} of {each.planned:,} operations"
        for each in gaps.short
    ]
    said += [
        f"users {each.population} wrote down {each.written:,} operations, and their record has"
        f" {each.recorded:,}"
        for each in gaps.miscounted
    ]
    said += [
        f"the record of users {cut.population} is cut in its middle ({PurePath(cut.source).name},"
        f" line {cut.line})"
        for cut in gaps.cut
    ]
    if gaps.orders:
        orders = count(gaps.orders, "order of users", "orders of users")
        said.append(f"no record has {orders} that {figures.classification.winner} holds")
    if gaps.elsewhere:
        orders = count(gaps.elsewhere, "order of users", "orders of users")
        said.append(f"no record has {orders} that other nodes alone hold")
    unread = figures.classification.unread
    said += [f"{name} could not be read in the end" for name in unread]
    return Found(gaps.count + len(unread), "; ".join(said))


FIGURES: Final = (
    Figure("acknowledged", "writes", "writes that users were told are safe",
           _count(lambda c: c.told(Outcome.OK))),
    Figure("acknowledged_before_fault", "writes", "proof that there was load to lose",
           _before_fault),
    Figure("load_pause_seconds", "s", "the longest time in which users started no write", _pause),
    Figure("record_gaps", "gaps", "populations whose record is missing or lacks operations, lines"
           " cut in the middle of one, users' orders on any node that no record has",
           _record_gaps),
    Figure("lost", "writes", "acknowledged, and missing from the primary in the end", _lost),
    Figure("orphaned", "writes", "lost, but still on a machine that was left behind",
           _count(lambda c: len(c.orphaned))),
    Figure("unaccounted", "writes", "lost, and in no database that was read", _unaccounted),
    Figure("recovered", "writes", "no answer came, and they are there",
           _count(lambda c: len(c.recovered))),
    Figure("unexpected", "writes", "users were told they failed, and they are there",
           _count(lambda c: len(c.unexpected))),
    Figure("duplicated", "writes", "there more than once",
           _count(lambda c: len(c.duplicated))),
    Figure("local_lost", "writes", "acknowledged with a warning, and gone",
           _count(lambda c: len(c.local_lost))),
    Figure("rpo_seconds", "s", "how far back the lost acknowledgements reach",
           _loss(lambda item: item.seconds)),
    Figure("rpo_wal_bytes", "bytes", "write-ahead log of the lost acknowledgements",
           _loss(lambda item: item.wal_bytes)),
    Figure("rto_seconds", "s", "how long the slowest population could not write",
           slowest),
    Figure("longest_gap_seconds", "s", "the longest time without an acknowledged write",
           _gap(lambda item: item.gap)),
    Figure("longest_read_gap_seconds", "s", "the longest time without an answered read",
           _gap(lambda item: item.read_gap)),
    Figure("full_recovery_seconds", "s", "until error rate and capacity were as before", _full),
    Figure("seconds_over_limit", "s", "in which the 99th percentile was twice that before", _over),
    Figure("stale_reads", "reads", "that did not find an order which was not lost", _stale),
    Figure("relapses", "populations", "interrupted again after they were back", _relapses),
    Figure("split_brain_writes", "writes", "taken by an old primary after the new one's first",
           _split(lambda split: split.writes)),
    Figure("split_brain_seconds", "s", "how long two primaries took writes at once",
           _split(lambda split: split.seconds)),
)  # fmt: skip

PER_POPULATION: Final = "rto_seconds."
"""`rto_seconds.east` is the RTO of the population east."""


def find(name: str, figures: Figures) -> Found:
    """What was measured under a name of the table; raises UnknownName."""
    return row(name).find(figures)


def row(name: str) -> Figure:
    """The row of a figure, also of one population's RTO; raises UnknownName."""
    if name.startswith(PER_POPULATION):
        return _population_row(name)
    for item in FIGURES:
        if item.name == name:
            return item
    raise UnknownName("figure", name, [item.name for item in FIGURES])


def _population_row(name: str) -> Figure:
    population = name.removeprefix(PER_POPULATION)

    def back(figures: Figures) -> Found:
        own = (r for r in figures.recoveries if r.honours_ttl and r.population == population)
        return _back(next(own, None))

    return Figure(name, "s", f"how long users {population} could not write", back)


ALWAYS: Final = (
    Objective("acknowledged_before_fault", 1, "writes", Comparison.AT_LEAST,
              "without load there is nothing to lose, and the drill proves nothing",
              Verdict.UNKNOWN),
    Objective("load_pause_seconds", PATIENCE, "s", Comparison.AT_MOST,
              "without attempts to write there are no failures to see",
              Verdict.UNKNOWN),
    Objective("record_gaps", 0, "gaps", Comparison.AT_MOST,
              "what is missing of the record may be what was lost",
              Verdict.UNKNOWN),
    Objective("unaccounted", 0, "writes", Comparison.AT_MOST,
              "a lost write that is nowhere means that the measurement itself is not understood",
              Verdict.UNKNOWN),
    Objective("unexpected", 0, "writes", Comparison.AT_MOST,
              "a user who is told that it failed will order again"),
    Objective("duplicated", 0, "writes", Comparison.AT_MOST,
              "an idempotency key must be honoured on both sides of a failover"),
)  # fmt: skip


def judge_all(objectives: Iterable[Objective], figures: Figures) -> tuple[Judgement, ...]:
    """Judge a drill's objectives, then those that hold for every drill and that it did not name.

    An objective that names no figure raises UnknownName: that is a mistake in the drill, not an
    unknown result.
    """
    own = tuple(objectives)
    named = {item.name for item in own}
    every = (*own, *(item for item in ALWAYS if item.name not in named))
    rows = [row(item.name) for item in every]
    return tuple(
        check(item, partial(figure.find, figures)) for item, figure in zip(every, rows, strict=True)
    )
