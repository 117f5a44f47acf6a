"""The command `lab drill`: its options. What it does is in `lab.commands.drilling`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.options import (
    Json,
    Loss,
    Name,
    Objectives,
    Rpo,
    Rto,
    SplitBrain,
    any_seed,
    completing,
    drills,
)
from lab.commands.terminal import out, print_json, say
from lab.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from lab.drills.drill import Drill


_SEED = 1


def drill(
    drill_name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which drill.",
            autocompletion=completing(drills),
            show_default=False,
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the drills there are.")] = False,
    seed: Annotated[int, any_seed("Seed of the users' choices.")] = _SEED,
    repeat: Annotated[
        int,
        typer.Option(
            help="Run it so often, each time with the next seed.", metavar="N", min=1, max=1000
        ),
    ] = 1,
    rpo: Rpo = None,
    rto: Rto = None,
    loss: Loss = None,
    split_brain: SplitBrain = None,
    objective: Objectives = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write the objectives as JUnit XML, for CI.", metavar="FILE"),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Run a drill: break it, run the runbook, measure. Brings the lab up if it is not.

    The lab is emptied before and after it: default topology, no orders.

    A drill has 5 minutes, on a slow machine up to 20. After that its verdict is unknown, because
    the machine was too busy, and the lab is healed.

    Objectives given here are judged instead of the drill's own of the same figure. Durations need
    a unit, counts take none.
    """
    limits = {"rpo": rpo, "rto": rto, "loss": loss, "split-brain": split_brain}
    if listed:
        _refuse_beside_list(
            {
                "NAME": drill_name,
                **{f"--{flag}": each for flag, each in limits.items()},
                "--objective": objective,
                "--junit": junit,
                "--seed": None if seed == _SEED else seed,
                "--repeat": None if repeat == 1 else repeat,
            }
        )
        _list(as_json)
        return
    if drill_name is None:
        raise UsageError("no drill is named", "name one; see: lab drill --list")
    if drill_name not in drills():
        raise UnknownName("drill", drill_name, drills())  # before all that a drill needs is loaded
    from lab.commands import drilling

    plan = drilling.planned(drill_name, name, seed, repeat, limits, objective or [])
    raise typer.Exit(drilling.drill(plan, junit, as_json))


def _refuse_beside_list(given: Mapping[str, object]) -> None:
    """Raise UsageError for the first that was given: a list runs no drill."""
    for flag, value in given.items():
        if value is not None and value != []:
            raise UsageError(
                f"--list runs no drill, and {flag} is for one", "leave one of them out"
            )


def _list(as_json: bool) -> None:
    from lab.drills.drill import drills

    found = drills(unusable=lambda error: say().warn(str(error)))
    if as_json:
        print_json([{"name": each.name, "title": each.title} for each in found])
        return
    out().print(_table(found))


def _table(found: Iterable[Drill]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    table.add_column("drill", no_wrap=True, style="bold")
    table.add_column("what happens")
    for each in found:
        table.add_row(each.name, Text(f"{each.title}. {each.situation}"))
    return table
