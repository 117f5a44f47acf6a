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

from lab.core import jsondocuments
from lab.core.lazylibraries import lazily

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
    RUNBOOK_STARTED = "runbook_started"  # just before the first step of a run without a fault
    FAULT_PROVEN = "fault_proven"  # the lab has seen that it took effect
    DETECTED = "detected"
    DECIDED = "decided"
    RESTORED = "restored"  # the runbook's last step that users wait for is done
    LOAD_STOPPED = "load_stopped"  # users were asked to start nothing more
    HEALED = "healed"


MARK_WORDS: Final[Mapping[MarkName, str]] = {
    MarkName.DRILL_STARTED: "the drill begins",
    MarkName.LOAD_STARTED: "users begin to order",
    MarkName.STEADY: "steady state",
    MarkName.FAULT_STARTED: "FAULT",
    MarkName.RUNBOOK_STARTED: "the runbook begins",
    MarkName.FAULT_PROVEN: "fault proven",
    MarkName.DETECTED: "loss detected",
    MarkName.DECIDED: "decision made",
    MarkName.RESTORED: "service restored",
    MarkName.LOAD_STOPPED: "users stop",
    MarkName.HEALED: "the lab is healed",
}
"""The moments as people read them."""

ACTS: Final = (MarkName.FAULT_STARTED, MarkName.RUNBOOK_STARTED)
"""With one of these something is done to users; a run has at most one of them."""

ZEROS: Final = (*ACTS, MarkName.DRILL_STARTED, MarkName.LOAD_STARTED)
"""Where the time axis of a run begins: at the first of these marks that it has."""


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


LONGEST_RUN: Final = 7 * 86_400.0
"""Seconds. Nothing that a run writes down lies further from its fault; what does is damage."""

LONGEST_UPTIME: Final = 100 * 366 * 86_400.0
"""Seconds. No kernel runs for a century."""

_FINITE: Final = {"allow_inf_nan": False}
"""What pydantic reads from a class: no moment is infinite."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment, and a word about how it was seen."""

    __pydantic_config__: ClassVar[Mapping[str, bool]] = _FINITE

    name: MarkName
    at: float
    note: str = ""


DONE: Final = "done"
FAILED: Final = "failed"
RETRIED: Final = "tried again"
PASSED_OVER: Final = "passed over"
"""How a step went: done; or it failed, and the run stopped, tried it again, or went on."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One runbook step as it went. `outcome` is one of the words above.

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

    def __post_init__(self) -> None:
        """Raises ValueError for times that no run has: a figure of them would be none."""
        for step in self.steps:
            if step.ended < step.started:
                raise ValueError(f"the step {step.name!r} ends before it starts")
        times = self.times
        if times and not (min(times) >= 0 and max(times) <= LONGEST_UPTIME):
            raise ValueError("a moment that no machine has come to since it booted")
        if times and max(times) - min(times) > LONGEST_RUN:
            raise ValueError("moments that lie further apart than a week")

    @property
    def times(self) -> tuple[float, ...]:
        """Every moment that is in it."""
        marks = (mark.at for mark in self.events)
        return *marks, *(at for step in self.steps for at in (step.started, step.ended))

    def at(self, *names: MarkName) -> float | None:
        """The moment of the first of these marks that there is, or None when none ever came."""
        name = self.first_of(*names)
        return next((mark.at for mark in self.events if mark.name == name), None)

    def first_of(self, *names: MarkName) -> MarkName | None:
        """The first of these marks that there is, in the order in which they are given."""
        there = {mark.name for mark in self.events}
        return next((name for name in names if name in there), None)

    @property
    def acted(self) -> float | None:
        """When something was done to users: the fault, or the runbook of a run without one."""
        return self.at(*ACTS)


@cache
def _journal() -> TypeAdapter[Journal]:
    return pydantic.TypeAdapter(Journal)


def to_json(journal: Journal) -> str:
    """The text of journal.json."""
    return _journal().dump_json(journal, indent=2).decode() + "\n"


def from_file(path: Path) -> Journal:
    """Read journal.json; raises UsageError when it is none."""
    return jsondocuments.read(
        path, lambda text: _journal().validate_json(text, strict=True), "journal"
    )
