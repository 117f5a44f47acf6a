"""The command `lab drill`: one run with its summary, a series with its spread, or the list."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import (
    Baseline,
    Json,
    Junit,
    Loss,
    Name,
    Objectives,
    RetryUnknown,
    Rpo,
    Rto,
    SplitBrain,
    Targets,
    With,
    any_seed,
    completing,
    drills,
)
from lab.commands.terminal import (
    chosen_name,
    out,
    print_json,
    print_list,
    put,
    say,
    told_when_interrupted,
)
from lab.core.errors import UnknownName, UsageError
from lab.core.paths import is_script

if TYPE_CHECKING:
    from lab.core.console import Say
    from lab.drills.execution import Held, Plan, Played, Taken
    from lab.drills.row import Drill
    from lab.records.spread import Series
    from lab.testbed.turns import Turn

_SEED = 1


def drill(
    drill_name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which drill: a name, or a script of your own (docs/drills.md).",
            autocompletion=completing(drills),
            show_default=False,
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the drills there are.")] = False,
    seed: Annotated[int, any_seed("Seed of the users' choices.")] = _SEED,
    repeat: Annotated[
        int,
        typer.Option(
            help="Run it N times, each time with the next seed.", metavar="N", min=1, max=1000
        ),
    ] = 1,
    rpo: Rpo = None,
    rto: Rto = None,
    loss: Loss = None,
    split_brain: SplitBrain = None,
    objective: Objectives = None,
    targets: Targets = None,
    beside: With = None,
    manual: Annotated[
        bool,
        typer.Option("--manual", help="Act yourself instead of the runbook, and be measured."),
    ] = False,
    baseline: Baseline = None,
    retry_unknown: RetryUnknown = 0,
    junit: Junit = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Run a drill: inject faults, run a runbook, measure. Brings the lab up if it is not up.

    The lab is emptied before and after it: default topology, no orders.

    A drill has 5 minutes, on a slow machine up to 20. After that its verdict is unknown, because
    the machine was too busy, and the lab is healed.

    An objective given here replaces the drill's own objective for the same figure, and that of
    --targets. Durations need a unit; counts have none.
    """
    limits = {"rpo": rpo, "rto": rto, "loss": loss, "split-brain": split_brain}
    if listed:
        _refuse_beside_list(
            {
                "NAME": drill_name,
                **{f"--{flag}": each for flag, each in limits.items()},
                "--objective": objective,
                "--targets": targets,
                "--with": beside,
                "--manual": manual or None,
                "--baseline": baseline,
                "--retry-unknown": retry_unknown or None,
                "--junit": junit,
                "--seed": None if seed == _SEED else seed,
                "--repeat": None if repeat == 1 else repeat,
            }
        )
        _list(as_json)
        return
    if drill_name is None:
        raise UsageError("no drill is named", "name one; see: lab drill --list")
    if not is_script(drill_name) and drill_name not in drills():
        raise UnknownName("drill", drill_name, drills())  # before all that a drill needs is loaded
    chosen = _chosen(drill_name, beside or [], seed, manual=manual)
    if chosen.by_hand:
        _refuse_without_person(repeat)
    plan = _planned(chosen, name, seed, repeat, limits, objective or [], targets, baseline)
    raise typer.Exit(_run(replace(plan, retries=retry_unknown), junit, as_json))


def _refuse_beside_list(given: Mapping[str, object]) -> None:
    """Raise UsageError for the first that was given: a list runs no drill."""
    for flag, value in given.items():
        if value is not None and value != []:
            raise UsageError(
                f"{flag} needs a drill to run, and --list runs none", "leave one of them out"
            )


# ── the list ─────────────────────────────────────────────────────────────────────────────────


def _list(as_json: bool) -> None:
    from lab.drills.finding import drills

    found = drills(unusable=lambda error: say().warn(str(error)))
    if as_json:
        print_json([{"name": each.name, "title": each.title} for each in found])
        return
    rows = ((each.name, f"{each.title}. {each.situation}") for each in found)
    print_list(("drill", "what happens"), rows)


# ── a run, or several ────────────────────────────────────────────────────────────────────────


def _chosen(name: str, beside: Sequence[str], seed: int, *, manual: bool) -> Drill:
    """The drill of that name and seed, with the faults that are added. Raises UsageError."""
    from lab.drills.addedfaults import added_to
    from lab.drills.finding import drill as find

    found = added_to(find(name).of_seed(seed).read(), beside)
    return found.played_by_a_person() if manual or found.by_hand else found


def _refuse_without_person(repeat: int) -> None:
    """Raise UsageError where no person can act, or would have to act several times."""
    if repeat > 1:
        raise UsageError("--repeat: a person acts in this drill, once", "leave --repeat out")
    if not say().interactive:
        raise UsageError(
            "a person acts in this drill, and there is no terminal",
            "run it in one; a drill whose runbook acts needs none: lab drill --list",
        )


def _planned(
    chosen: Drill,
    lab: str | None,
    seed: int,
    repeat: int,
    limits: Mapping[str, str | None],
    objectives: Sequence[str],
    sets: str | None,
    earlier: str | None,
) -> Plan:
    """The command line as a plan. Raises UsageError for anything in it that is wrong."""
    from lab.drills import baseline, targets
    from lab.drills.execution import Plan
    from lab.metrics import customobjectives

    own = chosen.objectives
    wanted = customobjectives.read(limits, objectives, own).before(targets.read(sets, own))
    return Plan(
        drill=chosen,
        lab=chosen_name(lab),
        seed=seed,
        repeat=repeat,
        wanted=wanted,
        baseline=baseline.read(earlier, chosen.name),
    )


def _run(plan: Plan, junit_file: Path | None, as_json: bool) -> int:
    """Carry the plan out and print what came of it; the exit code."""
    act = _once if plan.repeat == 1 else _many
    return act(plan, junit_file, as_json)


def _once(plan: Plan, junit_file: Path | None, as_json: bool) -> int:
    from lab.commands import onerun
    from lab.drills import execution

    introduced = cache(lambda: _introduce(plan.drill, say()))

    def run(lab: Held, folder: Path, turn: Turn) -> Played:
        up = lab.up()
        introduced()
        if plan.drill.by_hand:
            from lab.commands import handson

            return handson.play(plan, up, folder, turn)
        return execution.play(plan, up, folder, plan.seed, say())

    wanted = onerun.OneRun(
        name=plan.drill.recorded_as,
        does=f"run {plan.drill.name}",
        lab=plan.lab,
        seed=plan.seed,
        retries=plan.retries,
        junit=junit_file,
        as_json=as_json,
        baseline=plan.baseline,
    )
    return onerun.carry_out(wanted, run)


def _many(plan: Plan, junit_file: Path | None, as_json: bool) -> int:
    from lab.drills import execution
    from lab.records import runfolders
    from lab.report import folders
    from lab.testbed import turns

    report = folders.suites_to(junit_file)
    folder = runfolders.new_series(plan.drill.name, plan.repeat)
    _introduce(plan.drill, say())
    with (
        turns.exclusive(plan.lab, f"run {plan.drill.name} {plan.repeat} times"),
        told_when_interrupted(),
    ):
        taken = execution.play_all(plan, say())
        command = shlex.join(plan.command(plan.seed, "--repeat", str(plan.repeat)))
        document = taken.document(plan, command)
        folders.write_series(folder, document)
        report(taken.suites)
        _show(document, folder, as_json)
        _end(taken, document)
    return document.verdict.exit_code


def _show(document: Series, folder: Path, as_json: bool) -> None:
    from lab.records import spread
    from lab.report import runtables

    if as_json:
        put(spread.to_json(document))
    else:
        out().print(runtables.spread(document, str(folder), say().typed))


def _end(taken: Taken, document: Series) -> None:
    """Raise what ended the series early, after all that it brought home is safe."""
    from lab.commands.onerun import refuse_unhealed

    if taken.stopped is not None:
        say().warn(f"{len(document.runs)} of {document.asked} runs came to an end")
        raise taken.stopped
    refuse_unhealed(taken.unhealed)


def _introduce(chosen: Drill, say: Say) -> None:
    from rich.text import Text

    from lab.core.console import hanging

    say.console.print(Text.assemble("\n", (chosen.title, "bold")))
    say.note(chosen.situation)
    for text in chosen.added:
        say.note(f"Added: {text}")
    say.note("What to expect:")
    for number, text in enumerate(chosen.expectations, 1):
        say.console.print(hanging(say.console, Text(f"   {number}. "), text))
    say.console.print()
