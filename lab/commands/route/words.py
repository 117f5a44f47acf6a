"""Arguments that commands of `lab route` take, and how the shell completes them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from lab.commands.parsing.options import completing


def policies() -> list[str]:
    """Every routing policy's name."""
    from apps.steering.policies import POLICIES

    return [*POLICIES]


def any_policy(text: str) -> typer.models.ArgumentInfo:
    """The argument POLICY, with what it is for."""
    found: typer.models.ArgumentInfo = typer.Argument(
        metavar="POLICY", help=text, show_default=False, autocompletion=completing(policies)
    )
    return found


Options: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OPTION=VALUE",
        help="Options of the policy and of its health checks: lab route list POLICY.",
        show_default=False,
    ),
]
