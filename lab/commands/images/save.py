"""The command `lab images save`: the lab's images as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.commands.terminal import put, say


def save(
    file: Annotated[
        Path, typer.Argument(help="Where they go: a tar.", metavar="FILE", show_default=False)
    ],
) -> None:
    """Save the lab's images as one tar, for a CI cache. Makes those that are missing."""
    from lab.core import outputfiles, words
    from lab.host import engine, imagearchive

    outputfiles.prove_writable(file, "FILE")
    engine.ensure_engine(say())
    size = imagearchive.save(file, say())
    say().note(f"{words.size(size)}; load them: lab images load {file}")
    put(f"{file}\n")
