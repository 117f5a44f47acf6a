"""The command `lab psql`: psql on a node."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lab.commands.parsing.options import Name, completing, databases
from lab.commands.terminal import chosen_name
from lab.core.errors import MachineDown, MachineError, UnknownName


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
    from lab.testbed.lab import Lab

    place = Place.parse(node)
    if place not in DATABASES:
        raise UnknownName("database", node, databases())
    with Lab.attached(chosen_name(name)) as lab:
        container = lab.engine.container_name(place)
        state = lab.engine.state(place)
        if not state.running:
            raise MachineDown(place, state.status)
    terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    command = ["docker", "exec", "-i", *terminal, container, "psql", "-X", "-U", "postgres", "shop"]
    try:
        os.execvp(command[0], [*command, *context.args])  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        raise MachineError("the docker command is missing", "see: lab doctor") from None
