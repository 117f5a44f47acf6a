"""The lab as a whole: doctor, up, down, reset."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lab.commands.options import ImagesOnly, Name
from lab.commands.terminal import name_flag, out, say, told_when_interrupted
from lab.errors import MachineError


def doctor(name: Name = None) -> None:
    """Look at this machine: engine, Compose, disk, memory, images."""
    from lab import doctor, panels, settings

    chosen = settings.chosen_name(name)
    known = settings.load(chosen)
    subnet = known.subnet if known else os.environ.get("LAB_SUBNET", settings.DEFAULT_SUBNET)
    found = doctor.examine(subnet, chosen)
    out().print(panels.checks(found))
    if any(check.state == "broken" for check in found):
        raise typer.Exit(MachineError.exit_code)


def up(name: Name = None, images_only: ImagesOnly = False) -> None:
    """Bring the lab up. From whatever there is: nothing, leftovers, or a lab that runs."""
    from lab import images, lifecycle, machine, settings

    if images_only:
        machine.ensure_engine(say())
        images.ensure_images(say())
        return
    chosen = settings.chosen_name(name)
    with lifecycle.exclusive(chosen, "bring the lab up"):
        with told_when_interrupted(chosen):
            lab = lifecycle.up(chosen, say())
        lab.engine.close()
    flag = name_flag(chosen)
    say().note(f"lab {chosen!r} is up; next: lab status{flag}, lab drill region-loss{flag}")


def down(name: Name = None) -> None:
    """Remove every container, network and volume of the lab."""
    from lab import lifecycle, settings

    chosen = settings.chosen_name(name)
    with (
        lifecycle.exclusive(chosen, "take the lab down"),
        say().step(f"removing lab {chosen!r}"),
    ):
        removed = lifecycle.down(chosen)
    say().note(f"removed {len(removed)} things" if removed else "there was nothing to remove")


def reset(
    name: Name = None,
    unread: Annotated[
        bool, typer.Option("--unread", help="Also where what is in a database cannot be read.")
    ] = False,
) -> None:
    """Put the default topology and an empty shop back. Containers stay.

    Orders that no drill placed are written to a file before they go.
    """
    from lab import cluster, lifecycle, settings
    from lab.salvage import Keep

    chosen = settings.chosen_name(name)
    with (
        lifecycle.exclusive(chosen, "reset the lab"),
        told_when_interrupted(chosen),
        cluster.Lab.attached(chosen) as lab,
    ):
        with say().step("default topology, empty shop, all links open"):
            kept = lab.reset(Keep(unread=unread))
        if kept:
            say().note(kept)
