"""The command `lab doctor`: what this machine lacks."""

from __future__ import annotations

import typer

from lab.commands.parsing.options import Name
from lab.commands.terminal import chosen_name, out, say
from lab.core import switches
from lab.core.errors import MachineError


def doctor(name: Name = None) -> None:
    """Look at this machine: engine, Compose, disk, memory, images."""
    from lab.status import panels
    from lab.testbed import doctor

    switches.refuse_unknown_words()
    found = doctor.examine(chosen_name(name))
    out().print(panels.checks(found, say().typed))
    if any(check.state == "broken" for check in found):
        raise typer.Exit(MachineError.exit_code)
