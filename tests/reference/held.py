"""The project's figures beside the reference's, by name, and what differs.

Reading a file costs the project far more than computing figures of a small run. So each run's
figures are made from operations in memory, and many runs together are read, classified and looked
through for stale reads as one record.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from pure_builders import BOOT, header, unjudged

from lab.metrics.classify import Classification, Fate, classify
from lab.metrics.figures import Figures, measure
from lab.metrics.measure import Fork
from lab.metrics.placing import Row
from lab.metrics.stalereads import stale_reads
from lab.records import columns, ledger
from lab.records.columnar import Columns
from lab.records.history import Header, Kind, Location, Operation
from lab.records.journalfile import Journal, Mark, MarkName, Phase, StepRecord, Via
from lab.records.keyhashes import Prints
from lab.records.ledger import Ledger
from lab.records.metricrows import find
from lab.records.resultrows import PERCENTILES
from reference import places, returns, service, writes
from reference.case import Case

WINNER, LOSERS = "west_db1", {"east_db1", "east_db2"}
Named = Iterator[tuple[str, object]]
Differences = dict[str, tuple[object, object]]


# ── one run: figures ─────────────────────────────────────────────────────────────────────────


def figures_of(case: Case) -> Figures:
    """What the project measures, with the lost writes that the reference names."""
    lost = tuple(Fate(item, Location.LOSER_ONLY) for item in writes.lost_writes(case))
    fork = Fork(*case.fork) if case.fork else None
    found = Classification(WINNER, {}, lost=lost)
    return measure(_in_memory(case), _journal(case), found, fork, dead=case.dead)


def _in_memory(case: Case) -> Ledger:
    operations = columns.of(replace(item, found=None) for item in case.operations)
    none = np.zeros(len(operations), dtype=np.uint64)
    headers = tuple(Header(1, name, BOOT, 0.0, {}) for name in case.names)
    return Ledger(Columns(operations, Prints(none, none), headers), Path())


def _journal(case: Case) -> Journal:
    marks = tuple(Mark(MarkName(name), at) for name, at in case.marks.items())
    steps = tuple(
        StepRecord(
            step.phase, Via.IN_BAND, *step.span, "done", "", "", Phase(step.phase), step.prepares
        )
        for step in case.steps
    )
    return Journal(BOOT, marks, steps)


def _theirs(figures: Figures) -> Named:
    document = unjudged(figures)
    for name in (
        "rpo_seconds", "rpo_wal_bytes", "rto_seconds", "seconds_over_limit",
        "full_recovery_seconds", "split_brain_writes", "split_brain_seconds",
    ):  # fmt: skip
        yield name, find(name, document).value
    split, full, spike = figures.split_brain, figures.full_recovery, figures.spike
    yield "split_brain_at_least", (split.writes, split.certain, split.seconds)
    yield "split_brain_branches", list(split.branches)
    yield "full_recovery_at_least", full.at_least if full else None
    yield "latency_limit", spike.limit if spike else None
    yield "budgets", [(each.seconds, each.spent_seconds) for each in figures.budgets]
    for each in figures.phases:
        yield f"phase {each.phase}", each.seconds
    gap = figures.gap
    yield "pause", (gap.started, gap.at_least, gap.seconds) if gap else None
    yield from _their_groups(figures)
    yield from _their_populations(figures)


def _their_groups(figures: Figures) -> Named:
    for back in figures.recoveries:
        group = f"{back.population} {back.honours_ttl}"
        yield f"rto {group}", (back.seconds, None if back.seconds is not None else back.at_least)
        yield f"rto_first {group}", back.first_write
    for moved in figures.movements:
        group = f"{moved.population} {moved.honours_ttl}"
        yield f"movement {group}", (moved.users, moved.moved, *moved.times)
    for wrong in figures.misdirected:
        yield f"misdirected {wrong.population} {wrong.honours_ttl}", (wrong.operations, wrong.last)


def _their_populations(figures: Figures) -> Named:
    for each in figures.populations:
        gap = each.gap
        yield f"gap {each.population}", (gap.seconds, gap.started - figures.origin) if gap else None
        reads = each.read_gap
        yield (
            f"read gap {each.population}",
            reads and (reads.seconds, reads.started - figures.origin),
        )
        for name in ("before", "during", "after"):
            part = getattr(each, name)
            yield f"{name} {each.population}", part and (
                part.rate.seconds, part.rate.started_per_second,
                part.rate.acknowledged_per_second,
                *map(part.latency.percentiles.get, PERCENTILES),
            )  # fmt: skip


def _ours(case: Case) -> Named:
    split, (seconds, bound) = writes.split_brain(case), service.full_recovery(case)
    yield "rpo_seconds", writes.rpo_seconds(case)
    yield "rpo_wal_bytes", writes.rpo_wal_bytes(case)
    yield "split_brain_writes", None if split.untraced else split.writes
    yield "split_brain_seconds", None if split.untraced else split.seconds
    yield "split_brain_at_least", (split.writes, split.certain, split.seconds)
    yield "split_brain_branches", split.branches
    yield "full_recovery_seconds", seconds
    yield "full_recovery_at_least", bound
    yield "seconds_over_limit", service.seconds_over_limit(case)
    yield "latency_limit", service.latency_limit(case)
    spent = service.spent_seconds(case)
    targets = () if spent is None else (0.999, 0.9999)
    yield "budgets", [(service.budget(target), spent) for target in targets]
    yield "rto_seconds", returns.slowest(case)
    for phase, length in returns.phases(case).items():
        yield f"phase {phase}", length
    yield "pause", returns.pause_of_users(case)
    for name in case.names:
        yield from _our_population(case, name)


def _our_population(case: Case, name: str) -> Named:
    for part, row in service.stretches(case, name).items():
        yield f"{part} {name}", row
    yield f"gap {name}", returns.longest_gap(case, name)
    yield f"read gap {name}", returns.longest_gap(case, name, Kind.READ)
    if case.fault is None:
        return
    for honours in (True, False):
        group = f"{name} {honours}"
        if honours or case.writes_of(name, honours):
            back = returns.rto(case, (name, honours))
            yield f"rto {group}", back and (back.seconds, back.at_least)
            yield f"rto_first {group}", returns.rto_first(case, (name, honours))
        own = [item for item in case.operations if item.population == name]
        mine = [item for item in own if item.honours_ttl == honours]
        if mine or (own and honours):
            yield f"movement {group}", places.movement(case, mine)
            yield f"misdirected {group}", places.misdirected(case, mine)


def differences(case: Case) -> Differences:
    """Figures of one run that are not equal: name → (the project's, the reference's)."""
    return differing(_theirs(figures_of(case)), _ours(case))


# ── many runs as one record: what became of each write, and stale reads ──────────────────────


def joined(cases: Iterable[Case]) -> Case:
    """All of them as one run: each has keys of its own."""
    every = list(enumerate(cases))
    operations = [
        replace(item, key=f"{item.key}:{number}")
        for number, case in every
        for item in case.operations
    ]
    return Case(
        names=tuple(sorted({name for _, case in every for name in case.names})),
        operations=operations,
        winner={f"{key}:{n}": many for n, case in every for key, many in case.winner.items()},
        losers={
            node: {f"{key}:{n}" for n, case in every for key in case.losers.get(node, ())}
            for node in LOSERS
            if any(node in case.losers for _, case in every)
        },
    )


def files(case: Case) -> list[bytes]:
    """Its history, one file per population."""
    return [
        header(name) + b"".join(_line(i) for i in case.operations if i.population == name)
        for name in case.names
    ]


def _line(item: Operation) -> bytes:
    """One line as users write it: what is empty is left out."""
    fields = {name: getattr(item, name) for name in Operation.__slots__}
    told = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"record": "op", **told}, separators=(",", ":")).encode() + b"\n"


def fates_of(case: Case, record: Ledger) -> Classification:
    """What the project's classification says of that record."""
    reads = {node: {key: Row() for key in keys} for node, keys in case.losers.items()}
    reads[WINNER] = {key: Row(many) for key, many in case.winner.items()}
    return classify(record, reads, WINNER, LOSERS)


def record_differences(case: Case, sources: Iterable[bytes], cut: int = 0) -> Differences:
    """What the project reads from those files, and what the reference says of the run."""
    with ledger.load(*sources) as record:
        fates = fates_of(case, record)
        stale = stale_reads(record, {each.key for each in fates.lost})
        found = [
            *_their_fates(fates),
            ("stale", sorted((each.read.key, each.read.end, each.lost) for each in stale)),
            ("read", _values(record.operations)),
            ("cut", len(record.cut_lines)),
        ]
    said = [("read", _values(columns.of(case.operations))), ("cut", cut)]
    return differing(found, [*_our_fates(case), *said])


def _values(every: columns.Operations) -> list[tuple[object, ...]]:
    """The columns as rows, whatever the order of equal ends."""
    named = [np.array((None, *names))[getattr(every, column) + 1] for column, names in (
        ("population", every.names.populations), ("region", every.names.regions),
        ("address", every.names.addresses),
    )]  # fmt: skip
    plain = [
        getattr(every, column)
        for column in ("end", "start", "tried", "kind", "outcome", "honours_ttl", "timeline",
                       "user", "found")
    ]  # fmt: skip
    return sorted(zip(*(each.tolist() for each in (*plain, *named)), strict=True), key=repr)


def _their_fates(found: Classification) -> Named:
    for name in ("lost", "orphaned", "local_lost", "recovered", "unexpected", "unknown_absent"):
        yield name, sorted(each.key for each in getattr(found, name))
    yield "duplicated", sorted((each.key, each.copies) for each in found.duplicated)
    yield "unaccounted", sorted(each.key for each in found.nowhere)
    yield "unrecorded", sorted(found.unrecorded)
    yield "unread", sorted(found.unread)
    yield (
        "seen_then_gone",
        sorted(
            (each.write.key, each.write.outcome.value, each.write.end, each.first_read, each.reads)
            for each in found.seen_then_gone
        ),
    )
    yield "cells", {(told.value, place.value): n for (told, place), n in found.counts.items()}


def _our_fates(case: Case) -> Named:
    fates = writes.fates(case)
    for name in ("lost", "orphaned", "unaccounted", "local_lost", "recovered", "unexpected"):
        yield name, getattr(fates, name)
    yield "duplicated", sorted(fates.duplicated.items())
    yield "unknown_absent", fates.absent
    yield "unrecorded", fates.unrecorded
    yield "unread", sorted(LOSERS - case.losers.keys())
    yield "cells", fates.cells
    yield "stale", writes.stale(case)
    yield "seen_then_gone", writes.seen_then_gone(case)


# ── what differs ─────────────────────────────────────────────────────────────────────────────


def differing(
    theirs: Iterable[tuple[str, object]], ours: Iterable[tuple[str, object]]
) -> Differences:
    one, other = dict(theirs), dict(ours)
    names = sorted(one.keys() | other.keys())
    return {
        name: (one.get(name), other.get(name))
        for name in names
        if not same(one.get(name), other.get(name))
    }


def same(one: object, other: object) -> bool:
    """Equal, or numbers that rounding alone keeps apart."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
