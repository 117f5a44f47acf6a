"""The command `lab down`: the lab removed, with all orders."""

from __future__ import annotations

from lab.commands.emptying import agree, told_orders
from lab.commands.parsing.options import Name, Yes
from lab.commands.terminal import chosen_name, say
from lab.core.errors import LabError


def down(name: Name = None, yes: Yes = False) -> None:
    """Remove every container, network and volume of the lab. All orders go.

    If orders may be lost that no drill placed, it asks first; without a terminal,
    --yes is required.
    """
    from lab.testbed import lifecycle, turns

    chosen = chosen_name(name)
    with turns.exclusive(chosen, "take the lab down"):
        if not yes:
            lost = filter(None, [_on_its_disks(chosen), _at_work(chosen)])
            agree("lab down", " and ".join(lost))
        with say().step(f"removing lab {chosen!r}"):
            removed = lifecycle.down(chosen)
    say().note(f"removed {len(removed)} things" if removed else "there was nothing to remove")


def _at_work(name: str) -> str:
    """Whose record goes with the lab; empty for none."""
    from lab.testbed import underway

    try:
        under = underway.kept(name)
    except LabError as error:
        return error.message
    return "" if under is None else f"the record of users who work since {under.began}"


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
            return told_orders(lab)
    except LabError:
        return "the data on the lab's disks (the databases do not run, so it cannot be counted)"
