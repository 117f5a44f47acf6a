"""What steering believes about a region, and where it sends users: no input, no output, no time.

A region is *ready* when it proved that it can take an order, *live* when anything answered over
HTTP, *down* when nothing did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from .checks import Check, Kind  # relative: the tool reads this file as `apps.steering.decide`

SAME_TIME = 1.0  # seconds between the first signs of one failure in both regions


class State(IntEnum):
    """The states of a region, worst first."""

    DOWN = 0
    LIVE = 1
    READY = 2

    @property
    def label(self) -> str:
        """The name used outside this program."""
        return self.name.lower()


def state_of(kind: Kind) -> State:
    """The state that one check saw."""
    states = {Kind.READY: State.READY, Kind.UNREADY: State.LIVE, Kind.CUT_OFF: State.LIVE}
    return states.get(kind, State.DOWN)


def supports(one: Kind, other: Kind) -> bool:
    """True if two failures at the same time are likely to be one.

    On a busy machine answers are late everywhere: that goes with a region that cannot be reached,
    and with nothing else.
    """
    slow = {Kind.LATE, Kind.UNREADY, Kind.CUT_OFF}
    return Kind.LATE not in (one, other) or not {one, other} <= slow


@dataclass(frozen=True)
class Thresholds:
    """How much evidence changes a belief: checks in a row, and the seconds that they span.

    A check begins each `interval`. Checks follow each other after `urgent` as long as one of them
    contradicts a belief.

    A failure of one region alone may be a short fault of one link, and must last `alone`. When the
    other region fails at the same time, `together` is enough. A check whose answer is late may
    only tell of a busy machine: `late` holds for it.
    A region that answers that it is not ready may only be making new connections to its primary,
    as after a fault of a link that is long over: `unready` holds for it alone. One that says that
    it cannot reach its primary now is judged as one that cannot be reached itself.
    """

    fall: int = 3
    rise: int = 2
    together: float = 0.4
    alone: float = 1.0
    late: float = 1.5
    unready: float = 2.0
    recover: float = 0.5
    away: float = 1.2  # for how long the other region must have been ready before users go there
    home: float = 3.0  # and for how long their own one, before they go home
    interval: float = 0.5
    urgent: float = 0.1

    def lasting(self, kind: Kind, supported: bool) -> float:
        """For how many seconds a failure must have lasted."""
        if supported:
            return self.together
        return {Kind.LATE: self.late, Kind.UNREADY: self.unready}.get(kind, self.alone)


@dataclass(frozen=True)
class Belief:
    """One thing believed about a region, and the checks in a row that have contradicted it."""

    holds: bool | None = None  # None until the first check, which is believed at once
    against: int = 0
    since: float = 0.0  # when the first of them began

    def after(self, check: Check, says: bool, enough: int, lasting: float) -> Belief:
        """The belief after a check that says so."""
        if self.holds is None or says == self.holds:
            return Belief(says)
        against, since = self.against + 1, self.since if self.against else check.began
        if against >= enough and check.ended - since >= lasting:
            return Belief(says)
        return Belief(self.holds, against, since)


@dataclass(frozen=True)
class View:
    """What is believed about one region, and the last evidence."""

    answers: Belief = Belief()
    ready: Belief = Belief()
    began: float = float("-inf")  # the latest check that counts
    kind: Kind = Kind.READY  # what that one saw
    failing_since: float | None = None  # when the first check since the last good one began
    failed: float = float("-inf")  # when the latest bad one ended

    @property
    def state(self) -> State | None:
        """What is believed; None until the first check has ended."""
        if self.ready.holds is None:
            return None
        if self.ready.holds:
            return State.READY
        return State.LIVE if self.answers.holds else State.DOWN

    @property
    def doubted(self) -> bool:
        """True while the latest checks contradict what is believed."""
        return bool(self.ready.against or self.answers.against)

    def after(self, check: Check, limits: Thresholds, other: View) -> View:
        """The view after a check; `other` is the view of the other region.

        Checks overlap; one that was begun before the latest to end is too old to count.
        """
        if check.began <= self.began:
            return self
        seen = state_of(check.kind)
        bad = seen is not State.READY
        first = check.began if self.failing_since is None else self.failing_since
        supported = other.fails_since(first) and supports(check.kind, other.kind)
        fall = limits.lasting(check.kind, supported)
        answers, ready = (
            belief.after(
                check, says, *((limits.rise, limits.recover) if says else (limits.fall, fall))
            )
            for belief, says in ((self.answers, seen > State.DOWN), (self.ready, not bad))
        )
        return View(
            answers=answers,
            ready=ready,
            began=check.began,
            kind=check.kind,
            failing_since=first if bad else None,
            failed=check.ended if bad else self.failed,
        )

    def fails_since(self, moment: float) -> bool:
        """True if this region fails now and began to at about that moment."""
        return self.failing_since is not None and abs(self.failing_since - moment) <= SAME_TIME

    def failing_for(self, now: float) -> float:
        """For how many seconds every check has failed; 0 if the latest one did not."""
        return 0.0 if self.failing_since is None else now - self.failing_since


@dataclass(frozen=True)
class Rule:
    """A row of the table below: the first one that applies decides."""

    own: State | None  # None: whatever it is
    other: State | None
    choose_own: bool
    why: str


RULES: tuple[Rule, ...] = (
    Rule(State.READY, None, True, "the own region takes orders"),
    Rule(None, State.READY, False, "only the other region takes orders"),
    Rule(State.LIVE, None, True, "no region takes orders; the own one answers and may serve reads"),
    Rule(None, State.LIVE, False, "no region takes orders; only the other one answers"),
    Rule(None, None, True, "nothing answers: this checker may be what is broken, so fail open"),
)


WHOLE = 100


@dataclass(frozen=True)
class Pin:
    """An operator who knows better than any probe: `share` per cent of look-ups go to a region.

    The others go to the other region. `by` is who pinned it, in that operator's words.
    """

    region: str
    share: int = WHOLE
    by: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.region if self.share == WHOLE else f"{self.region} {self.share} %"


PINNED = "pinned by an operator"


@dataclass(frozen=True)
class Answer:
    """What look-ups get: each address with its weight, and why."""

    weights: tuple[tuple[str, int], ...]
    why: str

    @property
    def addresses(self) -> tuple[str, ...]:
        """Without the weights."""
        return tuple(address for address, _ in self.weights)

    def __str__(self) -> str:
        if len(self.weights) == 1:
            return self.weights[0][0]
        return ", ".join(f"{address} {weight} %" for address, weight in self.weights)


def pinned(pin: Pin, answers: Mapping[str, str]) -> Answer:
    """The answer that an operator wants; `answers` are addresses by region."""
    rest = [name for name in answers if name != pin.region] if pin.share < WHOLE else []
    weights = [(answers[pin.region], pin.share), *((answers[o], WHOLE - pin.share) for o in rest)]
    return Answer(tuple(weights), PINNED)


def decide(own: State, other: State) -> Rule:
    """The rule that says where users of a region go."""
    return next(rule for rule in RULES if rule.own in (None, own) and rule.other in (None, other))


def choose(
    own: View, other: View, at_own: bool | None, limits: Thresholds, now: float
) -> Rule | None:
    """The rule to follow at `now`, or None to leave users where they are.

    `at_own` says where they were sent last. They leave a region only while it goes on failing, for
    one that is better off. They are not sent to a region that has only just become ready, or
    failed a check a moment ago. None too until both regions were checked.
    """
    if own.state is None or other.state is None:
        return None
    rule = decide(own.state, other.state)
    if at_own in (None, rule.choose_own):
        return rule
    here, there = (other, own) if rule.choose_own else (own, other)
    if there.state is not State.READY and there.state == here.state:
        return None
    if there.state is State.READY and now - there.failed < (
        limits.home if rule.choose_own else limits.away
    ):
        return None
    if here.state is not State.READY and here.failing_for(now) < limits.alone:
        return None
    return rule
