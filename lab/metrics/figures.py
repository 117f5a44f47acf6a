"""All figures of one run: what a drill recorded, turned into `Figures`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from lab.core.errors import UsageError
from lab.metrics import errorbudget
from lab.metrics import measure as formula
from lab.metrics.classify import Classification
from lab.metrics.errorbudget import Budget, FullRecovery, Spike
from lab.metrics.measure import Fork, Loss, PhaseTime, Span, SplitBrain
from lab.metrics.movement import Misdirected, Movement, misdirected, movements
from lab.metrics.recovery import Recovery, recoveries
from lab.metrics.stalereads import StaleRead, stale_reads
from lab.metrics.traffic import (
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
from lab.records.columns import READ, Operations
from lab.records.journalfile import ZEROS, Journal, MarkName
from lab.records.ledger import Ledger
from lab.records.recordgaps import Planned, RecordGaps, record_gaps
from lab.records.thresholds import PATIENCE, WINDOW


@dataclass(frozen=True, slots=True)
class Stretch:
    """Load and latency of one population's writes in one part of the run."""

    rate: Rate
    latency: Latency


@dataclass(frozen=True, slots=True)
class PopulationFigures:
    """How one population fared: before the fault, from it to the return, and from then on.

    A run without a fault has its first step instead, and no return. `during` and gaps are None
    without either, `after` when it never came back. `gap` is the longest time without an
    acknowledged write, `read_gap` without an answered read, `pause` without a start.
    """

    population: str
    before: Stretch
    pause: Gap
    during: Stretch | None
    after: Stretch | None
    gap: Gap | None
    read_gap: Gap | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured. None: not measured, because there was no fault.

    `acted` is the fault, or the first step of a run without one; None without either. `gap` is the
    longest time after it in which no user's write went through.
    """

    origin: float
    acted: float | None
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
    planned: Planned | None = None,
    elsewhere: Collection[str] = (),
) -> Figures:
    """Compute every figure.

    `dead` are the addresses, as DNS gives them, that the fault took away. All that is
    `planned` must be on record, and so must the orders `elsewhere`, which other nodes than the
    winner alone have.

    Raises UsageError when journal and history are of different boots.
    """
    if journal.boot_id != ledger.boot_id:
        raise UsageError(
            f"the journal is of boot {journal.boot_id}, the history of {ledger.boot_id}",
            "their clocks cannot be compared; run the drill again",
        )
    run = _Run(ledger, journal, window, patience, planned or Planned(), elsewhere)
    with ThreadPoolExecutor(max_workers=1) as pool:  # NumPy computes without Python's lock
        went = pool.submit(_where_users_went, ledger.operations, run.origin, run.fault, dead)
        found = run.plain(classification)
        if run.fault is not None:
            found = run.after_fault(found, run.fault, fork)
        if journal.acted is not None:
            found = run.since_then(found, journal.acted)
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
    planned: Planned
    elsewhere: Collection[str]

    @property
    def populations(self) -> tuple[str, ...]:
        """Those that were to work, and those that have a record."""
        return tuple(sorted({*self.planned.populations, *self.ledger.populations}))

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
        """When the load can be compared with: the steady state, else the first start of a write."""
        marked = self.journal.at(MarkName.STEADY, MarkName.LOAD_STARTED)
        if marked is not None:
            return marked
        writes = self.ledger.writes
        return float(writes.start.min()) if len(writes) else self.until

    def plain(self, classification: Classification) -> Figures:
        """What is measured of every run; populations as long as nothing was done to users."""
        ledger, writes, load = self.ledger, self.ledger.writes, (self.begin, self.until)
        names = self.populations if self.journal.acted is None else ()
        return Figures(
            origin=self.origin,
            acted=self.journal.acted,
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
            stale=stale_reads(ledger, classification.gone),
            gaps=record_gaps(
                ledger, self.planned, classification.unrecorded, load, self.patience, self.elsewhere
            ),
            window=self.window,
            patience=self.patience,
        )

    def after_fault(self, plain: Figures, fault: float, fork: Fork | None) -> Figures:
        """What only a fault can cause: loss, and a return with what the time until then went to."""
        back = recoveries(
            self.ledger.writes, fault, self.until,
            populations=self.populations, window=self.window, patience=self.patience,
        )  # fmt: skip
        lost = [fate.operation for fate in plain.classification.lost]
        return replace(
            plain,
            loss=formula.loss(lost, fault, fork),
            recoveries=back,
            phases=_phases(self.journal, fault, back),
        )

    def since_then(self, found: Figures, acted: float) -> Figures:
        """How users fared from the fault on, or from the first step of a run without one."""
        writes, begin, until = self.ledger.writes, self.begin, max(acted, self.until)
        populations = tuple(self.population(name, found.recoveries) for name in self.populations)
        p99 = [each.before.latency.percentiles.get("p99") for each in populations]
        return replace(
            found,
            populations=populations,
            budgets=errorbudget.budgets(writes, begin, acted, until, self.patience),
            full_recovery=errorbudget.full_recovery(
                writes, begin, acted, until, self.window, self.patience
            ),
            spike=errorbudget.spike(found.latencies, p99, int(until - acted) - 1),
            gap=longest_outage(writes, acted, until),
        )

    def population(self, name: str, back: Iterable[Recovery]) -> PopulationFigures:
        """How one population fared."""
        own = self.ledger.writes.group(name)
        since, until, acted = self.begin, self.until, self.journal.acted
        pause = longest_pause(own, since, max(since, until))
        if acted is None:
            before = _stretch(own, since, until)
            return PopulationFigures(name, before, pause, None, None, None, None)
        # Of a population those who honour TTLs come first, also where they wrote nothing.
        seconds = next((r.seconds for r in back if r.population == name), None)
        end = until if seconds is None else acted + seconds
        return PopulationFigures(
            name,
            _stretch(own, since, acted),
            pause,
            _stretch(own, acted, end),
            None if seconds is None else _stretch(own, end, until),
            longest_gap(own, acted, max(acted, until)),
            longest_gap(self.reads(name), acted, max(acted, until)),
        )

    def reads(self, name: str) -> Operations:
        """One population's reads."""
        every = self.ledger.operations
        return every.take(every.members(name) & (every.kind == READ))


def _origin(journal: Journal, writes: Operations) -> float:
    """Zero of the time axis: the first of ZEROS, else the first write."""
    if (at := journal.at(*ZEROS)) is not None:
        return at
    return float(writes.start.min()) if len(writes) else 0.0


def _last_start(writes: Operations) -> float:
    return float(writes.start.max()) if len(writes) else 0.0


def _phases(journal: Journal, fault: float, back: Iterable[Recovery]) -> tuple[PhaseTime, ...]:
    """Phases up to the moment when the slowest population that honours TTLs was back."""
    seconds = [item.seconds for item in back if item.honours_ttl]
    real = [value for value in seconds if value is not None]
    recovered = fault + max(real) if real and len(real) == len(seconds) else None
    spans = [
        Span(s.phase, s.started, s.ended, s.prepares) for s in journal.steps if s.phase is not None
    ]
    detected, decided = journal.at(MarkName.DETECTED), journal.at(MarkName.DECIDED)
    return formula.phases(fault, detected, decided, spans, recovered)


def _stretch(writes: Operations, since: float, until: float) -> Stretch:
    return Stretch(rate(writes, since, until), latency(writes, since, until))
