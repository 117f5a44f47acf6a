"""Users at work outside a drill: the note of it, and the journal that every command adds to.

The users need no command: their programs go on whatever becomes of it. The note says which run's
folder their record will go to. Commands that change something meanwhile write that down there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab.core.errors import LabError, UsageError
from lab.core.lazylibraries import lazily
from lab.core.load import Load
from lab.core.paths import lab_file, write_whole
from lab.records.journalfile import PASSED_OVER, Mark, MarkName, StepRecord, Via
from lab.records.journalmarks import STEPS_OWN
from lab.records.machineload import Reading
from lab.records.resultrows import NodeView
from lab.records.runfiles import JOURNAL
from lab.testbed.journalwriter import EngineClock, Observer, Recorder, SharedRecorder

if TYPE_CHECKING:
    import pydantic
    from pydantic import TypeAdapter

    from lab.testbed.lab import Lab
else:
    pydantic = lazily("pydantic")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Underway:
    """What is known of a load from its start on.

    `folder` is the run's, `began` wall time (ISO 8601, UTC), `boot_id` the kernel's whose clock
    counts. `old` is the database that was primary then, `before` the topology. `calm` is how busy
    the load kept the machine before anything failed. Faults that are `untold` are named by the
    report alone.
    """

    folder: Path
    boot_id: str
    load: Load
    seed: int
    old: str
    began: str = field(default_factory=_now)
    before: tuple[NodeView, ...] = ()
    calm: Mapping[str, Reading] | None = None
    untold: bool = False


@cache
def _note() -> TypeAdapter[Underway]:
    return pydantic.TypeAdapter(Underway)


def _file(name: str) -> Path:
    return lab_file(f"{name}.load.json")


def keep(name: str, found: Underway) -> None:
    """Note that users are at work on the lab of that name."""
    write_whole(_file(name), _note().dump_json(found, indent=1).decode() + "\n")


def is_noted(name: str) -> bool:
    """Whether a load is on, also if its note cannot be read."""
    return _file(name).exists()


def kept(name: str) -> Underway | None:
    """The load that is on; None without one. Raises LabError for a note that cannot be read."""
    try:
        return _note().validate_json(_file(name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(
            f"users may be at work: the note of their record, {_file(name)}, cannot be read",
            "end them without a record: lab load stop --discard",
        ) from error


def need(name: str) -> Underway:
    """The load that is on. Raises UsageError without one."""
    if (found := kept(name)) is None:
        raise UsageError("no users are at work", "put them to work: lab load start")
    return found


def forget(name: str) -> None:
    """No load is on any more."""
    _file(name).unlink(missing_ok=True)


def recorder(lab: Lab) -> Recorder:
    """What writes into the journal of the load that is on; without one, nothing is written."""
    try:
        found = kept(lab.name)
    except LabError:  # whatever their record is worth, a fault must be healed
        return Unwritten()
    if found is None or not (found.folder / JOURNAL).is_file():
        return Unwritten()
    clock = EngineClock.awaited(lab.users["east"].clock)
    return SharedRecorder(clock, found.folder / JOURNAL, ())


Done = TypeVar("Done")


def healed(journal: Recorder, heal: Callable[[], tuple[Done, ...]]) -> tuple[Done, ...]:
    """Heal something, and write that down as a step; what came of it."""
    found = list[tuple[Done, ...]]()

    def act() -> str:
        found.append(heal())
        return "; ".join(map(str, found[0])) or "no fault was in force"

    journal.step("heal", Via.OUT_OF_BAND, None, "a command of its own", act, failing=PASSED_OVER)
    return found[0]


class Unwritten(Recorder):
    """A journal that no load reads."""

    is_read = False

    def __init__(self) -> None:
        super().__init__(EngineClock("", 0.0, 0.0), Path(), ())

    def _write(self) -> None:
        pass


class Copied(Observer):
    """Writes what a runbook does into another journal, too."""

    def __init__(self, journal: Recorder) -> None:
        self._journal = journal

    def marked(self, mark: Mark) -> None:
        """Steps notice, decide and restore."""
        if mark.name in STEPS_OWN:
            self._journal.mark(mark.name, mark.at, mark.note)

    def began(self, step: str, why: str) -> None:
        """Steps are written down when they end."""

    def ended(self, record: StepRecord) -> None:
        """A step, with what became of it."""
        self._journal.add(record)

    def said(self, text: str) -> None:
        """Notes are for people."""


def begins(journal: Recorder, title: str, *, planned: bool) -> None:
    """A runbook begins: an event of its own if it is planned, or if nothing happened before.

    Any other is the answer to what happened.
    """
    if planned or journal.journal.acted is None:
        journal.mark(MarkName.RUNBOOK_STARTED, note=title)
