"""The figures of a failover, each from single writes: pure, with its formula in its docstring.

Times are CLOCK_MONOTONIC seconds, durations are seconds. RTO has a module of its own, `recovery`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from lab.core.lsn import format_lsn, parse_lsn
from lab.records.columns import LOCAL, Flags, Operations
from lab.records.history import Operation
from lab.records.journalfile import Phase


@dataclass(frozen=True, slots=True)
class Fork:
    """Where the winner left the old timeline: its number, and the switch point in bytes of WAL."""

    timeline: int
    lsn: int

    def __str__(self) -> str:
        """As PostgreSQL writes positions: `0/20A6948 on timeline 1`."""
        return f"{format_lsn(self.lsn)} on timeline {self.timeline}"


def own_branches(
    timeline: int, forks: Mapping[int, int], kept: Mapping[int, int]
) -> tuple[Fork, ...]:
    """The WAL that a primary has beside a winner's: each timeline, and from where on it is its own.

    `forks` and `kept` are their histories: earlier timeline → LSN at which it was left. A primary
    that never left a timeline which the winner left has what follows there. Else it was promoted
    by itself, and has the timelines that did not begin where the winner's did.
    """
    if timeline in kept:
        return (Fork(timeline, kept[timeline]),)

    def begin(of: int, history: Mapping[int, int]) -> int:
        return max((lsn for line, lsn in history.items() if line < of), default=0)

    own = [each for each in forks if begin(each, forks) != begin(each, kept)]
    return tuple(Fork(each, begin(each, forks)) for each in sorted([*own, timeline]))


@dataclass(frozen=True, slots=True)
class Loss:
    """RPO in three units. `wal_bytes` is None when writes were lost and no LSN says how far."""

    rows: int
    seconds: float
    wal_bytes: int | None


def loss(lost: Sequence[Operation], fault_started: float, fork: Fork | None) -> Loss:
    """RPO = max(fault_started, last lost acknowledgement) - first lost acknowledgement.

    It is the age, when the region died, of the oldest write that users were told is safe and that
    is gone; longer if the dying region went on acknowledging writes that were lost too. Rows are
    the lost writes. WAL bytes = highest LSN of a lost acknowledgement on the fork's old timeline
    minus the fork's LSN, never below 0: a lower bound, since the LSN is read before the commit
    record is written. All are 0 when nothing was lost.
    """
    if not lost:
        return Loss(0, 0.0, 0)
    ends = [item.end for item in lost]
    return Loss(len(lost), max(fault_started, *ends) - min(ends), _wal_bytes(lost, fork))


def _wal_bytes(lost: Iterable[Operation], fork: Fork | None) -> int | None:
    if fork is None:
        return None
    reached = [parse_lsn(item.lsn) for item in lost if item.lsn and item.timeline == fork.timeline]
    return max(0, max(reached) - fork.lsn) if reached else None


Branch: TypeAlias = tuple[int, str]
"""A timeline, and the server that writes on it (empty where it is not known).

One promotion begins one timeline on one server. So two servers on a timeline of the same number
were promoted each by itself, and their writes can never be merged.
"""


@dataclass(frozen=True, slots=True)
class SplitBrain:
    """Writes that two primaries took at once.

    `rows` are those of the late acknowledgements. `certain` of them were started only after the
    newer branch's first acknowledgement was received, so no slow answer explains them; `local`
    came with the cancelled-wait warning. `branches` are those that took writes at once, oldest
    first. `untraced` acknowledgements name no timeline: with any of those it is a lower bound.
    """

    rows: tuple[int, ...]
    seconds: float
    certain: int
    local: int
    untraced: int
    branches: tuple[Branch, ...] = ()

    @property
    def writes(self) -> int:
        """How many."""
        return len(self.rows)

    @property
    def timelines(self) -> tuple[int, ...]:
        """The numbers of the branches' timelines."""
        return tuple(sorted({timeline for timeline, _ in self.branches}))


def split_brain(writes: Operations) -> SplitBrain:
    """Acknowledgements (`ok` or `local`) on a branch after the first one on a newer branch.

    The branch with the higher timeline is newer; of two with the same number, the one whose first
    acknowledgement came later. Seconds = from the first acknowledgement on any newer branch to the
    last one on the old, overlapping spans of several old branches counted once; 0 without such
    writes. An acknowledgement at the very moment of the newer one is not after it.
    """
    taken = writes.ok | (writes.outcome == LOCAL)
    traced = taken & (writes.timeline > 0)
    branches = _branches(writes, traced)
    late = np.zeros(len(writes), dtype=np.bool_)
    certain = 0
    spans: list[tuple[float, float]] = []
    at_once: set[Branch] = set()
    for place, old in enumerate(branches):
        newer = branches[place + 1 :]
        since = min((each.first for each in newer), default=np.inf)
        own = old.members & (writes.end > since)
        if own.any():
            last = float(writes.end[own].max())
            late |= own
            certain += int(np.count_nonzero(writes.start[own] > since))
            spans.append((since, last))
            at_once |= {old.name, *(each.name for each in newer if each.first < last)}
    return SplitBrain(
        rows=tuple(writes.row[late].tolist()),
        seconds=covered(spans),
        certain=certain,
        local=int(np.count_nonzero(late & (writes.outcome == LOCAL))),
        untraced=int(np.count_nonzero(taken & ~traced)),
        branches=tuple(each.name for each in branches if each.name in at_once),
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one branch took: which writes, and when the first one was acknowledged."""

    name: Branch
    first: float
    members: Flags


def _branches(writes: Operations, traced: Flags) -> list[_Taken]:
    """Every branch that took a write, the oldest first."""
    servers = len(writes.names.nodes) + 1
    code = np.where(traced, writes.timeline.astype(np.int64) * servers + writes.node + 1, 0)
    found = list[_Taken]()
    for each in np.unique(code[traced]).tolist():
        members, (timeline, server) = code == each, divmod(each, servers)
        name = timeline, writes.names.nodes[server - 1] if server else ""
        found.append(_Taken(name, float(writes.end[members].min()), members))
    return sorted(found, key=lambda each: (each.name[0], each.first, each.name[1]))


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that belongs to a phase; `prepares` as in `StepRecord`."""

    phase: Phase
    started: float
    ended: float
    prepares: bool = False


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """Seconds of one phase (None: not measured) and its stretches in seconds after the fault."""

    phase: Phase
    seconds: float | None
    spans: tuple[tuple[float, float], ...] = ()


def phases(
    fault_started: float,
    detected: float | None,
    decided: float | None,
    steps: Iterable[Span],
    recovered: float | None,
) -> tuple[PhaseTime, ...]:
    """Where the recovery time went; phases may overlap.

    detect = fault to `detected`; decide = `detected` to `decided` (where the marks are missing, the
    time covered by their steps); fence, promote and re-point = the time covered by their steps;
    clients follow: see `_clients`; unexplained = the part of fault to `recovered` that no phase
    covers. All of it counts from the fault to `recovered` and no further. A phase without marks and
    steps is None: not measured.
    """
    spans = [Span(Phase.DETECT, fault_started, detected)] if detected is not None else []
    if detected is not None and decided is not None:
        spans.append(Span(Phase.DECIDE, detected, decided))
    own = {Phase.CLIENTS, *(span.phase for span in spans)}
    every = tuple(steps)
    spans += [span for span in every if span.phase not in own]
    if recovered is not None:
        spans += _clients(every, recovered)
        spans = [_within(span, fault_started, recovered) for span in spans]
    measured = [
        _phase(phase, spans, fault_started) for phase in Phase if phase is not Phase.UNEXPLAINED
    ]
    return (*measured, _unexplained(spans, fault_started, recovered))


def _within(span: Span, since: float, until: float) -> Span:
    """The part of it that lies between two moments; none is left of one that lies outside."""
    started, ended = (min(max(at, since), until) for at in (span.started, span.ended))
    return replace(span, started=started, ended=ended)


def _clients(steps: Sequence[Span], recovered: float) -> list[Span]:
    """How long clients took to follow.

    From the end of the last re-point step to `recovered`; without one, from that of the last
    promote step that does not only prepare; without that, the time that the steps of this phase
    cover. A step that began after `recovered` counts for nothing. Nothing is left within the
    outage when users were back before the step ended, or before the first of them began.
    """
    turns = [
        [s for s in steps if s.phase is phase and not s.prepares]
        for phase in (Phase.REPOINT, Phase.PROMOTE)
    ]
    for each in turns:
        if ended := [span.ended for span in each if span.started < recovered]:
            return [Span(Phase.CLIENTS, max(ended), recovered)]
    if any(turns):
        return [Span(Phase.CLIENTS, recovered, recovered)]
    return [s for s in steps if s.phase is Phase.CLIENTS and s.started < recovered]


def _phase(phase: Phase, spans: Iterable[Span], fault: float) -> PhaseTime:
    own = [(s.started - fault, s.ended - fault) for s in spans if s.phase is phase]
    return PhaseTime(phase, covered(own) if own else None, tuple(sorted(own)))


def _unexplained(spans: Iterable[Span], fault: float, recovered: float | None) -> PhaseTime:
    """What is left of the recovery time, as the gaps between all phases."""
    if recovered is None:
        return PhaseTime(Phase.UNEXPLAINED, None)
    gaps: list[tuple[float, float]] = []
    at = 0.0
    for start, end in sorted((s.started - fault, s.ended - fault) for s in spans):
        gaps.append((at, start))
        at = max(at, end)
    gaps.append((at, recovered - fault))
    real = tuple(gap for gap in gaps if gap[1] > gap[0])
    return PhaseTime(Phase.UNEXPLAINED, covered(real), real)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of stretches of time; overlaps count once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
