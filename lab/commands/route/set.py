"""The command `lab route set`: both steerings send users by another policy."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.parsing.options import Name, completing
from lab.commands.route.words import Options, policies
from lab.commands.terminal import chosen_name, say


def set_policy(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY",
            help="A policy of lab route list.",
            show_default=False,
            autocompletion=completing(policies),
        ),
    ],
    option: Options = None,
    name: Name = None,
) -> None:
    """Let both steerings send users by this policy. What is not named has its default.

    `lab reset` and `lab runbook run reopen` put the default back. A pin stays above every policy.
    The exit code is 3 if a steering does not take the policy; the same command continues then.
    """
    from lab.core.errors import LabError
    from lab.core.topology import REGIONS
    from lab.patience import routes
    from lab.testbed import turns
    from lab.testbed.lab import Lab

    route = routes.read(policy, option or ())
    lab_name, problems = chosen_name(name), list[str]()
    with (
        turns.exclusive(lab_name, "set a routing policy"),
        Lab.attached(lab_name, dark=True) as lab,
    ):
        for region in REGIONS:
            try:
                changed = lab.steerings[region].follow(route.document())
            except LabError as error:
                problems.append(error.message)
                continue
            told = "took it" if changed else "no change was needed"
            say().note(f"{region.name}'s steering: {route}: {told}")
    if problems:
        raise LabError("; ".join(problems), "then give the same command again")
