"""What became of each write, and what was lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lab.history import Kind, Operation, Outcome
from reference.case import Case, Span, covered

LABS_OWN = ("watch-", "verify-")


@dataclass(frozen=True)
class Fates:
    """Keys by what became of them, and how many writes stand in each cell."""

    lost: list[str]
    orphaned: list[str]
    unaccounted: list[str]
    local_lost: list[str]
    recovered: list[str]
    absent: list[str]
    unexpected: list[str]
    duplicated: dict[str, int]
    unrecorded: list[str]
    cells: dict[tuple[str, str], int]


def place(case: Case, key: str) -> str:
    if case.winner.get(key):
        return "winner"
    return "loser_only" if any(key in keys for keys in case.losers.values()) else "nowhere"


def fates(case: Case) -> Fates:
    """Every write in the cell of what its user was told and where it is."""
    where = {item.key: place(case, item.key) for item in case.writes}

    def those(told: Outcome, *places: str) -> list[str]:
        found = [item for item in case.writes if item.outcome is told]
        return sorted(item.key for item in found if where[item.key] in places)

    theirs = {key: many for key, many in case.winner.items() if not key.startswith(LABS_OWN)}
    return Fates(
        lost=those(Outcome.OK, "loser_only", "nowhere"),
        orphaned=those(Outcome.OK, "loser_only"),
        unaccounted=those(Outcome.OK, "nowhere"),
        local_lost=those(Outcome.LOCAL, "loser_only", "nowhere"),
        recovered=those(Outcome.UNKNOWN, "winner"),
        absent=those(Outcome.UNKNOWN, "loser_only", "nowhere"),
        unexpected=those(Outcome.FAIL, "winner"),
        duplicated={key: many for key, many in theirs.items() if many > 1},
        unrecorded=sorted(key for key, many in theirs.items() if many and key not in where),
        cells=dict(Counter((item.outcome.value, where[item.key]) for item in case.writes)),
    )


def lost_writes(case: Case) -> list[Operation]:
    lost = set(fates(case).lost)
    return [item for item in case.writes if item.key in lost]


def stale(case: Case) -> list[tuple[str, float, bool]]:
    """Reads that missed an own order: its key, when the read ended, and whether it is lost."""
    told = {
        (item.key, item.population, item.user): item.end
        for item in case.writes
        if item.outcome is Outcome.OK
    }
    found = []
    for read in case.operations:
        since = told.get((read.key, read.population, read.user))
        missed = read.kind is Kind.READ and read.found is False
        if missed and since is not None and since <= read.start:
            found.append((read.key, read.end, place(case, read.key) != "winner"))
    return sorted(found)


def rpo_seconds(case: Case) -> float | None:
    """From the first lost acknowledgement to the last one, or to the fault if that is later."""
    if case.fault is None:
        return None
    ends = [item.end for item in lost_writes(case)]
    return max(case.fault, *ends) - min(ends) if ends else 0.0


def lsn_of(text: str) -> int:
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def rpo_wal_bytes(case: Case) -> int | None:
    """How far the lost acknowledgements on the old timeline lie beyond the fork."""
    lost = lost_writes(case)
    if case.fault is None:
        return None
    if not lost:
        return 0
    if case.fork is None:
        return None
    timeline, left_at = case.fork
    named = [lsn_of(item.lsn) for item in lost if item.lsn and item.timeline == timeline]
    return max(0, max(named) - left_at) if named else None


@dataclass(frozen=True)
class Split:
    """Acknowledgements on a timeline after the first one on a newer timeline."""

    writes: int
    certain: int
    seconds: float
    timelines: list[int]
    untraced: int


def split_brain(case: Case) -> Split:
    told = [item for item in case.writes if item.outcome in (Outcome.OK, Outcome.LOCAL)]
    named = [(item.timeline, item.start, item.end) for item in told if item.timeline is not None]
    writes = certain = 0
    spans: list[Span] = []
    timelines: set[int] = set()
    for old in sorted({timeline for timeline, _, _ in named}):
        newer = [(end, timeline) for timeline, _, end in named if timeline > old]
        if not newer:
            continue
        since = min(end for end, _ in newer)
        late = [(start, end) for timeline, start, end in named if timeline == old and end > since]
        if not late:
            continue
        writes += len(late)
        certain += sum(start > since for start, _ in late)
        until = max(end for _, end in late)
        spans.append((since, until))
        timelines |= {old} | {timeline for end, timeline in newer if end < until}
    untraced = len(told) - len(named)
    return Split(writes, certain, covered(spans), sorted(timelines), untraced)
