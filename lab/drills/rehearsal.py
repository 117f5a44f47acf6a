"""A runbook as a drill: broken as a scenario says, measured and reported like any other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lab.core.errors import UsageError
from lab.core.topology import DATABASES, DEFAULT_REPLICATION, REGIONS, Place
from lab.core.verdict import Comparison, Objective
from lab.drills.drill import ENDLESS, Drill
from lab.faults.catalogue import aimed, fault
from lab.faults.row import Aimed, Takes
from lab.records.journalfile import Via
from lab.runbooks.predict import Prediction, predict
from lab.runbooks.runbook import Plan, Runbook
from lab.runbooks.scenarios import Scenario
from lab.runbooks.takeover import topology_after
from lab.steps.catalogue import specs, steps_of
from lab.steps.drillsteps import Context, Step, Takeover
from lab.steps.row import Ask, agreed
from lab.steps.scenes import lasting
from lab.testbed.lab import Lab


def faults_of(where: Scenario, plan: Plan) -> tuple[Aimed, ...]:
    """The faults that make a scenario so in a lab."""
    return tuple(_aimed(name, at, plan) for name, at in where.faults)


def _aimed(name: str, at: str, plan: Plan) -> Aimed:
    row = fault(name)
    if row.takes is Takes.REGION and at == "lost":
        return aimed(row, region=plan.lost)
    if row.takes is Takes.NODE and at == "old":
        return aimed(row, node=plan.old)
    return row.at()


def takeover_of(where: Scenario, plan: Plan) -> Takeover:
    """What a drill has to know of a runbook in a scenario: who is lost, and who is to follow."""
    world = where.begin(plan)
    alive = [place for place in DATABASES if world.databases[place].serves]
    behind = [place for place, node in world.databases.items() if node.follows == plan.new]
    return takeover(plan, alive, behind, joined=world.joined)


def takeover(
    plan: Plan, alive: Collection[Place], behind: Collection[Place], *, joined: bool
) -> Takeover:
    """A plan's takeover: from who is alive, who is behind the new node, whether regions meet."""
    return Takeover(
        lost=tuple(place for place in DATABASES if place not in alive),
        old=plan.old,
        witness=plan.target,
        symptoms=("live", "down"),
        after=topology_after(plan, alive, behind, joined=joined),
    )


def hold(lab: Lab, by: str) -> None:
    """Pin each steering to its own region: names stay so until a runbook changes them."""
    for each in REGIONS:
        lab.steerings[each].pin(each, by)


def _hold_at_home(context: Context) -> str:
    hold(context.lab, context.by)
    return "both steerings are pinned to their own region: names change by the runbook alone"


HOLD: Final = Step(
    "arrange: names are held", Via.IN_BAND, None,
    "a runbook that shifts traffic is not helped by health checks that do so as well",
    _hold_at_home,
)  # fmt: skip


_RETURN: Final = (
    Objective(
        "rto_seconds", 60, "s", Comparison.AT_MOST,
        "a runbook is there to bring users back",
    ),
)  # fmt: skip
"""What a rehearsal with a fault is judged by."""

_ALWAYS: Final = (
    Objective(
        "longest_gap_seconds", 60, "s", Comparison.AT_MOST,
        "a runbook may stop users' writes on its way, and not for longer than a failover",
    ),
    Objective(
        "longest_read_gap_seconds", 60, "s", Comparison.AT_MOST,
        "users who only read wait as well",
    ),
    Objective(
        "split_brain_writes", 0, "writes", Comparison.AT_MOST,
        "orders on two timelines can never be merged",
    ),
)  # fmt: skip
"""What every rehearsal is judged by."""


def drill_of(
    runbook: Runbook, where: Scenario, ask: Ask = agreed, *, force: bool = False, wait: float = 0.0
) -> Drill:
    """The drill that does a runbook in a scenario, with `wait` seconds between two steps.

    Machines are quicker than people: what a wrong order does shows when users have time to meet it.
    It is judged by what a runbook is for: no order on two timelines, no user kept waiting for long,
    and after a fault all users served again. What it loses is measured, and is no failure: that is
    a matter of the scenario.
    """
    if runbook.plan.old != DEFAULT_REPLICATION.primary:
        raise UsageError(
            f"a rehearsal begins in the default topology, and {runbook.name} at {runbook.plan.old}"
            " as primary",
            "bring a lab there, and run it on that: lab runbook run switchover",
        )
    faults = faults_of(where, runbook.plan)
    shifts = any(call.step == "shift-traffic" for call in runbook.steps)
    return Drill(
        name=f"runbook-{runbook.name}-{where.name}",
        title=runbook.title,
        situation=f"{where.told[0].upper()}{where.told[1:]}.",
        expectations=expectations(predict(runbook, specs(), where)),
        faults=faults,
        takeover=takeover_of(where, runbook.plan),
        runbook=_spaced(steps_of(runbook, ask, force=force), wait),
        arrange=(HOLD,) if shifts else (),
        objectives=(*(_RETURN if faults else ()), *_ALWAYS),
        bound=ENDLESS,
        pattern=runbook.pattern,
    )  # fmt: skip


def _spaced(steps: tuple[Step, ...], wait: float) -> tuple[Step, ...]:
    if not wait:
        return steps
    pause = lasting(wait, "users go on while a person reads the next line of the runbook")
    return tuple(each for step in steps for each in (step, pause))


def expectations(prediction: Prediction) -> tuple[str, ...]:
    """What a prediction says, as sentences to be checked against the drill's figures."""
    vector = prediction.vector
    said = {
        "Orders are acknowledged on two timelines": vector.split_brain,
        "Orders are refused": vector.write_errors,
        "Reads fail": vector.read_errors,
        "Users who are sent elsewhere find a cold cache": vector.cold_reads,
    }
    told = [f"{words}: {'yes' if some else 'no'}." for words, some in said.items()]
    return (*told, f"The end is {vector.end}.")
