"""The command `lab runbook run`: its options. A run on the lab as it stands is in `liverun`, one in
a situation in `rehearsal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lab.commands.parsing.options import (
    Baseline,
    Json,
    Junit,
    Name,
    RetryUnknown,
    Targets,
    With,
    Yes,
    any_seed,
    completing,
    scenarios,
)
from lab.commands.runbook.arguments import Book
from lab.commands.terminal import say
from lab.core.errors import UsageError

if TYPE_CHECKING:
    from lab.runbooks.runbook import Runbook

_ACCEPT: Final = "accept_loss"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for beside the runbook."""

    manual: bool = False
    yes: bool = False
    force: bool = False
    fresh: bool = False
    accept_loss: bool = False
    wait: float = 0.0
    as_json: bool = False
    targets: str | None = None
    beside: tuple[str, ...] = ()
    baseline: str | None = None
    retries: int = 0
    junit: Path | None = None


def run(
    book: Book,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO", show_default=False,
            help="Rehearse it in this situation, under load and with a report. This brings the lab"
            " up if it is not up, and empties it.",
            autocompletion=completing(scenarios),
        ),
    ] = None,
    manual: Annotated[
        bool, typer.Option("--manual", help="Show each step, and wait for Enter.")
    ] = False,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Promote although another primary is alive.")
    ] = False,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Promote even if that loses orders."),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Begin at the first step, and abandon a run that stopped half-way."
        ),
    ] = False,
    pause: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", show_default=False,
            help="In a rehearsal, how long to wait between two steps, as people do: 2s.",
        ),
    ] = None,
    beside: With = None,
    seed: Annotated[
        int | None, any_seed("Seed of the users' choices in a rehearsal; 1 if left out.")
    ] = None,
    targets: Targets = None,
    baseline: Baseline = None,
    retry_unknown: RetryUnknown = 0,
    junit: Junit = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Run a runbook on the lab as it stands, or rehearse and measure it.

    A run that stopped half-way continues with the step that it was at, as long as the incident
    lasts. The exit code is 1 if a step refuses: the lab is in order, and the answer is no.
    """
    from lab.core import quantity

    wanted = Wanted(
        manual=manual,
        yes=yes,
        force=force,
        fresh=fresh,
        accept_loss=accept_loss,
        as_json=as_json,
        targets=targets,
        beside=tuple(beside or ()),
        baseline=baseline,
        retries=retry_unknown,
        junit=junit,
    )
    _refuse_together(wanted, scenario, {"--pause": pause, "--seed": seed})
    wait = 0.0 if pause is None else quantity.wait(pause, "--pause")
    wanted = replace(wanted, wait=wait)
    raise typer.Exit(_start(book, scenario, 1 if seed is None else seed, name, wanted))


def _refuse_together(wanted: Wanted, scenario: str | None, given: Mapping[str, object]) -> None:
    """Raise UsageError for options that mean nothing together, or nothing here."""
    rehearsed = {
        **given,
        "--targets": wanted.targets,
        "--with": wanted.beside or None,
        "--baseline": wanted.baseline,
        "--retry-unknown": wanted.retries or None,
        "--junit": wanted.junit,
    }
    for flag, value in rehearsed.items():
        if scenario is None and value is not None:
            raise UsageError(f"{flag} is for a rehearsal", "add a situation: --scenario partition")
    if scenario is not None and (wanted.manual or wanted.fresh):
        raise UsageError(
            "a rehearsal never waits for you, and always begins at the first step",
            f"leave {'--manual' if wanted.manual else '--fresh'} out; --pause makes a rehearsal"
            " slower",
        )
    if wanted.manual and wanted.yes:
        raise UsageError(
            "--manual and --yes are both given",
            "give one of them: --manual asks before each step, --yes asks nothing",
        )
    if wanted.manual and not say().interactive:
        raise UsageError("--manual needs a terminal", "without --manual no step waits")


def _start(book: str, where: str | None, seed: int, name: str | None, wanted: Wanted) -> int:
    """Read the runbook and run it, here or in a scenario; the exit code."""
    from lab.commands.runbook import liverun, rehearsal
    from lab.runbooks import runbookfile, shipped
    from lab.steps import catalogue

    runbook = replace(runbookfile.read(shipped.find(book), catalogue.vocabulary()), source=book)
    if wanted.accept_loss:
        runbook = _accepting(runbook)
    if where is None:
        return liverun.run(runbook, name, wanted)
    return rehearsal.rehearse(runbook, where, seed, name, wanted)


def _accepting(runbook: Runbook) -> Runbook:
    """The runbook, with each step that may refuse a loss told to accept it."""
    from lab.steps.catalogue import step

    steps = tuple(
        replace(each, options={**each.options, _ACCEPT: True})
        if step(each.step).option(_ACCEPT)
        else each
        for each in runbook.steps
    )
    if steps == runbook.steps:
        raise UsageError(f"--accept-loss: no step of {runbook.name} refuses a loss", "leave it out")
    return replace(runbook, steps=steps)
