"""The two second opinions, and how verdicts combine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from reference.case import PATIENCE
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
    """The longest pause after the fault of those tries; of equal ones the first."""
    good = [each for each in tries if each.ok and fault < each.start < ended]
    best = Range(fault, 0.0, 0.0)
    for begin in sorted({fault, *(each.start for each in good)}):
        later = [each for each in good if each.start > begin]
        most = min([ended, *(each.end for each in later)])
        least = min([most, *(each.start for each in later)])
        if most - begin > best.most:
            best = Range(begin, least - begin, most - begin)
    return best


def apart(one: Range, other: Range) -> float:
    """How far two ranges of seconds lie apart; 0 when they overlap."""
    return max(0.0, one.least - other.most, other.least - one.most)


def slept(tries: list[Try], found: Range, fault: float, ended: float) -> bool:
    """True when the stopwatch tried nothing for too long: anywhere, or near an end of its gap."""
    until = found.begin + found.most
    back = [
        each.start
        for each in tries
        if each.ok and found.begin < each.start < ended and same(each.end, until)
    ]
    ends = (found.begin, *(back or [until]))
    starts = sorted(each.start for each in tries if fault < each.start < ended)
    for begin, end in pairwise([fault, *starts, ended]):
        near = any(begin < at + SILENCE and end > at - SILENCE for at in ends)
        if end - begin > PATIENCE or (near and end - begin > SILENCE):
            return True
    return False


def same(one: float, other: float) -> bool:
    return abs(one - other) < 1e-9


def stopwatch(tries: list[Try], users: Range, fault: float, ended: float) -> str:
    """The verdict of holding the stopwatch's longest pause against the users'."""
    if ended <= fault:
        return "unknown"
    watch = pause(tries, fault, ended)
    if slept(tries, watch, fault, ended):
        return "unknown"
    return "pass" if apart(watch, users) <= APART else "unknown"


@dataclass(frozen=True)
class Left:
    """The row that a commit left: its table, and an order's key."""

    table: str
    key: str = ""
    guest: bool = False


Commit = tuple[str, int, int]
"""A server, a timeline and 32 bits of a transaction id: no two of the three name one commit."""


@dataclass(frozen=True)
class Log:
    """What the logs of the replaced primaries hold, beside what users were told of each write.

    An acknowledgement names its commit by server, timeline and 64-bit transaction id, or not at
    all. A row is found by its server and the 32 bits.
    """

    lost: list[str]
    told: dict[str, tuple[str, str, int | None, int | None]]
    commits: list[Commit]
    rows: dict[tuple[str, int], Left]

    def commit_of(self, key: str) -> Commit | None:
        """The commit that acknowledged a write, as the log names it."""
        _, server, timeline, xid = self.told[key]
        return None if timeline is None or xid is None else (server, timeline, xid % 2**32)

    def lost_by(self, commit: Commit | None) -> str | None:
        """The lost write that a commit acknowledged; of several the last, since it can be one."""
        return next((key for key in reversed(self.lost) if self.commit_of(key) == commit), None)


def missing(log: Log) -> list[str]:
    """Lost writes for which the log holds no commit."""
    return [
        key
        for key in log.lost
        if log.commit_of(key) not in log.commits or log.lost_by(log.commit_of(key)) != key
    ]


def unexplained(log: Log) -> list[Commit]:
    """Commits that are no lost write and that nothing explains."""
    return [commit for commit in log.commits if not explained(log, commit)]


def explained(log: Log, commit: Commit) -> bool:
    server, _, xid = commit
    left = log.rows.get((server, xid))
    owner = log.lost_by(commit)
    if owner is not None:
        return left is None or left.key == owner
    if left is None or left.table != "orders":
        return True
    if left.key not in log.told:
        return left.guest or left.key.startswith(LABS_OWN)
    acknowledged = log.told[left.key][0] == "ok" and left.key not in log.lost
    own = log.commit_of(left.key)
    return not acknowledged or (own is not None and own not in log.commits)


def wal(log: Log) -> str:
    """The verdict of holding the lost writes against the log."""
    return "unknown" if missing(log) or unexplained(log) else "pass"


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────


def worst(verdicts: Iterable[str]) -> str:
    """`fail` over `unknown` over `pass`; nothing judged is unknown."""
    found = set(verdicts)
    return next((each for each in ("fail", "unknown", "pass") if each in found), "unknown")


def judged(
    found: float | None, bound: float | None, limit: float, comparison: str, breach: str
) -> str:
    """One figure against its objective. A figure that is missing fails by its bound alone."""
    if found is None or found != found:
        beyond = comparison == "at_most" and bound is not None and bound > limit
        return breach if beyond else "unknown"
    if comparison == "exactly":
        return "pass" if found == limit else breach
    holds = found <= limit if comparison == "at_most" else found >= limit
    return "pass" if holds else breach
