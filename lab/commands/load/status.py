"""The command `lab load status`: whether users are at work, and what was written down so far."""

from __future__ import annotations

from lab.commands.parsing.options import Json, Name
from lab.commands.terminal import chosen_name, out, print_json


def status(name: Name = None, as_json: Json = False) -> None:
    """Show since when users are at work, how many orders they placed, and what happened."""
    from lab.commands.load import standing
    from lab.testbed import underway
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    with Lab.attached(lab_name, dark=True) as lab:
        found = standing.look(lab, underway.kept(lab_name))
    if as_json:
        print_json(found.document())
    else:
        out().print(found.text(), markup=False)
