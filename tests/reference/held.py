"""The project's figures beside the reference's, by name, and what differs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from pure_builders import BOOT, header

from lab import ledger
from lab.classify import Classification, Row, classify
from lab.figures import Figures, measure
from lab.history import Operation
from lab.ledger import Ledger
from lab.measure import Fork
from lab.objectives import find
from lab.record import Journal, Mark, MarkName, Phase, StepRecord, Via
from reference import places, returns, service, writes
from reference.case import Case

WINNER, LOSERS = "west_db1", {"east_db1", "east_db2"}
Named = dict[str, object]


def journal(case: Case) -> Journal:
    marks = tuple(Mark(MarkName(name), at) for name, at in case.marks.items())
    steps = tuple(
        StepRecord(name, Via.IN_BAND, start, end, "done", "", "", Phase(name))
        for name, start, end in case.steps
    )
    return Journal(BOOT, marks, steps)


def record(case: Case) -> list[bytes]:
    """The history as files, one per population."""
    return [
        header(name) + b"".join(_line(i) for i in case.operations if i.population == name)
        for name in case.names
    ]


def _line(item: Operation) -> bytes:
    """One line as users write it: what is empty is left out."""
    fields = {name: getattr(item, name) for name in Operation.__slots__}
    told = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"record": "op", **told}, separators=(",", ":")).encode() + b"\n"


def theirs(case: Case) -> Named:
    """What the project's functions say."""
    with ledger.load(*record(case)) as loaded:
        return computed(case, loaded)


def computed(case: Case, loaded: Ledger) -> Named:
    reads = {node: {key: Row() for key in keys} for node, keys in case.losers.items()}
    reads[WINNER] = {key: Row(many) for key, many in case.winner.items()}
    fates = classify(loaded, reads, WINNER, LOSERS)
    fork = Fork(*case.fork) if case.fork else None
    figures = measure(loaded, journal(case), fates, fork, dead=case.dead)
    return dict([*_fates(fates), *_times(figures), *_groups(figures), *_populations(figures)])


def _fates(found: Classification) -> Iterator[tuple[str, object]]:
    for name in (
        "lost", "orphaned", "local_lost", "recovered", "unexpected", "duplicated", "unknown_absent"
    ):  # fmt: skip
        yield name, sorted(each.key for each in getattr(found, name))
    yield "unaccounted", sorted(each.key for each in found.nowhere)
    yield "unrecorded", sorted(found.unrecorded)
    yield "unread", sorted(found.unread)
    yield "cells", {(told.value, place.value): n for (told, place), n in found.counts.items()}


def _times(figures: Figures) -> Iterator[tuple[str, object]]:
    for name in (
        "rpo_seconds", "rpo_wal_bytes", "rto_seconds", "seconds_over_limit",
        "full_recovery_seconds", "split_brain_writes", "split_brain_seconds",
    ):  # fmt: skip
        yield name, find(name, figures).value
    split, full, spike = figures.split_brain, figures.full_recovery, figures.spike
    yield "split_brain_at_least", (split.writes, split.certain, split.seconds)
    yield "split_brain_timelines", list(split.timelines)
    yield "full_recovery_at_least", full.at_least if full else None
    yield "latency_limit", spike.limit if spike else None
    yield "budgets", [(each.seconds, each.spent_seconds) for each in figures.budgets]
    yield "stale", sorted((each.read.key, each.read.end, each.lost) for each in figures.stale)
    for each in figures.phases:
        yield f"phase {each.phase}", each.seconds
    gap = figures.gap
    yield "pause", (gap.started, gap.at_least, gap.seconds) if gap else None


def _groups(figures: Figures) -> Iterator[tuple[str, object]]:
    for back in figures.recoveries:
        group = f"{back.population} {back.honours_ttl}"
        yield f"rto {group}", (back.seconds, None if back.seconds is not None else back.at_least)
        yield f"rto_first {group}", back.first_write
    for moved in figures.movements:
        group = f"{moved.population} {moved.honours_ttl}"
        yield f"movement {group}", (moved.users, moved.moved, *moved.times)
    for wrong in figures.misdirected:
        yield f"misdirected {wrong.population} {wrong.honours_ttl}", (wrong.operations, wrong.last)


def _populations(figures: Figures) -> Iterator[tuple[str, object]]:
    for each in figures.populations:
        gap = each.gap
        yield f"gap {each.population}", (gap.seconds, gap.started - figures.origin) if gap else None
        for name in ("before", "during", "after"):
            part = getattr(each, name)
            yield (
                f"{name} {each.population}",
                part
                and (
                    part.rate.seconds, part.rate.started_per_second,
                    part.rate.acknowledged_per_second,
                    part.latency.p50, part.latency.p95, part.latency.p99,
                ),
            )  # fmt: skip


def ours(case: Case) -> Named:
    """What the reference says, under the same names."""
    return dict([*_our_writes(case), *_our_times(case), *_our_groups(case)])


def _our_writes(case: Case) -> Iterator[tuple[str, object]]:
    fates, split = writes.fates(case), writes.split_brain(case)
    for name in ("lost", "orphaned", "unaccounted", "local_lost", "recovered", "unexpected"):
        yield name, getattr(fates, name)
    yield "duplicated", sorted(fates.duplicated)
    yield "unknown_absent", fates.absent
    yield "unrecorded", fates.unrecorded
    yield "unread", sorted(LOSERS - case.losers.keys())
    yield "cells", fates.cells
    yield "rpo_seconds", writes.rpo_seconds(case)
    yield "rpo_wal_bytes", writes.rpo_wal_bytes(case)
    yield "split_brain_writes", None if split.untraced else split.writes
    yield "split_brain_seconds", None if split.untraced else split.seconds
    yield "split_brain_at_least", (split.writes, split.certain, split.seconds)
    yield "split_brain_timelines", split.timelines
    yield "stale", writes.stale(case)


def _our_times(case: Case) -> Iterator[tuple[str, object]]:
    seconds, bound = service.full_recovery(case)
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


def _our_groups(case: Case) -> Iterator[tuple[str, object]]:
    for name in case.names:
        for part, row in service.stretches(case, name).items():
            yield f"{part} {name}", row
        yield f"gap {name}", returns.longest_gap(case, name)
    if case.fault is None:
        return
    for name, honours in ((name, honours) for name in case.names for honours in (True, False)):
        if honours or case.writes_of(name, honours):
            back = returns.rto(case, (name, honours))
            yield f"rto {name} {honours}", back and (back.seconds, back.at_least)
            yield f"rto_first {name} {honours}", returns.rto_first(case, (name, honours))
        mine = [i for i in case.operations if (i.population, i.honours_ttl) == (name, honours)]
        if mine or (honours and any(i.population == name for i in case.operations)):
            yield f"movement {name} {honours}", places.movement(case, mine)
            yield f"misdirected {name} {honours}", places.misdirected(case, mine)


def differences(case: Case) -> dict[str, tuple[object, object]]:
    """Figures that are not equal: name → (the project's, the reference's)."""
    one, other = theirs(case), ours(case)
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
