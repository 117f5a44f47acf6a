"""How far a runbook has come on a lab, kept so that a run that was killed goes on where it was.

A step that had begun is done again: every step may be. What was looked at is looked at again. The
note is written whole or not at all.

Progress belongs to one incident. The steps that are done were done about what was so then: a region
that came back and is lost again is another incident, and needs each of them anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.lazylibraries import lazily
from lab.core.paths import lab_file, write_whole

if TYPE_CHECKING:
    import pydantic
    from pydantic import TypeAdapter

    from lab.runbooks.runbook import Runbook
else:
    pydantic = lazily("pydantic")


@dataclass(frozen=True, slots=True)
class Sight:
    """What tells one incident from another, as far as machines can be asked.

    `primaries` are the databases that answer as primary, each with its timeline. `received` is how
    much WAL the node that is to take over has as a standby, in bytes; None if it is none. `booted`
    is when the engine last started the old primary's machine; empty if that is not known.
    """

    primaries: Mapping[str, int] = field(default_factory=dict)
    received: int | None = None
    booted: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of the `steps` of a runbook are behind it; `mark` tells these from other steps.

    `began` is when (UTC), and `seen` what showed that there was something to do. `old` and `new`
    are the nodes of its plan. `planned`: the old primary lives, and the runbook is no answer to its
    loss. `sight` is of the moment when the last step was done; a note without one is of no incident
    that can be told. `folders` are the names of all its runs' folders, `source` is how the runbook
    was named: a name or a file.
    """

    runbook: str
    mark: str = ""
    done: int = 0
    steps: tuple[str, ...] = ()
    began: str = ""
    seen: str = ""
    old: str = ""
    new: str = ""
    planned: bool = False
    sight: Sight | None = None
    folders: tuple[str, ...] = ()
    source: str = ""

    def __str__(self) -> str:
        """The run that was cut, in half a sentence."""
        when = f" of {self.began}" if self.began else ""
        return f"{self.runbook}{when}, stopped after {self.far}"

    @property
    def far(self) -> str:
        """How far it came, and about what."""
        seen = f" (seen then: {self.seen})" if self.seen else ""
        return f"{self.done} of {len(self.steps)} steps{seen}"

    def changed_something(self, looks: Collection[str]) -> bool:
        """False when no step is done, or only those that look."""
        return any(each not in looks for each in self.steps[: self.done])

    def further(self, done: int, mark: str, seen: str, sight: Sight) -> Progress:
        """So many steps lie behind it; the first one's evidence says what there was to do."""
        return replace(self, done=done, mark=mark, seen=self.seen or seen, sight=sight)


def over(found: Progress, now: Sight) -> str:
    """Why what is so now is no longer the incident of a note; empty if it may be.

    The plan's new node may be primary by now: the step that was cut may have promoted it. A planned
    runbook, and one that promotes nothing, is no answer to a loss: WAL arrives all the time.
    """
    noted = found.sight
    if noted is None:
        return "an older lab recorded only the steps"
    for place, timeline in now.primaries.items():
        then = noted.primaries.get(place)
        if then != timeline and (then is not None or place != found.new):
            return f"{place} is primary on timeline {timeline} by now"
    if noted.booted and now.booted and noted.booted != now.booted:
        return f"{found.old}'s machine was booted since"
    if found.planned or noted.received is None or now.received is None:
        return ""
    arrived = now.received > noted.received
    return f"{found.new} has received WAL of {found.old} since" if arrived else ""


@cache
def _note() -> TypeAdapter[Progress]:
    return pydantic.TypeAdapter(Progress)


def mark_of(runbook: Runbook, done: int, looks: Collection[str]) -> str:
    """Changes with the plan and the steps that are done, not with their comments.

    What is not done yet may be written otherwise, and so may the options of what is looked at
    again.
    """
    calls = [
        (call.step, [] if call.step in looks else sorted(call.options.items()))
        for call in runbook.steps[:done]
    ]
    return hashlib.sha256(repr((runbook.plan, calls)).encode()).hexdigest()[:16]


def note_of(lab_name: str) -> Path:
    """Where the note is kept."""
    return lab_file(f"{lab_name}.runbook.json")


def kept(lab_name: str) -> Progress | None:
    """The run that did not come to its end, if there is one; a damaged note is none."""
    try:
        return _note().validate_json(note_of(lab_name).read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


def keep(lab_name: str, progress: Progress) -> None:
    """Write down how far it has come."""
    write_whole(note_of(lab_name), _note().dump_json(progress).decode())


def forget(lab_name: str) -> None:
    """The run has come to its end, or is given up."""
    note_of(lab_name).unlink(missing_ok=True)
