"""The two second opinions, and how verdicts combine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reference.writes import LABS_OWN

APART = 0.050
SILENCE = 0.100


@dataclass(frozen=True)
class Try:
    """One attempt, and whether it went through."""

    start: float
    end: float
    ok: bool


@dataclass(frozen=True)
class Range:
    """The longest time in which nothing went through: from `begin`, `least` to `most` seconds."""

    begin: float
    least: float
    most: float


def pause(tries: list[Try], fault: float, ended: float) -> Range:
    """The longest pause after the fault of those tries."""
    good = sorted((each for each in tries if each.ok), key=lambda each: each.start)
    best = Range(fault, 0.0, 0.0)
    begins = sorted({fault, *(each.start for each in good if each.start > fault)})
    for begin in begins:
        later = [each for each in good if each.start > begin and each.end > fault]
        most = min([ended, *(each.end for each in later)])
        least = min([ended, *(each.start for each in later)])
        if most - begin > best.most:
            best = Range(begin, min(least, most) - begin, most - begin)
    return best


def apart(one: Range, other: Range, fault: float) -> float:
    """How far two ranges of seconds lie apart; 0 when they overlap."""
    return max(0.0, one.least - other.most, other.least - one.most)


def watch_slept(tries: list[Try], found: Range) -> bool:
    """True when 100 ms near an end of the stopwatch's own gap are without a try."""
    starts = sorted(each.start for each in tries)
    for near in (found.begin, found.begin + found.most):
        before = [start for start in starts if start <= near]
        after = [start for start in starts if start > near]
        if not before or not after or min(after) - max(before) > SILENCE:
            return True
    return False


@dataclass(frozen=True)
class Left:
    """The row that a commit left: its table, and an order's key."""

    table: str
    key: str = ""
    guest: bool = False


def explained(
    commit: tuple[int, int], left: Left | None, told: dict[str, tuple[str, int | None, int | None]]
) -> str | None:
    """Why a commit that is no lost write is there, or None for a disagreement."""
    if left is None:
        return "no row"
    if left.table != "orders":
        return left.table
    if left.key.startswith(LABS_OWN) or left.guest:
        return "own"
    if left.key not in told:
        return None
    outcome, timeline, xid = told[left.key]
    if outcome != "ok":
        return outcome
    same = xid is not None and (timeline, xid % 2**32) == commit
    return None if same else "another attempt"


def wal(
    lost: list[tuple[str, int | None, int | None]],
    told: dict[str, tuple[str, int | None, int | None]],
    commits: list[tuple[int, int]],
    rows: dict[int, Left],
) -> tuple[int, list[tuple[int, int]]]:
    """Lost writes that the log lacks, and other commits that nothing explains."""
    those = {(timeline, xid % 2**32) for _, timeline, xid in lost if xid is not None}
    missing = sum(
        xid is None or (timeline, xid % 2**32) not in commits for _, timeline, xid in lost
    )
    others = [commit for commit in commits if commit not in those]
    return missing, [each for each in others if explained(each, rows.get(each[1]), told) is None]


def worst(verdicts: Iterable[str]) -> str:
    """`fail` over `unknown` over `pass`."""
    found = set(verdicts)
    return next((each for each in ("fail", "unknown") if each in found), "pass")
