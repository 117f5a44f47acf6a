"""All figures of one run: what a drill recorded, turned into `Figures`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab import measure as formula
from lab.classify import Classification
from lab.errors import UsageError
from lab.history import History, Operation
from lab.measure import Fork, Loss, PhaseTime, Span, SplitBrain
from lab.record import Journal, MarkName
from lab.recovery import PATIENCE, WINDOW, Recovery, recoveries
from lab.traffic import (
    Gap,
    Latency,
    Rate,
    Second,
    latency,
    longest_gap,
    longest_pause,
    per_second,
    rate,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Load and latency of one population's writes in one part of the run."""

    rate: Rate
    latency: Latency


@dataclass(frozen=True, slots=True)
class PopulationFigures:
    """How one population fared. `after` is None when it never came back, `gap` without a fault.

    `gap` is the longest time without an acknowledgement, `pause` the longest without a start.
    """

    population: str
    before: Stretch
    pause: Gap
    after: Stretch | None
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured. None: not measured, because there was no fault."""

    origin: float
    fault_started: float | None
    until: float
    classification: Classification
    loss: Loss | None
    recoveries: tuple[Recovery, ...]
    split_brain: SplitBrain
    phases: tuple[PhaseTime, ...]
    populations: tuple[PopulationFigures, ...]
    seconds: tuple[Second, ...]
    window: float = WINDOW
    patience: float = PATIENCE


def measure(
    history: History,
    journal: Journal,
    classification: Classification,
    fork: Fork | None = None,
    *,
    window: float = WINDOW,
    patience: float = PATIENCE,
) -> Figures:
    """Compute every figure. Raises UsageError when journal and history are of different boots."""
    if journal.boot_id != history.boot_id:
        raise UsageError(
            f"the journal is of boot {journal.boot_id}, the history of {history.boot_id}",
            "their clocks cannot be compared; run the drill again",
        )
    writes = history.writes
    fault = journal.at(MarkName.FAULT_STARTED)
    until = _until(writes, journal)
    back: tuple[Recovery, ...] = ()
    if fault is not None:
        names = history.populations
        back = recoveries(writes, fault, until, populations=names, window=window, patience=patience)
    lost = [fate.operation for fate in classification.lost]
    origin = _origin(journal, writes)
    return Figures(
        origin=origin,
        fault_started=fault,
        until=until,
        classification=classification,
        loss=None if fault is None else formula.loss(lost, fault, fork),
        recoveries=back,
        split_brain=formula.split_brain(writes),
        phases=_phases(journal, back),
        populations=tuple(
            _population(name, writes, journal, back, until) for name in history.populations
        ),
        seconds=per_second(writes, origin),
        window=window,
        patience=patience,
    )


def _origin(journal: Journal, writes: Iterable[Operation]) -> float:
    """Zero of the time axis: the fault, else the drill's start, else the first write."""
    for name in (MarkName.FAULT_STARTED, MarkName.DRILL_STARTED, MarkName.LOAD_STARTED):
        if (at := journal.at(name)) is not None:
            return at
    return min((item.start for item in writes), default=0.0)


def _until(writes: Iterable[Operation], journal: Journal) -> float:
    """End of the load: users were asked to stop, else the last start that was recorded."""
    stopped = journal.at(MarkName.LOAD_STOPPED)
    return max((w.start for w in writes), default=0.0) if stopped is None else stopped


def _phases(journal: Journal, back: Iterable[Recovery]) -> tuple[PhaseTime, ...]:
    """Phases up to the moment when the slowest population that honours TTLs was back."""
    fault = journal.at(MarkName.FAULT_STARTED)
    if fault is None:
        return ()
    seconds = [item.seconds for item in back if item.honours_ttl]
    real = [value for value in seconds if value is not None]
    recovered = fault + max(real) if real and len(real) == len(seconds) else None
    spans = [Span(s.phase, s.started, s.ended) for s in journal.steps if s.phase is not None]
    detected, decided = journal.at(MarkName.DETECTED), journal.at(MarkName.DECIDED)
    return formula.phases(fault, detected, decided, spans, recovered)


def _population(
    name: str,
    writes: Iterable[Operation],
    journal: Journal,
    back: Iterable[Recovery],
    until: float,
) -> PopulationFigures:
    own = [item for item in writes if item.population == name]
    begin = _first_of(journal, MarkName.STEADY, MarkName.LOAD_STARTED)
    since = min((w.start for w in own), default=until) if begin is None else begin
    pause = longest_pause(own, since, max(since, until))
    fault = journal.at(MarkName.FAULT_STARTED)
    if fault is None:
        return PopulationFigures(name, _stretch(own, since, until), pause, None, None)
    seconds = next((r.seconds for r in back if r.population == name and r.honours_ttl), None)
    after = None if seconds is None else _stretch(own, fault + seconds, until)
    gap = longest_gap(own, fault, max(fault, until))
    return PopulationFigures(name, _stretch(own, since, fault), pause, after, gap)


def _first_of(journal: Journal, *names: MarkName) -> float | None:
    return next((at for name in names if (at := journal.at(name)) is not None), None)


def _stretch(writes: list[Operation], since: float, until: float) -> Stretch:
    return Stretch(rate(writes, since, until), latency(writes, since, until))
