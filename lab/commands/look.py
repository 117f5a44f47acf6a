"""Looking around in a lab: status, logs, psql, dig."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lab.commands.options import AnyPlace, Json, Name, completing, databases
from lab.commands.terminal import chosen_name, out, print_json, put, say
from lab.core.errors import LabError, MachineDown, MachineError, UnknownName, UsageError


def status(name: Name = None, as_json: Json = False) -> None:
    """Show what is wrong, the next command, and who follows whom."""
    from dataclasses import asdict
    from functools import partial

    from lab.core import words
    from lab.status import look, panels
    from lab.status.catalogue import findings
    from lab.status.plan import plan
    from lab.testbed.lab import Lab

    with Lab.attached(chosen_name(name)) as lab:
        found = look.look(lab)
    if as_json:
        # Not as it was started here: a program that reads this has its own way to `lab`.
        named = partial(words.typed, program="lab", flag=say().flag)
        told = tuple(each.as_typed(named) for each in findings(found))
        steps = [asdict(each)["ways"] for each in plan(told)]
        findings_told = [asdict(each) for each in told]
        print_json({**asdict(found), "findings": findings_told, "next": steps})
    else:
        out().print(panels.status(found, say().typed))


def logs(
    place: AnyPlace = None,
    name: Name = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    tail: Annotated[int, typer.Option(help="How many lines back.", min=0, max=10**9)] = 100,
) -> None:
    """Print the log of one machine, or the last lines of all."""
    from lab.core.topology import PLACES, Place
    from lab.testbed.lab import Lab

    chosen = [Place.parse(place)] if place is not None else list(PLACES)
    if follow and place is None:
        raise UsageError("--follow needs a machine", "name one: lab logs -f west.app")
    with Lab.attached(chosen_name(name)) as lab:
        if follow:
            for line in lab.engine.follow_logs(chosen[0], tail):
                put(f"{line}\n")
                sys.stdout.flush()
            return
        for each in chosen:
            if place is None:
                out().print(f"── {each}", style="bold")
            put(lab.engine.logs(each, tail if place is not None else min(tail, 5)))


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


def dig(
    dns_name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="app, writer, head.east or head.west.",
            autocompletion=completing(lambda: ["app", "writer", "head.east", "head.west"]),
        ),
    ],
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Ask both resolvers for a name of the lab."""
    from lab.core.topology import REGIONS
    from lab.infra import dnsnames
    from lab.testbed.lab import Lab

    whole = dnsnames.full_name(dns_name)
    answers: dict[str, list[str] | None] = {}
    with Lab.attached(chosen_name(name)) as lab:
        for region in REGIONS:
            try:
                answers[region.name] = list(lab.names.ask(region, whole))
            except LabError:
                answers[region.name] = None
    if as_json:
        print_json({"name": whole, "answers": answers})
        return
    for viewer, found in answers.items():
        words = "no answer" if found is None else ", ".join(found) or "no such name"
        out().print(f"{viewer:5} {whole} → {words}")
