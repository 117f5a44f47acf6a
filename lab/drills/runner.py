"""Runs a runbook on the lab as it stands, step by step, and resumes one that stopped half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeGuard

from lab.core.errors import LabError, UsageError
from lab.core.topology import DATABASES, REGIONS, Place
from lab.postgres.server import NodeState
from lab.records.journalfile import Journal
from lab.records.runfiles import JOURNAL
from lab.runbooks.runbook import Call, Plan, Runbook, after_failure
from lab.steps import catalogue
from lab.steps.context import Ask, Context, Ending, agreed
from lab.testbed import runbookprogress
from lab.testbed.fences import may_wake_as_primary
from lab.testbed.journalwriter import EngineClock, Observer, Recorder
from lab.testbed.lab import Lab
from lab.testbed.runbookprogress import Progress, Sight

Before = Callable[[int, Call], None]
"""Called before each step with its number (from 1): shows it, or waits for a person."""


def at_once(_number: int, _call: Call) -> None:
    """Does not wait."""


def nothing() -> None:
    """Does nothing between two steps."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a runbook is run: who is asked, what happens before each step, and what is forced.

    `between` is called between two steps, when nothing is under way.
    """

    ask: Ask = agreed
    before: Before = at_once
    force: bool = False
    between: Callable[[], None] = nothing
    observers: tuple[Observer, ...] = ()

    @property
    def by_hand(self) -> bool:
        """True when a person confirms each step before it is done."""
        return self.before is not at_once


def is_healthy(lab: Lab, plan: Plan) -> str:
    """Why there seems to be nothing to fail over from; empty if there is a reason.

    The old primary answers as one, the new node streams, and both regions take orders.
    """
    try:
        old, new = lab.databases[plan.old].state(), lab.databases[plan.new].state()
        ready = [each.name for each in REGIONS if lab.guests[each].ready()[0]]
    except LabError:
        return ""
    if old.role != "primary" or "streaming" not in new.receiver or len(ready) < len(REGIONS):
        return ""
    return (
        f"{plan.old} is primary and answers, {plan.new} streams, both regions take orders:"
        " nothing is wrong"
    )


def refuse_the_wrong_way(lab: Lab, plan: Plan) -> None:
    """Raise UsageError when the primary is none that the plan knows.

    Then it is a runbook of another day: it would fence a standby, and promote beside a primary.
    """
    leads = f"this runbook moves the primary from {plan.old} to {plan.new}"
    primaries = lab.databases.primaries()
    for place in DATABASES:
        if place in (plan.old, plan.new):
            continue
        if place in primaries:
            raise UsageError(
                f"{leads}, but {place} is primary",
                f"use a runbook whose `from` is {place}: lab runbook list",
            )
        if may_wake_as_primary(lab, place):
            raise UsageError(
                f"{leads}, but {place} is frozen and a primary",
                f"unfreeze {place} first: lab fault heal freeze --node {place}",
            )


def unfinished(lab: Lab, runbook: Runbook, *, fresh: bool) -> tuple[Progress, str]:
    """Where to begin, and what a person is told of a run that was cut.

    It goes on after the steps that the earlier run of this incident has done. A run that has done
    nothing, and one of another incident, are in no way of this one. Raises UsageError for another
    runbook that has done something about this incident, if it is not said to give that up.
    """
    found, looks = runbookprogress.kept(lab.name), catalogue.looks()
    anew = Progress(
        runbook.name,
        runbookprogress.mark_of(runbook, 0, looks),
        steps=tuple(each.step for each in runbook.steps),
        began=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        old=str(runbook.plan.old),
        new=str(runbook.plan.new),
        planned=runbook.planned or not runbook.promotes,
        source=runbook.source,
        sight=sight(lab, runbook.plan.old, runbook.plan.new),
    )
    if found is None or not found.changed_something(looks):
        return anew, ""
    if fresh:
        return anew, f"beginning anew, and abandoning {found}"
    if why := _over(lab, found):
        return anew, f"{found}: that incident is over, because {why}"
    if found.mark != runbookprogress.mark_of(runbook, found.done, looks):
        raise UsageError(
            f"a runbook is not finished on this lab: {found}",
            f"run it again to finish it; --fresh abandons it and begins {runbook.name}",
        )
    going_on = replace(found, runbook=anew.runbook, steps=anew.steps, source=anew.source)
    again = "steps that only check are run again"
    return going_on, f"continuing after {going_on.far}, begun at {found.began}; {again}"


def _over(lab: Lab, found: Progress) -> str:
    try:
        old, new = Place.parse(found.old), Place.parse(found.new)
    except UsageError:
        return "its record does not name the old and the new node"
    return runbookprogress.over(found, sight(lab, old, new))


def sight(lab: Lab, old: Place, new: Place) -> Sight:
    """What an incident is told by, as it is now. What cannot be asked is left out."""
    reached = lab.obeying_cuts()
    with ThreadPoolExecutor(1) as pool:
        booted = pool.submit(_booted, reached, old)
        states = lab.engine.each(DATABASES, lambda place: _state(reached, place))
        primaries = {str(each.node): each.timeline for each in states if _is_primary(each)}
        return _with(Sight(primaries, booted=booted.result()), states[DATABASES.index(new)])


def _with(noted: Sight, state: NodeState | None) -> Sight:
    """What was noted, and what the node that is to take over says of itself since."""
    if state is None:
        return noted
    if state.in_recovery:
        return replace(noted, received=state.received)
    primaries = {**noted.primaries, str(state.node): state.timeline}
    return replace(noted, primaries=primaries, received=None)


def _state(lab: Lab, place: Place) -> NodeState | None:
    try:
        # A frozen machine would keep the question until its time-out, and users wait for this.
        return lab.databases[place].state() if lab.engine.running(place) else None
    except LabError:
        return None


def _is_primary(state: NodeState | None) -> TypeGuard[NodeState]:
    return state is not None and not state.in_recovery


def _booted(lab: Lab, place: Place) -> str:
    try:
        return lab.engine.state(place).booted
    except LabError:
        return ""


def run(lab: Lab, runbook: Runbook, begin: Progress, folder: Path, manner: Manner) -> Journal:
    """Do what is left of a runbook. Raises LabError when a step cannot be done; it may be resumed.

    Steps reach what the management network reaches; the journal is written after each.
    """
    clock = EngineClock.calibrate(lab.users["east"].clock)
    recorder = Recorder(clock, folder / JOURNAL, manner.observers)
    looks = catalogue.looks()
    again = catalogue.looks_again(changed=begin.changed_something(looks))
    state = replace(begin, folders=(*begin.folders, folder.name))
    context = Context(
        lab.obeying_cuts(),
        lab,
        runbook.plan,
        Ending(lab, runbook.plan),
        recorder,
        ask=manner.ask,
        force=manner.force,
        by_hand=manner.by_hand,
        run=state.folders[0],
        scripts=runbook.folder,
    )
    runbookprogress.keep(lab.name, state)
    number = 0
    while number < len(runbook.steps):
        call, follows = runbook.steps[number], number + 1
        manner.between()
        if number >= begin.done or call.step in again:
            manner.before(number + 1, call)
            with _named(f"{call.step} ({number + 1} of {len(runbook.steps)})"):
                record = catalogue.attempt(call, context)
            if record is None and number >= begin.done:
                follows = after_failure(runbook.steps, number)
            if number >= begin.done:
                mark = runbookprogress.mark_of(runbook, follows, looks)
                now = _with(state.sight or Sight(), _state(context.lab, runbook.plan.new))
                state = state.further(follows, mark, record.evidence if record else "", now)
                runbookprogress.keep(lab.name, state)
        number = follows
    runbookprogress.forget(lab.name)
    return recorder.journal


@contextmanager
def _named(step: str) -> Iterator[None]:
    """An error says at which step the runbook stopped."""
    try:
        yield
    except LabError as error:
        error.message = f"the runbook stopped at {step}: {error.message}"
        raise
