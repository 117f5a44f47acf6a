"""The journal of a run: when what happened, and every runbook step with its evidence.

All times are CLOCK_MONOTONIC seconds of the engine's kernel, as in the history, under one boot id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from lab.errors import UsageError
from lab.libraries import lazily

if TYPE_CHECKING:
    import pydantic
    from pydantic import TypeAdapter
else:
    pydantic = lazily("pydantic")


class MarkName(StrEnum):
    """The moments that figures are measured from."""

    DRILL_STARTED = "drill_started"
    LOAD_STARTED = "load_started"
    STEADY = "steady"
    FAULT_STARTED = "fault_started"  # just before the first action of the fault
    FAULT_PROVEN = "fault_proven"  # the lab has seen that it took effect
    DETECTED = "detected"
    DECIDED = "decided"
    RESTORED = "restored"  # the runbook's last step that users wait for is done
    LOAD_STOPPED = "load_stopped"  # users were asked to start nothing more
    HEALED = "healed"


class Via(StrEnum):
    """The way a step takes to what it changes."""

    IN_BAND = "in-band"  # through the gateways
    OUT_OF_BAND = "out-of-band"  # a management network: the Docker API


class Phase(StrEnum):
    """What the time until users can write again is spent on."""

    DETECT = "detect"
    DECIDE = "decide"
    FENCE = "fence"
    PROMOTE = "promote"
    REPOINT = "re-point"
    CLIENTS = "clients follow"
    UNEXPLAINED = "unexplained"


_FINITE: Final = {"allow_inf_nan": False}
"""What pydantic reads from a class: no moment is infinite."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment, and a word about how it was seen."""

    __pydantic_config__: ClassVar[Mapping[str, bool]] = _FINITE

    name: MarkName
    at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One runbook step as it went. `outcome` is a word such as done, already, pending, failed.

    `phase` says which part of the recovery time the step belongs to; None for steps that users
    do not wait for (rebuilding the dead side, failing back). A step that `prepares` is part of
    its phase, but users cannot follow because of it.
    """

    __pydantic_config__: ClassVar[Mapping[str, bool]] = _FINITE

    name: str
    path: Via
    started: float
    ended: float
    outcome: str
    evidence: str
    why: str
    phase: Phase | None = None
    prepares: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything the drill runner wrote down. The first mark of a name counts."""

    boot_id: str
    events: tuple[Mark, ...] = ()
    steps: tuple[StepRecord, ...] = ()

    def at(self, name: MarkName) -> float | None:
        """The moment of a mark, or None when it never came."""
        return next((mark.at for mark in self.events if mark.name == name), None)


@cache
def _journal() -> TypeAdapter[Journal]:
    return pydantic.TypeAdapter(Journal)


def to_json(journal: Journal) -> str:
    """The text of journal.json."""
    return _journal().dump_json(journal, indent=2).decode() + "\n"


def from_file(path: Path) -> Journal:
    """Read journal.json; raises UsageError when it is none."""
    try:
        return _journal().validate_json(path.read_bytes())
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{path} is no journal: {first['loc']}: {first['msg']}") from error
