"""What steering believes about a region, and where it sends users: no input, no output, no time.

A region is *ready* when it proved that it can take an order, *live* when anything answered over
HTTP, *down* when nothing did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum


class State(IntEnum):
    """The states of a region, worst first."""

    DOWN = 0
    LIVE = 1
    READY = 2

    @property
    def label(self) -> str:
        """The name used outside this program."""
        return self.name.lower()


def state_of(status: int | None) -> State:
    """The state that one probe saw: an HTTP status, or None when nothing answered."""
    if status is None:
        return State.DOWN
    return State.READY if status == 200 else State.LIVE


@dataclass(frozen=True)
class View:
    """What is believed about one region.

    `state` is None until the first probe has ended. `streak` holds what the latest probes saw,
    as long as all of them were better than `state`, or all worse.
    """

    state: State | None = None
    streak: tuple[State, ...] = ()
    last_probe: int = 0

    def after(self, probe: int, seen: State, fall: int, rise: int) -> View:
        """The view after probe number `probe` saw `seen`.

        The state changes after `fall` probes in a row that were all worse, or `rise` that were
        all better, to the state that every one of them supports. The first probe is believed at
        once. Probes overlap; one that was begun before the latest to end is too old to count.
        """
        if probe <= self.last_probe:
            return self
        if self.state is None or seen == self.state:
            return View(seen, (), probe)
        worse = seen < self.state
        if self.streak and (self.streak[0] < self.state) != worse:
            streak: tuple[State, ...] = (seen,)
        else:
            streak = (*self.streak, seen)
        if len(streak) < (fall if worse else rise):
            return replace(self, streak=streak, last_probe=probe)
        return View(max(streak) if worse else min(streak), (), probe)


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

    The others go to the other region.
    """

    region: str
    share: int = WHOLE

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
