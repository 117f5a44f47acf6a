"""The commands `lab runbook list | show | steps | check | run`: their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.commands.options import Json, Name, any_seed, completing, runbooks, scenarios, step_names
from lab.commands.terminal import say
from lab.core.errors import UsageError

_Book = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="A shipped runbook or a file; see: lab runbook list",
        show_default=False, autocompletion=runbooks,
    ),
]  # fmt: skip
_Scenario = Annotated[
    str | None,
    typer.Option(
        metavar="SCENARIO", show_default=False,
        help="A situation such as region-dead; the first that it is written for without.",
        autocompletion=completing(scenarios),
    ),
]  # fmt: skip
_Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", metavar="SCENARIO", show_default=False,
        help="A situation such as region-dead; all that it is written for without."
        " May be repeated.",
        autocompletion=completing(scenarios),
    ),
]  # fmt: skip
_Picture = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Draw it as a graph.", show_default=False),
]


def listed(as_json: Json = False) -> None:
    """List the runbooks that come with the lab."""
    from lab.commands import runbooking

    runbooking.list_shipped(as_json)


def show(
    book: _Book,
    scenario: _Scenario = None,
    svg: _Picture = None,
    as_json: Json = False,
) -> None:
    """Show a runbook: each step with its why, and which step needs which."""
    from lab.commands import runbooking

    runbooking.show(book, scenario, svg, as_json)


def steps(
    step: Annotated[
        str | None,
        typer.Argument(
            metavar="STEP", help="Everything about this one.", show_default=False,
            autocompletion=completing(step_names),
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the steps that runbooks are made of, and what each changes."""
    from lab.commands import runbooking

    runbooking.list_steps(step, as_json)


def check(
    books: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|FILE", help="Shipped runbooks or files.", show_default=False,
            autocompletion=runbooks,
        ),
    ],
    scenario: _Scenarios = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write it as JUnit XML, for CI.", metavar="FILE", show_default=False),
    ] = None,
    svg: _Picture = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Predict what a runbook does to users; run nothing.

    Ends with 1 if one of them is unsafe in a situation: orders may be lost, or it ends badly.
    """
    if svg is not None and len(books) > 1:
        raise UsageError("--svg shows one runbook, and several are named", "name one")
    from lab.commands import runbooking

    raise typer.Exit(runbooking.check(books, scenario or [], junit, svg, as_json))


def run(
    book: _Book,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO", show_default=False,
            help="Rehearse it: brings the lab up if it is not, and empties it; users, this"
            " situation, a report.",
            autocompletion=completing(scenarios),
        ),
    ] = None,
    manual: Annotated[
        bool, typer.Option("--manual", help="Show each step, and wait for Enter.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also promote beside a primary that is alive.")
    ] = False,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Promote although orders are lost by that."),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, and give up a run that was cut.")
    ] = False,
    pause: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", show_default=False,
            help="In a rehearsal, between two steps: as people take, such as 2s.",
        ),
    ] = None,
    seed: Annotated[
        int | None, any_seed("Seed of the users' choices in a rehearsal; 1 without.")
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Run it on the lab as it stands, or rehearse it and measure.

    A run that was cut goes on with the step that it was at, as long as the incident lasts.
    Ends with 1 if a step refuses: the lab is in order, and the answer is no.
    """
    from lab.commands import running
    from lab.core import quantity

    for flag, value in (("--pause", pause), ("--seed", seed)):
        if scenario is None and value is not None:
            raise UsageError(f"{flag} is for a rehearsal", "add a situation: --scenario partition")
    if scenario is not None and (manual or fresh):
        raise UsageError(
            "a rehearsal never waits for you, and always begins at the first step",
            f"leave {'--manual' if manual else '--fresh'} out; --pause makes a rehearsal slower",
        )
    if manual and yes:
        raise UsageError(
            "--manual and --yes are both given",
            "give one of them: --manual asks before each step, --yes asks nothing",
        )
    if manual and not say().interactive:
        raise UsageError("--manual needs a terminal", "without --manual no step waits")
    wait = 0.0 if pause is None else quantity.wait(pause, "--pause")
    wanted = running.Wanted(manual, yes, force, fresh, accept_loss, wait, as_json)
    raise typer.Exit(running.start(book, scenario, 1 if seed is None else seed, name, wanted))
