"""Arguments that commands of `lab route` take, and how the shell completes them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer


def policies() -> list[str]:
    """Every routing policy's name."""
    from apps.steering.policies import POLICIES

    return [*POLICIES]


Options: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OPTION=VALUE",
        help="Options of the policy and of its health checks: lab route list POLICY.",
        show_default=False,
    ),
]
