"""Arguments and options that the commands about runbooks share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.commands.parsing.options import completing, runbooks, scenarios

Book = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="A shipped runbook or a file; see: lab runbook list",
        show_default=False, autocompletion=runbooks,
    ),
]  # fmt: skip
Scenario = Annotated[
    str | None,
    typer.Option(
        metavar="SCENARIO", show_default=False,
        help="A situation such as region-dead; if left out, the first one that the runbook is"
        " written for.",
        autocompletion=completing(scenarios),
    ),
]  # fmt: skip
Picture = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Draw it as a graph.", show_default=False),
]
