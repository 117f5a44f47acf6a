"""The command `lab route set`: both steerings send users by another policy."""

from __future__ import annotations

from typing import Annotated

from lab.commands.parsing.options import Name
from lab.commands.route.words import Options, any_policy
from lab.commands.terminal import chosen_name, say


def set_policy(
    policy: Annotated[str, any_policy("A policy of lab route list.")],
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
