"""What figures are made from: one run as plain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from lab.history import Kind, Operation, Outcome

PATIENCE = 1.5
WINDOW = 5.0
Group = tuple[str, bool]
"""A population, and whether its users honour TTLs."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """A run. `steady` to `fault` is before; `ended` is when the load stopped."""

    operations: list[Operation]
    fault: float | None
    steady: float
    ended: float
    winner: dict[str, int] = field(default_factory=dict)  # key → how often it is there
    losers: dict[str, set[str]] = field(default_factory=dict)  # node → keys
    dead: frozenset[str] = frozenset()  # addresses of gateways that died
    fork: tuple[int, int] | None = None  # the timeline that was left, and its LSN then
    marks: dict[str, float] = field(default_factory=dict)
    steps: list[tuple[str, float, float]] = field(default_factory=list)  # phase, start, end

    def writes(self, population: str | None = None) -> list[Operation]:
        return [
            item
            for item in self.operations
            if item.kind is Kind.WRITE and population in (None, item.population)
        ]

    def populations(self) -> list[str]:
        return sorted({item.population for item in self.operations})

    def groups(self) -> list[Group]:
        return sorted({(item.population, item.honours_ttl) for item in self.operations})


def acknowledged(item: Operation) -> bool:
    return item.outcome is Outcome.OK


def served(item: Operation) -> bool:
    """Acknowledged within the patience for one attempt."""
    return acknowledged(item) and item.end - item.start <= PATIENCE


def nearest_rank(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least `share` of all values do not exceed."""
    ranked = sorted(values)
    return ranked[max(ceil(share * len(ranked)), 1) - 1] if ranked else None


def covered(spans: Iterable[Span]) -> float:
    """Seconds that the spans cover together, each second once."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        if end > until:
            total += end - max(start, until)
            until = end
    return total
