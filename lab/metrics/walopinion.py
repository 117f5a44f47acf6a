"""A second opinion on the lost writes: the commits in the WAL that the old primary left behind.

The first opinion sets what users were told against rows, by client key. This one shares neither
rows nor keys with it: what was lost must be what the old primary committed after the fork, or any
other node that was promoted beside the winner: by server, timeline and transaction id. The
tolerance is 0 rows, in both directions:

    lost write         its (server, timeline, xid) is among the commits after the fork
    any other commit   is explained by the row it left: see `Kind`

Where they disagree it is not known what was lost, and the verdict of the drill becomes unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from lab.core.load import OWN
from lab.core.verdict import Comparison, Judgement, Objective, Verdict
from lab.core.words import count, listed
from lab.metrics.measure import Fork
from lab.metrics.waldump import Commit, short_xid
from lab.records.resultrows import Opinion, Scalar

GUESTS: Final = "guest-"
"""Customers that sign up for one question of the tool."""

WAL_AGREES: Final = Objective(
    "wal_agrees", 0, "writes", Comparison.AT_MOST,
    "what the users lost and what the old primary's WAL holds must be the same, to the row",
    Verdict.UNKNOWN,
)  # fmt: skip

LostWrite: TypeAlias = tuple[str, int | None, str | None]
"""A lost write: client key, and the timeline and transaction id of its acknowledgement."""
_Name: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What a user was told of a write (`earlier`: it was lost before), and where it committed."""

    outcome: str
    timeline: int | None = None
    xid: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The row that a commit left: its table, and for an order the client key and the customer."""

    table: str
    key: str = ""
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one loser's disk says: commits after the fork, and whose they are by 32-bit xid.

    `commits` is None when they could not be read, with the reason in `problem`. `branches` are
    the stretches of WAL that a primary has beside the winner's; a standby has none of its own.
    """

    commits: tuple[Commit, ...] | None = None
    owners: Mapping[int, Owner] = field(default_factory=dict)
    problem: str = ""
    branches: tuple[Fork, ...] = ()


class Kind(StrEnum):
    """What a commit after the fork was. The last three are disagreements."""

    LOST = "lost writes"
    ATTEMPT = "other attempts of lost writes"
    LOCAL = "told local"
    UNKNOWN = "told unknown"
    FAIL = "told fail"
    ELSEWHERE = "acknowledged by another attempt"
    EARLIER = "lost before the measured part"
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
_OUTCOMES: Final = {
    each.name.lower(): each for each in (Kind.LOCAL, Kind.UNKNOWN, Kind.FAIL, Kind.EARLIER)
}
_TOLD: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.LOST: ("the lost order", "the lost orders"),
    Kind.ATTEMPT: ("another attempt at a lost order", "other attempts at lost orders"),
    Kind.LOCAL: ("an order that was answered `local`", "orders that were answered `local`"),
    Kind.UNKNOWN: ("an order whose user got no answer", "orders whose users got no answer"),
    Kind.FAIL: ("an order that was answered `fail`", "orders that were answered `fail`"),
    Kind.ELSEWHERE: (
        "an order that another commit acknowledged",
        "orders that other commits acknowledged",
    ),
    Kind.EARLIER: ("an order that was lost before", "orders that were lost before"),
    Kind.OWN: ("an order of the lab itself", "orders of the lab itself"),
    Kind.GUEST: ("an order of a guest", "orders of guests"),
    Kind.SIGN_UP: ("a sign-up", "sign-ups"),
    Kind.PROBE: ("a readiness probe", "readiness probes"),
    Kind.NO_ROW: ("a commit that left no row of its own", "commits that left no row of their own"),
}
"""What is said of one such commit and of several; where opinions disagree, each has a sentence."""
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

    `told` finds a write of the history by client key; `evidence` is by server name. Of the nodes
    beside `old`, those with branches of their own are compared too, the others only counted.
    `promoted` says whether the winner was, `fork` is for the reader, and empty where it is not
    known. `rowless` are lost writes that a loser holds and told no row of.
    """
    writes = tuple(lost)
    counts: dict[str, Scalar] = {"node": old, "fork": fork, "lost": len(writes)}
    rivals = sorted(name for name, each in evidence.items() if each.branches and name != old)
    if not promoted and not rivals:
        return _without_fork(len(writes), counts)
    if promoted and not fork:
        text = "there is no second opinion: it is not known where the new timeline left the old one"
        return _opinion(text, Verdict.UNKNOWN, counts)
    counts |= {
        f"commits {node}": len(each.commits)
        for node, each in sorted(evidence.items())
        if each.commits is not None
    }
    takers = [old, *rivals] if promoted else rivals
    looked = {each: evidence.get(each, Evidence(problem=f"{each} was not read")) for each in takers}
    if problem := next((each.problem for each in looked.values() if each.commits is None), ""):
        return _opinion(f"there is no second opinion: {problem}", Verdict.UNKNOWN, counts)
    compared = _Comparison(writes, told, old, looked, tuple(rowless))
    verdict = Verdict.UNKNOWN if compared.objections else Verdict.PASS
    return _opinion(compared.sentence(fork), verdict, counts | compared.values())


def judged(opinion: Opinion) -> Judgement:
    """The opinion as an objective: disagreement, or no opinion at all, makes a drill unknown."""
    found = opinion.values.get("disagreements")
    number = float(found) if isinstance(found, int) else None
    return Judgement(WAL_AGREES, opinion.verdict, number, opinion.answer)


def _without_fork(lost: int, counts: dict[str, Scalar]) -> Opinion:
    if lost:
        why = "none was promoted, or it came back and gave up its old timeline"
        text = f"{lost} writes are lost, and the primary is the first one again: {why}"
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
        old: str,
        looked: Mapping[str, Evidence],
        rowless: tuple[str, ...] = (),
    ) -> None:
        self._told, self._old, self._looked = told, old, looked
        self._lost_keys = {key for key, _, _ in lost}
        commits = [(node, commit) for node, each in looked.items() for commit in each.commits or ()]
        self._names = {(node, commit.timeline, commit.xid) for node, commit in commits}
        self._expected = {self._name(each): each[0] for each in lost}
        self.missing = tuple(each for each in lost if not self._is_found(each))
        self._kinds = [(node, commit, self._kind(node, commit)) for node, commit in commits]
        self.counts = Counter(kind for _, _, kind in self._kinds)
        self.objections = (
            *map(_missing, self.missing),
            *self._unexplained(),
            *(f"lost write {key!r} is on a loser, and no disk told its row" for key in rowless),
        )

    def _name(self, write: LostWrite) -> _Name | None:
        key, timeline, xid = write
        told = self._told(key)
        return _name(told.node if told else None, timeline, xid, self._old)

    def _is_found(self, write: LostWrite) -> bool:
        name = self._name(write)
        return name in self._names and self._expected[name] == write[0]

    def _kind(self, node: str, commit: Commit) -> Kind:
        owner = self._looked[node].owners.get(commit.xid)
        key = self._expected.get((node, commit.timeline, commit.xid))
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
        name = _name(told.node, told.timeline, told.xid, self._old)
        return Kind.KEPT if name is None or name in self._names else Kind.ELSEWHERE

    def _unexplained(self) -> Iterable[str]:
        for node, commit, kind in self._kinds:
            if kind in _DISAGREE:
                owner = self._looked[node].owners[commit.xid]
                yield f"xid {commit.xid} wrote order {owner.key!r}: {kind.value}"

    def values(self) -> dict[str, Scalar]:
        """The figures by name; kinds that did not occur are left out."""
        numbers: dict[str, Scalar] = {
            "commits": len(self._kinds),
            "not in the WAL": len(self.missing),
            "disagreements": len(self.objections),
        }
        return numbers | {kind.value: self.counts[kind] for kind in Kind if self.counts[kind]}

    def sentence(self, fork: str) -> str:
        """The answer in one sentence; at most three objections are spelled out."""
        have = f"{listed([*self._looked])} {'has' if len(self._looked) == 1 else 'have'}"
        since = f"after the fork at {fork}" if fork else "since it was promoted by itself"
        told = f"{have} {count(len(self._kinds), 'commit')} {since}"
        if self.objections:
            rest = len(self.objections) - 3
            more = f"; and {rest} more" if rest > 0 else ""
            return f"disagrees: {told}. {'; '.join(self.objections[:3])}{more}"
        if not self._kinds:
            return f"agrees: {told}, and no order is lost"
        found = [_counted(kind, self.counts[kind]) for kind in _TOLD if self.counts[kind]]
        none = [] if self.counts[Kind.LOST] else ["None is a lost order"]
        return f"agrees: {told}. {'; '.join([*none, *found])}"


def _counted(kind: Kind, number: int) -> str:
    one, many = _TOLD[kind]
    return f"{number:,} {f'is {one}' if number == 1 else f'are {many}'}"


def _name(node: str | None, timeline: int | None, xid: str | None, old: str) -> _Name | None:
    """The commit of an acknowledgement by server, timeline and xid; None when it did not say."""
    if timeline is None or xid is None or not xid.isdecimal():
        return None
    return node or old, timeline, short_xid(xid)


def _missing(write: LostWrite) -> str:
    key, timeline, xid = write
    return f"lost write {key!r} (timeline {timeline}, xid {xid}) is not in the WAL"


def _strangers(owner: Owner) -> Kind:
    """Orders that no user of the history placed."""
    if owner.key.startswith(OWN):
        return Kind.OWN
    return Kind.GUEST if owner.customer.startswith(GUESTS) else Kind.UNTOLD
