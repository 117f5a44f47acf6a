"""What `lab drill` does: one run with its summary, or a series with its spread."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab.commands.terminal import chosen_name, out, put, say, told_when_interrupted
from lab.core import outputfiles
from lab.core.console import Say, hanging
from lab.core.errors import LabError
from lab.drills import drill as drills
from lab.drills import execution as played
from lab.drills.drill import Drill
from lab.drills.execution import Plan, Taken
from lab.metrics import customobjectives
from lab.records import result, runfolders, spread
from lab.records.spread import Series
from lab.report import folders, junit, resulttext, runtables
from lab.report.junit import Suite
from lab.testbed import lifecycle


def planned(
    drill: str,
    lab: str | None,
    seed: int,
    repeat: int,
    limits: Mapping[str, str | None],
    objectives: Sequence[str],
) -> Plan:
    """The command line as a plan. Raises UsageError for anything in it that is wrong."""
    chosen = drills.drill(drill)
    return Plan(
        drill=chosen,
        lab=chosen_name(lab),
        seed=seed,
        repeat=repeat,
        wanted=customobjectives.read(limits, objectives, chosen.objectives),
    )


def drill(plan: Plan, junit_file: Path | None, as_json: bool) -> int:
    """Carry the plan out and print what came of it; the exit code."""
    if junit_file is not None:
        outputfiles.prove_writable(junit_file, junit.FLAG)

    def report(suites: Sequence[Suite]) -> None:
        if junit_file is not None:
            outputfiles.write(junit_file, junit.document(suites), junit.FLAG)

    act = _once if plan.repeat == 1 else _many
    return act(plan, report, as_json)


Report = Callable[[Sequence[Suite]], None]


def _once(plan: Plan, report: Report, as_json: bool) -> int:
    folder = runfolders.new_run(plan.drill.name)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with (
            runfolders.dropped_if_empty(folder),
            lifecycle.exclusive(plan.lab, f"run {plan.drill.name}"),
            told_when_interrupted(),
            played.held(plan.lab, say()) as lab,
        ):
            up = lab.up()
            _introduce(plan.drill, say())
            found = played.play(plan, up, folder, plan.seed, say())
    except LabError as error:
        report([junit.of_error(plan.drill.name, plan.seed, str(folder), started, str(error))])
        raise
    report([junit.of_result(found.result, str(folder))])
    if as_json:
        put(result.to_json(found.result))
    else:
        out().print(resulttext.summary(found.result, str(folder), say().typed))
    _refuse_unhealed(found.unhealed)
    return found.result.verdict.exit_code


def _many(plan: Plan, report: Report, as_json: bool) -> int:
    folder = runfolders.new_series(plan.drill.name, plan.repeat)
    _introduce(plan.drill, say())
    with (
        lifecycle.exclusive(plan.lab, f"run {plan.drill.name} {plan.repeat} times"),
        told_when_interrupted(),
    ):
        taken = played.play_all(plan, say())
        command = shlex.join(plan.command(plan.seed, "--repeat", str(plan.repeat)))
        document = taken.document(plan, command)
        folders.write_series(folder, document)
        report(taken.suites)
        _show(document, folder, as_json)
        _end(taken, document)
    return document.verdict.exit_code


def _show(document: Series, folder: Path, as_json: bool) -> None:
    if as_json:
        put(spread.to_json(document))
    else:
        out().print(runtables.spread(document, str(folder), say().typed))


def _end(taken: Taken, document: Series) -> None:
    """Raise what ended the series early, after all that it brought home is safe."""
    if taken.stopped is not None:
        say().warn(f"{len(document.runs)} of {document.asked} runs came to an end")
        raise taken.stopped
    _refuse_unhealed(taken.unhealed)


def _refuse_unhealed(reason: str) -> None:
    if reason:
        raise LabError(f"the lab could not be healed: {reason}", "run: lab up")


def _introduce(chosen: Drill, say: Say) -> None:
    from rich.text import Text

    say.console.print(Text.assemble("\n", (chosen.title, "bold")))
    say.note(chosen.situation)
    say.note("What to expect:")
    for number, text in enumerate(chosen.expectations, 1):
        say.console.print(hanging(say.console, Text(f"   {number}. "), text))
    say.console.print()
