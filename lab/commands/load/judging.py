"""What a load is judged by, and how its result is told: the same while it is on and in the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.commands.terminal import out, put, say

if TYPE_CHECKING:
    from lab.drills.loadrun import Judged
    from lab.records.result import Result


def judged(
    limits: Mapping[str, str | None], objectives: Sequence[str] | None, sets: str | None
) -> Judged:
    """The objectives of a command line. Raises UsageError."""
    from lab.drills import targets
    from lab.drills.loadrun import Judged
    from lab.metrics import customobjectives

    wanted = customobjectives.read(limits, objectives or (), ()).before(targets.read(sets, ()))
    return Judged(wanted.objectives)


def tell(result: Result, folder: Path, *, as_json: bool) -> int:
    """Print a load's result; its exit code."""
    from lab.records.result import to_json
    from lab.report import resulttext

    if as_json:
        put(to_json(result))
    else:
        out().print(resulttext.summary(result, os.path.relpath(folder), say().typed))
    return result.verdict.exit_code
