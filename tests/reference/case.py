"""What figures are made from: one run as plain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from lab.records.history import Kind, Operation, Outcome

PATIENCE = 1.5
WINDOW = 5.0
Group = tuple[str, bool]
"""A population, and whether its users honour TTLs."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """A step of the runbook; one that only prepares is no turn of its phase."""

    phase: str
    span: Span
    prepares: bool = False


@dataclass(frozen=True)
class Case:
    """A run: what users recorded, the journal's marks and steps, and the final reads."""

    names: tuple[str, ...]  # populations that recorded, be it nothing
    operations: list[Operation]
    marks: dict[str, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    winner: dict[str, int] = field(default_factory=dict)  # key → how often it is there
    losers: dict[str, set[str]] = field(default_factory=dict)  # node → keys
    dead: frozenset[str] = frozenset()  # addresses of gateways that died
    fork: tuple[int, int] | None = None  # the timeline that was left, and its LSN then

    @property
    def fault(self) -> float | None:
        return self.marks.get("fault_started")

    @property
    def acted(self) -> float | None:
        """The fault, or the first step of a run that breaks nothing."""
        return self.marks.get("fault_started", self.marks.get("runbook_started"))

    @cached_property
    def ended(self) -> float:
        """End of the record: users were asked to stop, else the last start of a write."""
        return self.marks.get("load_stopped", max(self.starts(), default=0.0))

    @cached_property
    def steady(self) -> float:
        """Begin of "before": the steady state, else the start of the load, else of a write."""
        first = min(self.starts(), default=self.ended)
        return self.marks.get("steady", self.marks.get("load_started", first))

    def starts(self) -> list[float]:
        return [item.start for item in self.writes]

    @cached_property
    def writes(self) -> list[Operation]:
        return [item for item in self.operations if item.kind is Kind.WRITE]

    def without_last(self, name: str) -> Case:
        """The run without the last line of a population's record."""
        last = max(n for n, item in enumerate(self.operations) if item.population == name)
        return replace(self, operations=self.operations[:last] + self.operations[last + 1 :])

    def writes_of(self, name: str, honours_ttl: bool | None = None) -> list[Operation]:
        own = [item for item in self.writes if item.population == name]
        return [item for item in own if honours_ttl in (None, item.honours_ttl)]


def acknowledged(item: Operation) -> bool:
    return item.outcome is Outcome.OK


def served(item: Operation) -> bool:
    """Acknowledged within the patience for one attempt."""
    return acknowledged(item) and item.end - item.start <= PATIENCE


def nearest_rank(values: Iterable[float], percent: Fraction | int) -> float | None:
    """The smallest value that at least `percent` % of all values do not exceed."""
    ranked = sorted(values)
    return ranked[-(-percent * len(ranked) // 100) - 1] if ranked else None


def covered(spans: Iterable[Span]) -> float:
    """Seconds that the spans cover together, each second once."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
