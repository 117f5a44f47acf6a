"""The command `lab status`: what the lab is now, and what to do next."""

from __future__ import annotations

from lab.commands.parsing.options import Json, Name
from lab.commands.terminal import chosen_name, out, print_json, say


def status(name: Name = None, as_json: Json = False) -> None:
    """Show what is wrong, what to run next, which node follows which."""
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
