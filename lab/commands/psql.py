"""The command `lab psql`: psql on a node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Name, completing, databases
from lab.commands.terminal import chosen_name
from lab.core.errors import MachineDown, MachineError, UnknownName

if TYPE_CHECKING:
    from lab.testbed.journalwriter import Recorder


def psql(
    context: typer.Context,
    node: Annotated[
        str,
        typer.Argument(help="A database such as east.db1.", autocompletion=completing(databases)),
    ],
    name: Name = None,
) -> None:
    """Open psql on a node as superuser. What follows the node goes to psql."""
    from lab.core.topology import DATABASES, Place
    from lab.testbed import underway
    from lab.testbed.lab import Lab

    place = Place.parse(node)
    if place not in DATABASES:
        raise UnknownName("database", node, databases())
    with Lab.attached(chosen_name(name)) as lab:
        container = lab.engine.container_name(place)
        state = lab.engine.state(place)
        if not state.running:
            raise MachineDown(place, state.status)
        journal = underway.recorder(lab)
    terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    command = ["docker", "exec", "-i", *terminal, container, "psql", "-X", "-U", "postgres", "shop"]
    try:
        if journal.is_read:
            raise typer.Exit(_noted(journal, f"psql at {place}", [*command, *context.args]))
        os.execvp(command[0], [*command, *context.args])  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        raise MachineError("the docker command is missing", "see: lab doctor") from None


def _noted(journal: Recorder, what: str, command: list[str]) -> int:
    """Run it to its end, and write down when that was; its exit code."""
    from lab.records.journalfile import Via

    code = list[int]()

    def act() -> str:
        # Ctrl-C is for psql, which goes on; a handler, unlike SIG_IGN, is not inherited.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            code.append(subprocess.run(command, check=False).returncode)
        finally:
            signal.signal(signal.SIGINT, before)
        return f"exit code {code[0]}"

    journal.step(what, Via.OUT_OF_BAND, None, "a person's own session", act)
    return code[0]
