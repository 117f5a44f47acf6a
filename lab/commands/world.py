"""The lab as a whole: doctor, up, down, reset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.options import ImagesOnly, Name, Yes
from lab.commands.terminal import chosen_name, out, say, told_when_interrupted
from lab.core import switches
from lab.core.errors import LabError, MachineError, UsageError
from lab.core.words import count

if TYPE_CHECKING:
    from lab.core.topology import Place
    from lab.testbed.lab import Lab


def doctor(name: Name = None) -> None:
    """Look at this machine: engine, Compose, disk, memory, images."""
    from lab.status import panels
    from lab.testbed import doctor

    switches.refuse_unknown_words()
    found = doctor.examine(chosen_name(name))
    out().print(panels.checks(found, say().typed))
    if any(check.state == "broken" for check in found):
        raise typer.Exit(MachineError.exit_code)


def up(name: Name = None, images_only: ImagesOnly = False) -> None:
    """Bring the lab up, from nothing or from what stopped. Orders and topology stay.

    A database that was replaced while it was away stays down; the way back is named.
    """
    from lab.host import engine, images
    from lab.infra import settings
    from lab.testbed import lifecycle

    if images_only:
        engine.ensure_engine(say())
        images.ensure_images(say())
        return
    chosen = chosen_name(name)
    known = settings.settings_file(chosen).exists()
    with lifecycle.exclusive(chosen, "bring the lab up"):
        with told_when_interrupted():
            lab = lifecycle.up(chosen, say())
        lab.engine.close()
    drill = "" if known else ", lab drill region-loss"  # it would empty one that was used
    say().note(f"lab {chosen!r} is up; next: lab status{drill}")


def down(name: Name = None, yes: Yes = False) -> None:
    """Remove every container, network and volume of the lab. All orders go.

    If orders may be lost that no drill placed, it asks first; where no terminal is there to ask on,
    --yes must be said.
    """
    from lab.testbed import lifecycle

    chosen = chosen_name(name)
    with lifecycle.exclusive(chosen, "take the lab down"):
        if not yes:
            _agree("lab down", _on_its_disks(chosen))
        with say().step(f"removing lab {chosen!r}"):
            removed = lifecycle.down(chosen)
    say().note(f"removed {len(removed)} things" if removed else "there was nothing to remove")


def _on_its_disks(name: str) -> str:
    """Which orders go with a lab's disks; empty for none."""
    from lab.infra import settings
    from lab.testbed import lifecycle
    from lab.testbed.lab import Lab

    if not lifecycle.disks(name):
        return ""
    try:
        known = settings.load(name)
        if known is not None and known.pace is None:  # it never came up as a whole
            return ""
        with Lab.attached(name) as lab:
            return _told_orders(lab)
    except LabError:
        return "what is on the lab's disks, which no database tells now"


def reset(
    name: Name = None,
    yes: Yes = False,
    unread: Annotated[
        bool, typer.Option("--unread", help="Also where what is in a database cannot be read.")
    ] = False,
) -> None:
    """Put the default topology and an empty shop back. Containers stay.

    Orders that no drill placed are written to a file before they go. If there are any, it asks
    first; where no terminal is there to ask on, --yes must be said.
    """
    from lab.postgres.salvage import Keep
    from lab.testbed import lifecycle
    from lab.testbed.lab import Lab

    chosen = chosen_name(name)
    with (
        lifecycle.exclusive(chosen, "reset the lab"),
        told_when_interrupted(),
        Lab.attached(chosen) as lab,
    ):
        if not yes and (told := _told_orders(lab)):
            _agree("lab reset", f"{told} would be left in a file alone")
        with say().step("default topology, empty shop, all links open"):
            kept = lab.reset(Keep(unread=unread))
        if kept:
            say().note(kept)


def _told_orders(lab: Lab) -> str:
    orders = _orders(lab)
    return most_of(orders, lab.databases.primaries()) if any(orders.values()) else ""


def _orders(lab: Lab) -> Mapping[Place, int]:
    """How many orders that no drill placed each database has, of those that answer."""
    from lab.core.load import of_drill
    from lab.core.topology import DATABASES
    from lab.postgres.databases import DATABASE

    def counted(place: Place) -> int:
        try:
            found = lab.databases[place].query("SELECT key FROM orders", database=DATABASE)
        except LabError:
            return 0
        return sum(not of_drill(key) for (key,) in found)

    return dict(zip(DATABASES, lab.engine.each(DATABASES, counted), strict=True))


def _agree(command: str, lost: str) -> None:
    """Raise UsageError unless nothing is lost, or a person agrees to it."""
    if not lost:
        return
    if not say().interactive:
        raise UsageError(f"{command} empties the lab: {lost}", "say --yes, if that is meant")
    if not say().agrees(f"This empties the lab: {lost}. Go on?"):
        raise UsageError("nothing was done", "lab status shows what the lab is")


def most_of(orders: Mapping[Place, int], primaries: Collection[Place] = ()) -> str:
    """How many orders there are: on the primary that has most, else where most are; empty for none.

    A standby that is asked a moment later counts a few more.
    """
    most = max(orders, key=lambda place: (place in primaries and orders[place] > 0, orders[place]))
    return f"{count(orders[most], 'order')} on {most}" if orders[most] else ""
