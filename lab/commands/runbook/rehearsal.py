"""A runbook that is rehearsed: in a situation, with users at work, measured like a drill."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from lab.commands import onerun
from lab.commands.runbook import questions
from lab.commands.runbook.liverun import watching
from lab.commands.runbook.run import Wanted
from lab.commands.terminal import chosen_name, say
from lab.drills import baseline, drill, evaluate, execution, rehearsal, targets
from lab.drills.addedfaults import added_to
from lab.drills.execution import Held, Played
from lab.drills.row import Drill
from lab.runbooks.runbook import Runbook
from lab.runbooks.scenarios import scenario
from lab.testbed.turns import Turn


def rehearse(runbook: Runbook, where: str, seed: int, name: str | None, wanted: Wanted) -> int:
    """Break it as the scenario says, run the runbook, measure, heal; the exit code."""
    questions.refuse_without_person(runbook, yes=wanted.yes)
    planned = rehearsal.drill_of(runbook, scenario(where), wanted.wait)
    earlier = baseline.read(wanted.baseline, planned.name)
    limits = targets.read(wanted.targets, planned.objectives).before(earlier.wanted)
    judged = replace(planned, objectives=limits.instead_of(planned.objectives))
    chosen = added_to(judged, wanted.beside)
    run = onerun.OneRun(
        name=chosen.name,
        does=f"rehearse {runbook.name}",
        lab=chosen_name(name),
        seed=seed,
        retries=wanted.retries,
        junit=wanted.junit,
        as_json=wanted.as_json,
        baseline=earlier,
    )
    again = [*_again(runbook, where, seed, wanted), *execution.again(chosen), *limits.arguments]
    return onerun.carry_out(run, partial(_played, runbook, chosen, seed, again, wanted))


def _played(
    runbook: Runbook,
    chosen: Drill,
    seed: int,
    again: list[str],
    wanted: Wanted,
    held: Held,
    folder: Path,
    _turn: Turn,
) -> Played:
    lab = held.up()
    with watching(runbook, lab, wanted) as observers:
        ask = questions.asker(yes=wanted.yes)
        recorded = drill.run(chosen, lab, folder, seed, observers, ask, force=wanted.force)
    with say().step("classifying every operation, measuring, writing the report"):
        found = evaluate.evaluate(chosen, recorded, lab, folder, seed, again)
    return Played(found, recorded.unhealed)


def _again(runbook: Runbook, where: str, seed: int, wanted: Wanted) -> list[str]:
    more = [*(["--force"] if wanted.force else []), "--seed", str(seed)]
    more = [*(["--accept-loss"] if wanted.accept_loss else []), *more]
    more = [*(["--pause", f"{wanted.wait:g}s"] if wanted.wait else []), *more]
    return ["lab", "runbook", "run", runbook.source or runbook.name, "--scenario", where, *more]
