"""How far a runbook has come on a lab, kept so that a run that was killed goes on where it was.

A step that had begun is done again: every step may be. The note is written whole or not at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.libraries import lazily
from lab.paths import state_dir

if TYPE_CHECKING:
    import pydantic
    from pydantic import TypeAdapter

    from lab.runbook import Runbook
else:
    pydantic = lazily("pydantic")


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` steps of a runbook are behind it; `mark` tells one runbook's text from another's."""

    runbook: str
    mark: str
    done: int = 0

    def further(self) -> Progress:
        """One step more is done."""
        return replace(self, done=self.done + 1)


@cache
def _note() -> TypeAdapter[Progress]:
    return pydantic.TypeAdapter(Progress)


def mark_of(runbook: Runbook) -> str:
    """Changes with the plan and the steps, not with their comments."""
    text = repr(
        (runbook.plan, [(call.step, sorted(call.options.items())) for call in runbook.steps])
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def note_of(lab_name: str) -> Path:
    """Where the note is kept."""
    return state_dir() / "labs" / f"{lab_name}.runbook.json"


def kept(lab_name: str) -> Progress | None:
    """The run that did not come to its end, if there is one; a damaged note is none."""
    try:
        return _note().validate_json(note_of(lab_name).read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


def keep(lab_name: str, progress: Progress) -> None:
    """Write down how far it has come."""
    path = note_of(lab_name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    new.write_bytes(_note().dump_json(progress))
    new.replace(path)


def forget(lab_name: str) -> None:
    """The run has come to its end, or is given up."""
    note_of(lab_name).unlink(missing_ok=True)
