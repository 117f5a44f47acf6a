"""A runbook run as a drill: a scenario says what breaks; measured and reported like any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lab.core.topology import DEFAULT_REPLICATION, TTL_SECONDS, Place, Region
from lab.core.verdict import Comparison, Objective
from lab.drills.row import ENDLESS, Drill, Timed
from lab.drills.strikes import ends
from lab.faults.catalogue import aimed, fault
from lab.faults.row import Aimed
from lab.runbooks.predict import Prediction, predict
from lab.runbooks.runbook import Call, Plan, Runbook
from lab.runbooks.scenarios import Broken, Lead, Scenario
from lab.steps.arranging import call_of
from lab.steps.catalogue import steps


def faults_of(where: Scenario, plan: Plan) -> tuple[Aimed, ...]:
    """The faults that make a scenario so in a lab."""
    return tuple(_aimed(each, plan) for each in where.faults)


def _aimed(broken: Broken, plan: Plan) -> Aimed:
    at = broken.aim(plan) if broken.aim else None
    node = at if isinstance(at, Place) else None
    region = at if isinstance(at, Region) else None
    return aimed(fault(broken.fault), node=node, region=region)


_RETURN: Final = (
    Objective(
        "rto_seconds", 60, "s", Comparison.AT_MOST,
        "a runbook is there to bring users back",
    ),
)  # fmt: skip
"""What a rehearsal with a fault is judged by."""

_KEEP: Final = (
    Objective(
        "lost", 0, "orders", Comparison.AT_MOST,
        "a planned move can wait for every order that was acknowledged",
    ),
)  # fmt: skip
"""What a rehearsal without a fault is judged by."""

_ALWAYS: Final = (
    Objective(
        "longest_gap_seconds", 60, "s", Comparison.AT_MOST,
        "a runbook may stop users' writes for a time, but not longer than a failover does",
    ),
    Objective(
        "longest_read_gap_seconds", 60, "s", Comparison.AT_MOST,
        "users who only read wait as well",
    ),
    Objective(
        "split_brain_writes", 0, "writes", Comparison.AT_MOST,
        "orders that two primaries acknowledged can never be merged",
    ),
)  # fmt: skip
"""What every rehearsal is judged by."""


def drill_of(runbook: Runbook, where: Scenario, wait: float = 0.0) -> Drill:
    """The drill that does a runbook in a scenario, with `wait` seconds between two steps.

    Machines are quicker than people: what a wrong order does shows when users have time to meet it.
    It is judged by what a runbook is for: no order on two timelines, no user kept waiting for long,
    and after a fault all users served again. What is lost after a fault is measured, and is no
    failure: that is a matter of the scenario. Without a fault, no order may be lost.
    """
    faults = faults_of(where, runbook.plan)
    return Drill(
        name=f"runbook-{runbook.name}-{where.name}",
        title=runbook.title,
        situation=f"{where.told[0].upper()}{where.told[1:]}.",
        expectations=expectations(predict(runbook, steps(), where)),
        faults=faults,
        runbook=spaced(runbook, wait),
        leads=tuple(_leads(runbook.plan, where)),
        meanwhile=tuple(_healed(runbook.plan, where)),
        objectives=(*(_RETURN if faults else _KEEP), *_ALWAYS),
        bound=ENDLESS,
        pattern=runbook.pattern,
    )  # fmt: skip


def _leads(plan: Plan, where: Scenario) -> Iterator[Call]:
    """From the default topology to the moment before the incident."""
    first = next((each.plan(plan).old for each in where.leads if each.runbook), plan.old)
    if first != DEFAULT_REPLICATION.primary:
        yield Call("move-primary", {"to": str(first)})
    for each in where.leads:
        yield from _led(each, plan)
    # The prediction knows no steering that moves users by itself.
    if not where.gathered:
        yield Call("hold-steering")
        return
    yield Call(
        "shift-traffic", {"to": "lost"}, why="all users have moved to the region that is left"
    )
    yield Call("wait", {"seconds": 2 * TTL_SECONDS}, why="users follow a name within its TTL")


def _led(lead: Lead, plan: Plan) -> Iterator[Call]:
    for each in lead.faults:
        yield call_of("inject", _aimed(each, plan), "this was lost before")
    if lead.runbook:
        went = lead.plan(plan)
        told = {"runbook": lead.runbook, "old": str(went.old), "new": str(went.new)}
        yield Call(
            "run-runbook", {**told, **({"until": lead.until} if lead.until else {})},
            why="this was done about it",
        )  # fmt: skip


def _healed(plan: Plan, where: Scenario) -> Iterator[Timed]:
    """The end of what breaks for a while only."""
    for each in where.faults:
        if each.lasting is not None:
            yield ends(_aimed(each, plan), each.lasting)


def spaced(runbook: Runbook, wait: float) -> Runbook:
    """The runbook with so many seconds after each step, if any."""
    if not wait:
        return runbook
    pause = Call("wait", {"seconds": wait}, why="a person reads the next line of the runbook")
    return replace(runbook, steps=tuple(each for step in runbook.steps for each in (step, pause)))


def expectations(prediction: Prediction) -> tuple[str, ...]:
    """What a prediction says, as sentences to be checked against the drill's figures."""
    vector = prediction.vector
    said = {
        "Two primaries acknowledge orders": vector.split_brain,
        "Orders are refused": vector.write_errors,
        "Reads fail": vector.read_errors,
        "Users who are sent elsewhere find a cold cache": vector.cold_reads,
    }
    told = [f"{words}: {'yes' if some else 'no'}." for words, some in said.items()]
    return (*told, f"The end is {vector.end}.")
