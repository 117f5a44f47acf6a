"""Whether a drill can have written a journal's marks, as to number and order. Pure.

The drill writes them one after the other (`lab.drills.drill`): the load starts and is steady, the
fault strikes or the first step begins, steps notice, decide and verify, the load stops, the lab is
healed. The fault's proof comes from a thread of its own, between the fault and the end of the load.

Where people act by hand, several things may happen in one run, each with marks of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from lab.core.words import listed
from lab.records.journalfile import ACTS, Journal, Mark, MarkName

STEPS_OWN: Final = frozenset({MarkName.DETECTED, MarkName.DECIDED, MarkName.RESTORED})
"""Steps write these, and a runbook may have several such steps. All others are there once."""

SEEN_ELSEWHERE: Final = frozenset({MarkName.STEADY, MarkName.DETECTED, MarkName.FAULT_PROVEN})
"""They tell an earlier moment, or are written beside the steps; all others are written as they
happen."""

CLOCKS: Final = 0.1
"""Seconds by which `detected`, which another program's clock told, may seem too late."""

STAGES: Final = (
    (MarkName.DRILL_STARTED,),
    (MarkName.LOAD_STARTED, MarkName.STEADY),
    ACTS,
    (MarkName.FAULT_PROVEN, MarkName.DECIDED, MarkName.RESTORED),
    (MarkName.LOAD_STOPPED,),
    (MarkName.HEALED,),
)
"""No mark of a row is later than one of a row below. `detected` is in none: a false alarm before
the fault may go over into the real one."""

ORDERS: Final = (
    *((first, then) for one, other in combinations(STAGES, 2) for first in one for then in other),
    (MarkName.DETECTED, MarkName.LOAD_STOPPED),
)
_SEVERAL: Final = frozenset({*ACTS, MarkName.FAULT_PROVEN})
"""Marks that one thing has which happens, and so several of them where people act by hand."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """Which marks a run may have `several` of, whether both acts, and which orders hold."""

    several: AbstractSet[MarkName]
    both: bool
    orders: tuple[tuple[MarkName, MarkName], ...]


_DRILL: Final = _Rules(STEPS_OWN, both=False, orders=ORDERS)
_BY_HAND: Final = _Rules(
    STEPS_OWN | _SEVERAL,
    both=True,
    orders=tuple(each for each in ORDERS if not {*each} <= STEPS_OWN | _SEVERAL),
)


def impossible(journal: Journal, *, by_hand: bool = False) -> str:
    """Which marks nothing writes like that; empty if there are none."""
    return next(_objections(journal, _BY_HAND if by_hand else _DRILL), "")


def _objections(journal: Journal, rules: _Rules) -> Iterator[str]:
    counts = Counter(mark.name for mark in journal.events)
    once = counts.keys() - rules.several
    yield from (f"{name} is there twice" for name in once if counts[name] > 1)
    if not rules.both and all(name in counts for name in ACTS):
        yield f"{listed(ACTS)} are both there"
    for first, then in rules.orders:
        if _later(journal, first, then):
            yield f"{first} is later than {then}"
    yield from _out_of_turn(journal.events)
    stopped = journal.at(MarkName.LOAD_STOPPED)
    for step in journal.steps:
        if stopped is not None and step.ended > stopped:
            yield f"{MarkName.LOAD_STOPPED} is before the end of the step {step.name!r}"


def _later(journal: Journal, first: MarkName, then: MarkName) -> bool:
    """Whether any mark of the one name is later than any of the other."""
    before, after = (
        [mark.at for mark in journal.events if mark.name is name] for name in (first, then)
    )
    return bool(before and after) and max(before) > min(after)


def _out_of_turn(events: tuple[Mark, ...]) -> Iterator[str]:
    """Marks that are written as they happen, and lie before one that was written earlier."""
    reached, by = float("-inf"), ""
    for mark in events:
        if mark.name not in SEEN_ELSEWHERE and mark.at < reached:
            yield f"{mark.name} is before {by}, and was written after it"
        at = mark.at - (CLOCKS if mark.name is MarkName.DETECTED else 0.0)
        if mark.name is not MarkName.FAULT_PROVEN and at > reached:
            reached, by = at, mark.name
