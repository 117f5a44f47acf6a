"""All figures of one run: what a drill recorded, turned into `Figures`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from lab import measure as formula
from lab import steadiness
from lab.classify import Classification
from lab.columns import Operations
from lab.errors import UsageError
from lab.ledger import Ledger
from lab.measure import Fork, Loss, PhaseTime, Span, SplitBrain
from lab.movement import Misdirected, Movement, misdirected, movements
from lab.record import Journal, MarkName
from lab.recordgaps import RecordGaps, record_gaps
from lab.recovery import PATIENCE, WINDOW, Recovery, recoveries
from lab.stale import StaleRead, stale_reads
from lab.steadiness import Budget, FullRecovery, Spike
from lab.traffic import (
    Gap,
    Latency,
    Outage,
    Rate,
    Second,
    SecondAddress,
    SecondLatency,
    latency,
    latency_per_second,
    longest_gap,
    longest_outage,
    longest_pause,
    per_address,
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
    """How one population fared: before the fault, from it to the return, and from then on.

    `during` and `gap` are None without a fault, `after` when it never came back. `gap` is the
    longest time without an acknowledgement, `pause` the longest without a start.
    """

    population: str
    before: Stretch
    pause: Gap
    during: Stretch | None
    after: Stretch | None
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured. None: not measured, because there was no fault.

    `gap` is the longest time after the fault in which no write that anybody tried went through.
    """

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
    latencies: tuple[SecondLatency, ...]
    addresses: tuple[SecondAddress, ...]
    stale: tuple[StaleRead, ...]
    gaps: RecordGaps
    movements: tuple[Movement, ...] = ()
    misdirected: tuple[Misdirected, ...] = ()
    budgets: tuple[Budget, ...] = ()
    full_recovery: FullRecovery | None = None
    spike: Spike | None = None
    gap: Outage | None = None
    window: float = WINDOW
    patience: float = PATIENCE


def measure(
    ledger: Ledger,
    journal: Journal,
    classification: Classification,
    fork: Fork | None = None,
    *,
    window: float = WINDOW,
    patience: float = PATIENCE,
    dead: AbstractSet[str] = frozenset(),
    populations: Collection[str] = (),
) -> Figures:
    """Compute every figure.

    `dead` are the addresses, as DNS gives them, that the fault took away. `populations` are those
    that were to work: each of them must have a record.

    Raises UsageError when journal and history are of different boots.
    """
    if journal.boot_id != ledger.boot_id:
        raise UsageError(
            f"the journal is of boot {journal.boot_id}, the history of {ledger.boot_id}",
            "their clocks cannot be compared; run the drill again",
        )
    run = _Run(ledger, journal, window, patience, frozenset(populations))
    with ThreadPoolExecutor(max_workers=1) as pool:  # NumPy computes without Python's lock
        went = pool.submit(_where_users_went, ledger.operations, run.origin, run.fault, dead)
        found = run.plain(classification)
        if run.fault is not None:
            found = run.after_fault(found, run.fault, fork)
        addresses, moved, wrong = went.result()
    return replace(found, addresses=addresses, movements=moved, misdirected=wrong)


def _where_users_went(
    operations: Operations, origin: float, fault: float | None, dead: AbstractSet[str]
) -> tuple[tuple[SecondAddress, ...], tuple[Movement, ...], tuple[Misdirected, ...]]:
    """What is measured of operations of every kind, not of writes only."""
    addresses = per_address(operations, origin)
    if fault is None:
        return addresses, (), ()
    return addresses, movements(operations, fault, dead), misdirected(operations, fault, dead)


@dataclass(frozen=True, slots=True)
class _Run:
    """The record and the journal, and what follows from both."""

    ledger: Ledger
    journal: Journal
    window: float
    patience: float
    planned: AbstractSet[str]

    @property
    def populations(self) -> tuple[str, ...]:
        """Those that were to work, and those that have a record."""
        return tuple(sorted({*self.planned, *self.ledger.populations}))

    @property
    def fault(self) -> float | None:
        return self.journal.at(MarkName.FAULT_STARTED)

    @property
    def origin(self) -> float:
        return _origin(self.journal, self.ledger.writes)

    @property
    def until(self) -> float:
        """End of the load: users were asked to stop, else the last start that was recorded."""
        stopped = self.journal.at(MarkName.LOAD_STOPPED)
        return _last_start(self.ledger.writes) if stopped is None else stopped

    @property
    def begin(self) -> float:
        """When the load can be compared with: the steady state, else the first start of anybody."""
        marked = _first_of(self.journal, MarkName.STEADY, MarkName.LOAD_STARTED)
        if marked is not None:
            return marked
        writes = self.ledger.writes
        return float(writes.start.min()) if len(writes) else self.until

    def plain(self, classification: Classification) -> Figures:
        """What is measured with or without a fault; populations as long as there is none."""
        ledger, writes = self.ledger, self.ledger.writes
        names = self.populations if self.fault is None else ()
        return Figures(
            origin=self.origin,
            fault_started=self.fault,
            until=self.until,
            classification=classification,
            loss=None,
            recoveries=(),
            split_brain=formula.split_brain(writes),
            phases=(),
            populations=tuple(self.population(name, ()) for name in names),
            seconds=per_second(writes, self.origin),
            latencies=latency_per_second(writes, self.origin),
            addresses=(),
            stale=stale_reads(ledger, {fate.key for fate in classification.lost}),
            gaps=record_gaps(
                ledger, self.planned, classification.unrecorded, self.until, self.patience
            ),
            window=self.window,
            patience=self.patience,
        )

    def after_fault(self, plain: Figures, fault: float, fork: Fork | None) -> Figures:
        """Everything that is measured from the fault on."""
        writes, begin, until = self.ledger.writes, self.begin, max(fault, self.until)
        back = recoveries(
            writes,
            fault,
            self.until,
            populations=self.populations,
            window=self.window,
            patience=self.patience,
        )
        populations = tuple(self.population(name, back) for name in self.populations)
        p99 = [each.before.latency.p99 for each in populations]
        lost = [fate.operation for fate in plain.classification.lost]
        return replace(
            plain,
            loss=formula.loss(lost, fault, fork),
            recoveries=back,
            phases=_phases(self.journal, back),
            populations=populations,
            budgets=steadiness.budgets(writes, begin, fault, until, self.patience),
            full_recovery=steadiness.full_recovery(
                writes, begin, fault, until, self.window, self.patience
            ),
            spike=steadiness.spike(plain.latencies, p99, int(until - fault) - 1),
            gap=longest_outage(writes, fault, until),
        )

    def population(self, name: str, back: Iterable[Recovery]) -> PopulationFigures:
        """How one population fared."""
        own = self.ledger.writes.group(name)
        since, until, fault = self.begin, self.until, self.fault
        pause = longest_pause(own, since, max(since, until))
        if fault is None:
            before = _stretch(own, since, until)
            return PopulationFigures(name, before, pause, None, None, None)
        seconds = next((r.seconds for r in back if r.population == name and r.honours_ttl), None)
        end = until if seconds is None else fault + seconds
        return PopulationFigures(
            name,
            _stretch(own, since, fault),
            pause,
            _stretch(own, fault, end),
            None if seconds is None else _stretch(own, end, until),
            longest_gap(own, fault, max(fault, until)),
        )


def _origin(journal: Journal, writes: Operations) -> float:
    """Zero of the time axis: the fault, else the drill's start, else the first write."""
    for name in (MarkName.FAULT_STARTED, MarkName.DRILL_STARTED, MarkName.LOAD_STARTED):
        if (at := journal.at(name)) is not None:
            return at
    return float(writes.start.min()) if len(writes) else 0.0


def _last_start(writes: Operations) -> float:
    return float(writes.start.max()) if len(writes) else 0.0


def _phases(journal: Journal, back: Iterable[Recovery]) -> tuple[PhaseTime, ...]:
    """Phases up to the moment when the slowest population that honours TTLs was back."""
    fault = journal.at(MarkName.FAULT_STARTED)
    if fault is None:
        return ()
    seconds = [item.seconds for item in back if item.honours_ttl]
    real = [value for value in seconds if value is not None]
    recovered = fault + max(real) if real and len(real) == len(seconds) else None
    spans = [
        Span(s.phase, s.started, s.ended, s.prepares) for s in journal.steps if s.phase is not None
    ]
    detected, decided = journal.at(MarkName.DETECTED), journal.at(MarkName.DECIDED)
    return formula.phases(fault, detected, decided, spans, recovered)


def _first_of(journal: Journal, *names: MarkName) -> float | None:
    return next((at for name in names if (at := journal.at(name)) is not None), None)


def _stretch(writes: Operations, since: float, until: float) -> Stretch:
    return Stretch(rate(writes, since, until), latency(writes, since, until))
