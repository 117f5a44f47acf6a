"""The command `lab load start`: the simulated users at work on the lab as it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Name, any_seed, completing
from lab.commands.terminal import chosen_name, say, told_when_interrupted
from lab.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from lab.core.load import Load


def _profiles() -> list[str]:
    from lab.core.load import PROFILES

    return [*PROFILES]


def start(
    profile: Annotated[
        str,
        typer.Option(
            help="Which users: usual, light, heavy, readers, naive, one-resolver or sticky.",
            metavar="NAME",
            autocompletion=completing(_profiles),
        ),
    ] = "usual",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Orders per second of each population, instead of the profile's.",
            metavar="PER-SECOND",
            min=0,
            max=5000,
            show_default=False,
        ),
    ] = None,
    reads: Annotated[
        float | None,
        typer.Option(
            help="Reads per second of each population, instead of the profile's.",
            metavar="PER-SECOND",
            min=0,
            max=5000,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, any_seed("Seed of the users' choices.")] = 1,
    name: Name = None,
) -> None:
    """Put the users to work, and record what they do and are told. Changes nothing else.

    They go on until `lab load stop`, also when this terminal is closed. Faults, runbooks and psql
    sessions of that time are in the record, and `lab report --live` measures it so far.
    """
    from lab.drills import livepanel, loadrun
    from lab.records import runfolders
    from lab.testbed import turns, underway
    from lab.testbed.lab import Lab

    load, lab_name = _load(profile, rate, reads), chosen_name(name)
    folder = runfolders.new_run(loadrun.NAME)
    with (
        runfolders.dropped_if_empty(folder),
        turns.exclusive(lab_name, "put users to work"),
        told_when_interrupted("users may be at work: `lab load status` says so"),
        Lab.attached(lab_name) as lab,
    ):
        if (there := underway.kept(lab_name)) is not None:
            raise UsageError(
                f"users are at work since {there.began}", "measure and end that: lab load stop"
            )
        with say().step(f"users begin: {load} of each population"):
            loadrun.begin(lab, load, seed, folder, (livepanel.PlainLines(say().console),))
    say().note("so far: lab report --live; to end and measure it: lab load stop")


def _load(profile: str, rate: float | None, reads: float | None) -> Load:
    """The profile's users, with the rates that the command line gives. Raises UsageError."""
    from lab.core.load import FIELDS, PROFILES

    if profile not in PROFILES:
        raise UnknownName("profile", profile, [*PROFILES])
    load = PROFILES[profile].load
    if rate is not None:
        replace(FIELDS["writes_per_second"], above=True).refuse("--rate", rate)
        load = replace(load, writes_per_second=rate)
    if reads is not None:
        FIELDS["reads_per_second"].refuse("--reads", reads)
        load = replace(load, reads_per_second=reads)
    return load
