"""Writing the journal of a run while it goes, on the engine's clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lab.core.errors import LabError
from lab.core.lock import alone
from lab.core.paths import write_whole
from lab.core.wait import wait_until
from lab.records import journalfile
from lab.records.journalfile import (
    DONE,
    FAILED,
    Journal,
    Mark,
    MarkName,
    Phase,
    StepRecord,
    Via,
    to_json,
)

if TYPE_CHECKING:
    from lab.infra.clients import Clock

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class EngineClock:
    """The engine's monotonic clock as read from here.

    The tool may run in another kernel than the containers. `offset` is what must be added to
    this process's monotonic clock, `error` half the round trip of the best reading; both seconds.
    """

    boot_id: str
    offset: float
    error: float

    @staticmethod
    def calibrate(read: Callable[[], Clock], samples: int = 7) -> EngineClock:
        """Read the engine's clock several times and keep the reading with the shortest trip."""
        best: EngineClock | None = None
        for _ in range(samples):
            before = time.monotonic()
            reading = read()
            after = time.monotonic()
            error = (after - before) / 2
            if best is None or error < best.error:
                offset = reading.monotonic - (before + after) / 2
                best = EngineClock(reading.boot_id, offset, error)
        if best is None:
            raise LabError("the engine's clock was never read")
        return best

    @staticmethod
    def awaited(read: Callable[[], Clock]) -> EngineClock:
        """The same of a program that may have started only now. Raises WaitExpired."""
        wait_until("the users' program to answer", read, START_SECONDS, ignoring=(LabError,))
        return EngineClock.calibrate(read)

    def now(self) -> float:
        """The engine's CLOCK_MONOTONIC, in seconds."""
        return time.monotonic() + self.offset


class Observer(Protocol):
    """Watches a drill, as the terminal does."""

    def marked(self, mark: Mark) -> None:
        """A moment was written down."""

    def began(self, step: str, why: str) -> None:
        """A runbook step began."""

    def ended(self, record: StepRecord) -> None:
        """A runbook step ended."""

    def said(self, text: str) -> None:
        """Something worth a line."""


class Recorder:
    """The journal of one run, on disk after every entry so that a crash leaves what is known.

    Several threads may write to it.
    """

    is_read = True

    def __init__(self, clock: EngineClock, path: Path, observers: Iterable[Observer]) -> None:
        self.clock = clock
        self._path = path
        self._observers = tuple(observers)
        self._lock = threading.Lock()
        self._journal = Journal(clock.boot_id)

    @property
    def folder(self) -> Path:
        """The run's folder, for what a step leaves behind."""
        return self._path.parent

    @property
    def journal(self) -> Journal:
        """What was written so far."""
        return self._journal

    def mark(self, name: MarkName, at: float | None = None, note: str = "") -> float:
        """Write a moment down, now or one that was seen elsewhere; its time."""
        mark = Mark(name, self.clock.now() if at is None else at, note)
        self._keep(lambda now: replace(now, events=(*now.events, mark)))
        for each in self._observers:
            each.marked(mark)
        return mark.at

    def say(self, text: str) -> None:
        """Tell the observers something that is no figure."""
        for each in self._observers:
            each.said(text)

    def step(
        self,
        name: str,
        via: Via,
        phase: Phase | None,
        why: str,
        act: Callable[[], str],
        started: float | None = None,
        *,
        prepares: bool = False,
        failing: str = FAILED,
    ) -> StepRecord:
        """Do a step and write it down with its evidence, also when it fails (then raises)."""
        for each in self._observers:
            each.began(name, why)
        began = self.clock.now() if started is None else started

        def ended(outcome: str, evidence: str) -> StepRecord:
            now = self.clock.now()
            return self.add(
                StepRecord(name, via, began, now, outcome, evidence, why, phase, prepares)
            )

        try:
            evidence = act()
        except LabError as error:
            ended(failing, error.message)
            raise
        return ended(DONE, evidence)

    def add(self, record: StepRecord) -> StepRecord:
        """Write a step down that has ended."""
        self._keep(lambda now: replace(now, steps=(*now.steps, record)))
        for each in self._observers:
            each.ended(record)
        return record

    def _keep(self, entered: Callable[[Journal], Journal]) -> None:
        with self._lock:
            self._journal = entered(self._journal)
            self._write()

    def _write(self) -> None:
        write_whole(self._path, to_json(self._journal))


class SharedRecorder(Recorder):
    """Adds to a journal that exists, and that other commands add to at the same time."""

    def __init__(self, clock: EngineClock, path: Path, observers: Iterable[Observer]) -> None:
        super().__init__(clock, path, observers)
        self._journal = journalfile.from_file(path)

    def _keep(self, entered: Callable[[Journal], Journal]) -> None:
        with alone(self.folder):
            self._journal = journalfile.from_file(self._path)
            super()._keep(entered)
