"""A second opinion on the lost writes: the commits in the WAL that the old primary left behind.

The first opinion sets what users were told against rows, by client key. This one shares neither
rows nor keys with it: what was lost must be what the old primary committed after the fork, by
timeline and transaction id. The tolerance is 0 rows, in both directions:

    lost write         its (timeline, xid) is among the commits after the fork
    any other commit   is explained by the row it left: see `Kind`

Where they disagree it is not known what was lost, and the verdict of the drill becomes unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from lab.load import OWN
from lab.rows import Opinion, Scalar
from lab.verdict import Comparison, Judgement, Objective, Verdict
from lab.waldump import Commit, short_xid

GUESTS: Final = "guest-"
"""Customers that sign up for one question of the tool."""

WAL_AGREES: Final = Objective(
    "wal_agrees",
    0,
    "writes",
    Comparison.AT_MOST,
    "what the users lost and what the old primary's WAL holds must be the same, to the row",
    Verdict.UNKNOWN,
)

LostWrite: TypeAlias = tuple[str, int | None, str | None]
"""A lost write: client key, and the timeline and transaction id of its acknowledgement."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a user was told of one write; timeline and xid where a commit was confirmed."""

    outcome: str
    timeline: int | None = None
    xid: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The row that a commit left: its table, and for an order the client key and the customer."""

    table: str
    key: str = ""
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one loser's disk says: commits after the fork, and whose they are by 32-bit xid.

    `commits` is None when they could not be read, with the reason in `problem`.
    """

    commits: tuple[Commit, ...] | None = None
    owners: Mapping[int, Owner] = field(default_factory=dict)
    problem: str = ""


class Kind(StrEnum):
    """What a commit after the fork was. The last three are disagreements."""

    LOST = "lost writes"
    ATTEMPT = "other attempts of lost writes"
    LOCAL = "told local"
    UNKNOWN = "told unknown"
    FAIL = "told fail"
    ELSEWHERE = "acknowledged by another attempt"
    OWN = "the lab's own orders"
    GUEST = "guests' orders"
    SIGN_UP = "sign-ups"
    PROBE = "readiness probes"
    NO_ROW = "no row of their own"
    KEPT = "acknowledged by this commit and not called lost"
    UNTOLD = "orders that the history does not know"
    MIXED = "orders with another key than the lost write"


_DISAGREE: Final = frozenset({Kind.KEPT, Kind.UNTOLD, Kind.MIXED})
_TABLES: Final[Mapping[str, Kind]] = {"customers": Kind.SIGN_UP, "readiness": Kind.PROBE}
_OUTCOMES: Final[Mapping[str, Kind]] = {
    "local": Kind.LOCAL,
    "unknown": Kind.UNKNOWN,
    "fail": Kind.FAIL,
}
_QUESTION: Final = "Does the write-ahead log of the old primary hold the same lost writes?"


def second_opinion(
    lost: Iterable[LostWrite],
    told: Callable[[str], Told | None],
    old: str,
    evidence: Mapping[str, Evidence],
    *,
    promoted: bool,
    fork: str,
    rowless: Iterable[str] = (),
) -> Opinion:
    """Hold the lost writes against the WAL of `old` (a server name).

    `told` finds a write of the history by client key; `evidence` is by server name, other nodes
    than `old` are only counted. `promoted` says whether any node was, `fork` is for the reader, and
    empty where it is not known. `rowless` are lost writes that a loser holds and told no row of.
    """
    writes = tuple(lost)
    counts: dict[str, Scalar] = {"node": old, "fork": fork, "lost": len(writes)}
    if not promoted:
        return _without_fork(len(writes), counts)
    if not fork:
        text = "there is no second opinion: it is not known where the new timeline left the old one"
        return _opinion(text, Verdict.UNKNOWN, counts)
    own = evidence.get(old, Evidence(problem=f"{old} was not read"))
    counts |= {
        f"commits {node}": len(each.commits)
        for node, each in sorted(evidence.items())
        if each.commits is not None
    }
    if own.commits is None:
        return _opinion(f"there is no second opinion: {own.problem}", Verdict.UNKNOWN, counts)
    compared = _Comparison(writes, told, own.commits, own.owners, tuple(rowless))
    verdict = Verdict.UNKNOWN if compared.objections else Verdict.PASS
    return _opinion(compared.sentence(old, fork), verdict, counts | compared.values())


def judged(opinion: Opinion) -> Judgement:
    """The opinion as an objective: disagreement, or no opinion at all, makes a drill unknown."""
    found = opinion.values.get("disagreements")
    number = float(found) if isinstance(found, int) else None
    return Judgement(WAL_AGREES, opinion.verdict, number, opinion.answer)


def _without_fork(lost: int, counts: dict[str, Scalar]) -> Opinion:
    if lost:
        text = f"{lost} writes are lost though no database was promoted: the WAL cannot say why"
        return _opinion(text, Verdict.UNKNOWN, counts)
    text = "no database was promoted: there is no fork, and nothing to compare"
    return _opinion(text, Verdict.PASS, {**counts, "disagreements": 0})


def _opinion(answer: str, verdict: Verdict, values: Mapping[str, Scalar]) -> Opinion:
    return Opinion(
        name="wal",
        question=_QUESTION,
        answer=answer,
        verdict=verdict,
        tolerance=0,
        unit=WAL_AGREES.unit,
        values=dict(values),
    )


class _Comparison:
    """Lost writes and commits side by side."""

    def __init__(
        self,
        lost: tuple[LostWrite, ...],
        told: Callable[[str], Told | None],
        commits: tuple[Commit, ...],
        owners: Mapping[int, Owner],
        rowless: tuple[str, ...] = (),
    ) -> None:
        self._told, self._owners = told, owners
        self._lost_keys = {key for key, _, _ in lost}
        self._pairs = {(commit.timeline, commit.xid) for commit in commits}
        self._expected = {_pair(line, xid): key for key, line, xid in lost}
        self.missing = tuple(each for each in lost if not self._is_found(each))
        self._kinds = [(commit, self._kind(commit)) for commit in commits]
        self.counts = Counter(kind for _, kind in self._kinds)
        self.objections = (
            *map(_missing, self.missing),
            *self._unexplained(),
            *(f"lost write {key!r} is on a loser, and no disk told its row" for key in rowless),
        )

    def _is_found(self, write: LostWrite) -> bool:
        key, timeline, xid = write
        pair = _pair(timeline, xid)
        return pair in self._pairs and self._expected[pair] == key

    def _kind(self, commit: Commit) -> Kind:
        owner = self._owners.get(commit.xid)
        key = self._expected.get((commit.timeline, commit.xid))
        if key is not None:
            mixed = owner is not None and owner.key != key
            return Kind.MIXED if mixed else Kind.LOST
        if owner is None:
            return Kind.NO_ROW
        return _TABLES.get(owner.table) or self._order(owner)

    def _order(self, owner: Owner) -> Kind:
        """What an order was whose commit acknowledged no lost write."""
        told = self._told(owner.key)
        if told is None:
            return _strangers(owner)
        if owner.key in self._lost_keys:
            return Kind.ATTEMPT
        if told.outcome in _OUTCOMES:
            return _OUTCOMES[told.outcome]
        # Told ok, and kept: then another commit than those after the fork was acknowledged,
        # such as that of a retry on the new primary.
        pair = _pair(told.timeline, told.xid)
        return Kind.KEPT if pair is None or pair in self._pairs else Kind.ELSEWHERE

    def _unexplained(self) -> Iterable[str]:
        for commit, kind in self._kinds:
            if kind in _DISAGREE:
                owner = self._owners[commit.xid]
                yield f"xid {commit.xid} wrote order {owner.key!r}: {kind.value}"

    def values(self) -> dict[str, Scalar]:
        """The figures by name; kinds that did not occur are left out."""
        numbers: dict[str, Scalar] = {
            "commits": len(self._kinds),
            "not in the WAL": len(self.missing),
            "disagreements": len(self.objections),
        }
        return numbers | {kind.value: self.counts[kind] for kind in Kind if self.counts[kind]}

    def sentence(self, old: str, fork: str) -> str:
        """The answer in one sentence; at most three objections are spelled out."""
        where = f"the {len(self._kinds)} commits that {old} has after the fork at {fork}"
        if self.objections:
            rest = len(self.objections) - 3
            more = f"; and {rest} more" if rest > 0 else ""
            return f"no, against {where}: {'; '.join(self.objections[:3])}{more}"
        others = [
            f"{self.counts[kind]} {kind.value}"
            for kind in Kind
            if kind is not Kind.LOST and self.counts[kind]
        ]
        found = f"yes: {self.counts[Kind.LOST]} of {len(self._lost_keys)} lost writes are among"
        return f"{found} {where}" + (f"; the others: {', '.join(others)}" if others else "")


def _pair(timeline: int | None, xid: str | None) -> tuple[int, int] | None:
    """How WAL names the commit of an acknowledgement; None when it did not say."""
    if timeline is None or xid is None or not xid.isdecimal():
        return None
    return timeline, short_xid(xid)


def _missing(write: LostWrite) -> str:
    key, timeline, xid = write
    return f"lost write {key!r} (timeline {timeline}, xid {xid}) is not in the WAL"


def _strangers(owner: Owner) -> Kind:
    """Orders that no user of the history placed."""
    if owner.key.startswith(OWN):
        return Kind.OWN
    return Kind.GUEST if owner.customer.startswith(GUESTS) else Kind.UNTOLD
