"""The command `lab images load`: images that were saved, if they are of these sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.commands.terminal import say


def load(
    file: Annotated[
        Path,
        typer.Argument(
            help="A tar that lab images save wrote.", metavar="FILE", show_default=False
        ),
    ],
) -> None:
    """Load images that were saved. Refused with exit code 2 if the sources have changed since."""
    from lab.host import engine, imagearchive

    imagearchive.look_into(file)  # before an engine is installed for it
    engine.ensure_engine(say())
    loaded = imagearchive.load(file, say())
    say().note("next: lab up" if loaded else "all of them are here already")
