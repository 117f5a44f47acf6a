"""What became of each write, and what was lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lab.records.history import Kind, Operation, Outcome
from reference.case import Case, Span, covered

LABS_OWN = ("watch-", "verify-")
Branch = tuple[int, str]


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


def seen_then_gone(case: Case) -> list[tuple[str, str, float, float, int]]:
    """Orders that a read found and the winner lacks: key, outcome, end, first read's end, reads."""
    found = []
    for item in case.writes:
        ends = [
            read.end
            for read in case.operations
            if read.kind is Kind.READ and read.key == item.key and read.found
        ]
        if ends and place(case, item.key) != "winner":
            found.append((item.key, item.outcome.value, item.end, min(ends), len(ends)))
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
    """Acknowledgements on a branch after the first one on a newer branch."""

    writes: int
    certain: int
    seconds: float
    branches: list[Branch]
    untraced: int


def split_brain(case: Case) -> Split:
    """A branch is a timeline of one server. Those of one number are as old as their first write."""
    told = [item for item in case.writes if item.outcome in (Outcome.OK, Outcome.LOCAL)]
    named = [item for item in told if item.timeline is not None]
    writes = certain = 0
    spans: list[Span] = []
    at_once: set[Branch] = set()
    firsts: dict[Branch, float] = {}
    for item in named:
        firsts[branch(item)] = min(item.end, firsts.get(branch(item), item.end))
    ages = sorted((each[0], first, each[1]) for each, first in firsts.items())
    ordered = [(timeline, server) for timeline, _, server in ages]
    for place, old in enumerate(ordered):
        newer = ordered[place + 1 :]
        since = min((firsts[each] for each in newer), default=float("inf"))
        late = [item for item in named if branch(item) == old and item.end > since]
        if not late:
            continue
        writes += len(late)
        certain += sum(item.start > since for item in late)
        until = max(item.end for item in late)
        spans.append((since, until))
        at_once |= {old} | {each for each in newer if firsts[each] < until}
    untraced = len(told) - len(named)
    found = [each for each in ordered if each in at_once]
    return Split(writes, certain, covered(spans), found, untraced)


def branch(item: Operation) -> Branch:
    return item.timeline or 0, item.node or ""
