"""A runbook on the lab as it stands: step by step, and resumed where it was cut."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import progress
from lab.cluster import Lab
from lab.errors import LabError, UsageError
from lab.faults.linked import reachable
from lab.journal import EngineClock, Observer, Recorder
from lab.moves.catalogue import steps_of
from lab.moves.row import Ask, agreed
from lab.progress import Progress
from lab.record import Journal
from lab.rehearsal import takeover
from lab.runbook import Call, Plan, Runbook
from lab.runfiles import JOURNAL
from lab.steps import Context, Step, Takeover
from lab.topology import DATABASES, REGIONS, Place, Region, link

Before = Callable[[int, Call, Step], None]
"""Called before each step with its number (from 1): shows it, or waits for a person."""


def at_once(_number: int, _call: Call, _step: Step) -> None:
    """Does not wait."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a runbook is run: who is asked, what happens before each step, and what is forced."""

    ask: Ask = agreed
    before: Before = at_once
    force: bool = False
    observers: tuple[Observer, ...] = ()


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
    for place in lab.databases.primaries():
        if place not in (plan.old, plan.new):
            raise UsageError(
                f"this runbook leads from {plan.old} to {plan.new}, but {place} is primary",
                f"one that begins at {place} is wanted: lab runbook list",
            )


def unfinished(lab: Lab, runbook: Runbook, *, fresh: bool) -> Progress:
    """Where to begin: after the steps that an earlier, cut run has done, or at the first.

    Raises UsageError when what was cut is another runbook and it is not said to begin anew.
    """
    found, mark = progress.kept(lab.name), progress.mark_of(runbook)
    if found is None or fresh:
        return Progress(runbook.name, mark)
    if found.mark != mark:
        raise UsageError(
            f"{found.runbook} was begun on this lab and cut after {found.done} steps",
            "run it again to finish it, or begin anew with --fresh",
        )
    return found


def run(lab: Lab, runbook: Runbook, begin: Progress, folder: Path, manner: Manner) -> Journal:
    """Do what is left of a runbook. Raises LabError when a step cannot be done; it may be resumed.

    Steps reach what the management network reaches; the journal is written after each.
    """
    clock = EngineClock.calibrate(lab.users["east"].clock)
    recorder = Recorder(clock, folder / JOURNAL, manner.observers)
    context = Context(lab.obeying_cuts(), takeover_now(lab, runbook.plan), recorder, lab)
    steps = steps_of(runbook, manner.ask, force=manner.force)
    state = begin
    progress.keep(lab.name, state)
    for number in range(begin.done, len(steps)):
        manner.before(number + 1, runbook.steps[number], steps[number])
        steps[number].do(context)
        state = state.further()
        progress.keep(lab.name, state)
    progress.forget(lab.name)
    return recorder.journal


def takeover_now(lab: Lab, plan: Plan) -> Takeover:
    """The topology to end in, from which databases answer now and whether regions are joined."""
    with ThreadPoolExecutor(1) as pool:
        joined = pool.submit(_joined, lab)
        answers = lab.engine.each(DATABASES, lambda place: lab.databases[place].answers())
        alive = [place for place, yes in zip(DATABASES, answers, strict=True) if yes]
        behind = lab.databases[plan.new].followers() if plan.new in alive else ()
        return takeover(plan, alive, behind, joined=joined.result())


def _joined(lab: Lab) -> bool:
    """True when each region reaches the other, whichever of its machines still answers.

    A dead primary answers no question, and is no partition.
    """

    def reaches(here: Region) -> bool:
        way = f"{here.name}:{here.other.name}"
        return any(reachable(lab, link(f"{way}:{each}")) for each in ("replication", "app"))

    gateways = [Place(each.name, "gateway") for each in REGIONS]
    # No answer comes by way of a machine that does not run: it is not waited for.
    if not all(lab.engine.each(gateways, lab.engine.running)):
        return False
    return all(lab.engine.each(REGIONS, reaches))
