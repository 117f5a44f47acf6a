"""Recorded checks, played to the steering's own decision at the pace that it asks for. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf
from typing import Final

from apps.steering.checks import Check, Kind
from apps.steering.decide import State, Thresholds, View, choose
from lab.core.topology import REGIONS
from lab.patience.recorded import Sequence

SLACK: Final = 0.02
"""Seconds that a recorded check may have begun too early for the pace."""

_NAMES: Final = tuple(each.name for each in REGIONS)
_READY: Final = View().after(Check("", 0.0, 0.0, Kind.READY), Thresholds(), View())
_ANSWERED: Final = frozenset((Kind.READY, Kind.UNREADY, Kind.CUT_OFF))


@dataclass(frozen=True, slots=True)
class Change:
    """From when on a region is believed to be in a state."""

    at: float
    region: str
    state: State


@dataclass(slots=True)
class Played:
    """What came of it: when users were sent elsewhere and home in turn, what was believed when."""

    moves: list[float] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    asked: int = 0

    def of(self, region: str) -> list[Change]:
        """The changes of belief about one region."""
        return [each for each in self.changes if each.region == region]

    def fell(self, region: str) -> list[float]:
        """When a region was believed worse than before."""
        before, found = State.READY, list[float]()
        for each in self.of(region):
            found += [each.at] if each.state < before else []
            before = each.state
        return found


def play(seen: Sequence, limits: Thresholds, phase: float = 0.0) -> Played:
    """What the decision makes of a sequence; the first check of each region is due at `phase`.

    Both regions are believed ready before it, and users are at home.
    """
    steering = _Steering(seen, limits, phase)
    while steering.goes_on():
        pass
    return steering.played


class _Pace:
    """Which of a region's recorded checks are made: one each interval."""

    def __init__(self, checks: list[Check], phase: float) -> None:
        self._checks = sorted(checks, key=lambda each: each.began)
        self._begins = [each.began for each in self._checks]
        self._due, self._began = phase, -inf

    @property
    def next(self) -> float:
        """When the next one begins."""
        place = self._place()
        return self._begins[place] if place < len(self._begins) else inf

    def take(self, pause: float) -> Check:
        """The next one. Another one is due after so many seconds."""
        found = self._checks[self._place()]
        self._began, self._due = found.began, found.began + pause
        return found

    def hurry(self, now: float, urgent: float) -> None:
        """Let the next one begin at once, but not sooner than `urgent` after the latest."""
        self._due = min(self._due, max(now, self._began + urgent))

    def _place(self) -> int:
        return bisect_left(self._begins, max(self._due - SLACK, self._began + SLACK / 2))


class _Steering:
    """The loop of a steering that sees what was recorded."""

    def __init__(self, seen: Sequence, limits: Thresholds, phase: float) -> None:
        self._seen, self._limits = seen, limits
        self._paces = {
            name: _Pace([each for each in seen.checks if each.region == name], phase)
            for name in _NAMES
        }
        self._views = dict.fromkeys(_NAMES, _READY)
        self._under_way = list[Check]()
        self._breaks = sorted(seen.broke, key=lambda each: -each[1])
        self._lines, self._broke = set(_NAMES), dict[str, float]()
        self._doubted, self._at_own = False, True
        self.played = Played()

    def goes_on(self) -> bool:
        """What happens next; False when all is over."""
        ends = min((each.ended for each in self._under_way), default=inf)
        breaks = self._breaks[-1][1] if self._breaks else inf
        name = min(_NAMES, key=lambda each: self._paces[each].next)
        starts = self._paces[name].next
        first = min(ends, breaks, starts)
        if first == inf:
            return False
        if first == ends:
            self._end(min(self._under_way, key=lambda each: each.ended))
        elif first == breaks:
            self._break(*self._breaks.pop())
        else:
            self._start(name)
        return True

    def _start(self, name: str) -> None:
        pause = self._limits.urgent if self._doubted else self._limits.interval
        self._under_way.append(self._paces[name].take(pause))
        self.played.asked += 1

    def _break(self, name: str, now: float) -> None:
        """The connection of the latest good check breaks: no evidence, but a reason to look."""
        if name in self._lines:
            self._lines.remove(name)
            self._broke[name] = now
            self._doubt(now)

    def _doubt(self, now: float) -> None:
        self._doubted = True
        for each in self._paces.values():
            each.hurry(now, self._limits.urgent)

    def _end(self, check: Check) -> None:
        self._under_way.remove(check)
        if self._broke.get(check.region, inf) <= check.began:
            del self._broke[check.region]
        if check.kind in _ANSWERED:
            self._lines.add(check.region)
        self._believe(check)
        doubted = bool(self._broke) or any(view.doubted for view in self._views.values())
        if doubted and not self._doubted:
            self._doubt(check.ended)
        self._doubted = doubted
        self._decide(check.ended)

    def _believe(self, check: Check) -> None:
        before = self._views[check.region]
        other = next(self._views[name] for name in _NAMES if name != check.region)
        after = before.after(check, self._limits, other)
        self._views[check.region] = after
        if after.state is not None and after.state != before.state:
            self.played.changes.append(Change(check.ended, check.region, after.state))

    def _decide(self, now: float) -> None:
        own = self._views[self._seen.viewer]
        other = next(self._views[name] for name in _NAMES if name != self._seen.viewer)
        rule = choose(own, other, self._at_own, self._limits, now)
        if rule is not None and rule.choose_own != self._at_own:
            self.played.moves.append(now)
            self._at_own = rule.choose_own
