"""A runbook that is rehearsed: in a situation, with users at work, measured like a drill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.commands.runbook import questions
from lab.commands.runbook.liverun import Watched, watching
from lab.commands.runbook.run import Wanted
from lab.commands.terminal import chosen_name, out, put, say, told_when_interrupted
from lab.core.errors import LabError
from lab.drills import drill, evaluate, execution, rehearsal, targets
from lab.drills.addedfaults import added_to
from lab.drills.row import Drill
from lab.records import runfolders
from lab.records.result import Result, to_json
from lab.report import resulttext
from lab.runbooks.runbook import Runbook
from lab.runbooks.scenarios import scenario
from lab.testbed import lifecycle
from lab.testbed.lab import Lab


def rehearse(runbook: Runbook, where: str, seed: int, name: str | None, wanted: Wanted) -> int:
    """Break it as the scenario says, run the runbook, measure, heal; the exit code."""
    planned = rehearsal.drill_of(runbook, scenario(where), wanted.wait)
    limits = targets.read(wanted.targets, planned.objectives)
    judged = replace(planned, objectives=limits.instead_of(planned.objectives))
    chosen = added_to(judged, wanted.beside)
    lab_name = chosen_name(name)
    folder = runfolders.new_run(chosen.name)
    with (
        runfolders.dropped_if_empty(folder),
        lifecycle.exclusive(lab_name, f"rehearse {runbook.name}"),
        told_when_interrupted(),
        execution.held(lab_name, say()) as held,
    ):
        lab = held.up()
        watched = watching(runbook, lab, wanted)
        added = execution.again(chosen)
        again = [*_again(runbook, where, seed, wanted), *added, *limits.arguments]
        found, unhealed = _played(chosen, lab, folder, seed, again, watched, wanted)
    if wanted.as_json:
        put(to_json(found))
    else:
        out().print(resulttext.summary(found, str(folder), say().typed))
    if unhealed:
        raise LabError(f"the lab could not be healed: {unhealed}", "run: lab up")
    return found.verdict.exit_code


def _played(
    chosen: Drill,
    lab: Lab,
    folder: Path,
    seed: int,
    again: list[str],
    watched: Watched,
    wanted: Wanted,
) -> tuple[Result, str]:
    with watched as observers:
        ask = questions.asker(yes=wanted.yes)
        recorded = drill.run(chosen, lab, folder, seed, observers, ask, force=wanted.force)
    with say().step("classifying every operation, measuring, writing the report"):
        return evaluate.evaluate(chosen, recorded, lab, folder, seed, again), recorded.unhealed


def _again(runbook: Runbook, where: str, seed: int, wanted: Wanted) -> list[str]:
    more = [*(["--force"] if wanted.force else []), "--seed", str(seed)]
    more = [*(["--accept-loss"] if wanted.accept_loss else []), *more]
    more = [*(["--pause", f"{wanted.wait:g}s"] if wanted.wait else []), *more]
    return ["lab", "runbook", "run", runbook.source or runbook.name, "--scenario", where, *more]
