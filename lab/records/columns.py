"""Operations as columns: what every formula works on, one array per field, no object per line.

Ten million operations are 0.4 GB here and would be 5 GB as objects. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.records.history import Kind, Operation, Outcome

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int32]
Small: TypeAlias = NDArray[np.int8]
Flags: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = NDArray[np.intp]

KINDS: Final = tuple(Kind)
OUTCOMES: Final = tuple(Outcome)
READ: Final = KINDS.index(Kind.READ)
LOGIN: Final = KINDS.index(Kind.LOGIN)
OK: Final = OUTCOMES.index(Outcome.OK)
LOCAL: Final = OUTCOMES.index(Outcome.LOCAL)
FAIL: Final = OUTCOMES.index(Outcome.FAIL)
UNKNOWN: Final = OUTCOMES.index(Outcome.UNKNOWN)
NONE: Final = -1
"""The code of a field that has no value."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the codes of `population`, `region`, `address` and `node` stand for, each sorted."""

    populations: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """Arrays of one length, in the order of `end` unless said otherwise.

    `start`, `end` and `tried` (start of the last attempt) are CLOCK_MONOTONIC seconds; `row` finds
    the line again in its history; `kind` and `outcome` are positions in KINDS and OUTCOMES,
    `population`, `region`, `address` and `node` (the server that took it) positions in `names`
    (-1: none); `timeline` is 0 and `found` -1 where no server said one.
    """

    names: Names
    row: Codes
    start: Floats
    tried: Floats
    end: Floats
    kind: Small
    outcome: Small
    population: Small
    region: Small
    address: Small
    node: Small
    honours_ttl: Flags
    timeline: Codes
    user: Codes
    found: Small

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: Flags | Places) -> Operations:
        """Those that a mask or a row of positions names; columns are copied when they are used."""
        return _Part(self, _places(which))

    def ended(self, after: float, to: float = np.inf) -> Operations:
        """Those that ended within (after, to], without copying; for operations ordered by `end`."""
        first, last = np.searchsorted(self.end, (after, to), side="right").tolist()
        return _Part(self, slice(first, max(first, last)))

    def of_kind(self, kind: Kind) -> Operations:
        """Those of one kind."""
        return self.take(self.kind == KINDS.index(kind))

    def members(self, population: str, honours_ttl: bool | None = None) -> Flags:
        """Which are of one population, or of its users that honour DNS TTLs or do not."""
        if population not in self.names.populations:
            return np.zeros(len(self), dtype=np.bool_)
        mine: Flags = self.population == self.names.populations.index(population)
        return mine if honours_ttl is None else mine & (self.honours_ttl == honours_ttl)

    def group(self, population: str, honours_ttl: bool | None = None) -> Operations:
        """Those of one population, or of its users that honour DNS TTLs or do not."""
        return self.take(self.members(population, honours_ttl))

    @property
    def ok(self) -> Flags:
        """Which were acknowledged."""
        found: Flags = self.outcome == OK
        return found

    @property
    def latency(self) -> Floats:
        """Seconds from the first attempt's start to the final answer."""
        return self.end - self.start

    def served(self, patience: float) -> Flags:
        """Which were acknowledged within `patience` seconds of their start."""
        return self.ok & (self.latency <= patience)

    def by_start(self) -> Places:
        """Places in the order of `start`."""
        return np.argsort(self.start, kind="stable")


_COLUMNS: Final = frozenset(each.name for each in fields(Operations)) - {"names"}


def _places(which: Flags | Places) -> Places:
    return np.flatnonzero(which) if which.dtype == np.bool_ else which.astype(np.intp, copy=False)


class _Part(Operations):
    """Some of other operations. A formula needs two or three of the columns, rarely all."""

    __slots__ = ("_places", "_whole")

    _places: Places | slice
    _whole: Operations

    def __init__(self, whole: Operations, places: Places | slice) -> None:
        object.__setattr__(self, "names", whole.names)
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_places", places)

    def __len__(self) -> int:
        if isinstance(self._places, slice):
            return int(self._places.stop - self._places.start)
        return len(self._places)

    def __getattr__(self, name: str) -> NDArray[Any]:
        """A column that is used for the first time: its slot was still empty."""
        if name not in _COLUMNS:
            raise AttributeError(name)
        whole: NDArray[Any] = getattr(self._whole, name)
        places = self._places
        column = whole[places] if isinstance(places, slice) else whole.take(places)
        object.__setattr__(self, name, column)
        return column


def distinct(values: Codes) -> tuple[Codes, Places]:
    """The different values, sorted, and where among them each value is; few of them, or slow."""
    names = np.unique(values)
    return names, np.searchsorted(names, values)


def of(operations: Iterable[Operation]) -> Operations:
    """Columns of operations that are at hand as objects; `row` is their place among them."""
    every = list(operations)
    names = Names(
        _sorted(item.population for item in every),
        _sorted(item.region for item in every),
        _sorted(item.address for item in every),
        _sorted(item.node for item in every),
    )
    made = Operations(
        names=names,
        row=np.arange(len(every), dtype=np.int32),
        start=np.array([item.start for item in every], dtype=np.float64),
        tried=np.array(
            [item.start if item.tried is None else item.tried for item in every], dtype=np.float64
        ),
        end=np.array([item.end for item in every], dtype=np.float64),
        kind=_small(KINDS.index(item.kind) for item in every),
        outcome=_small(OUTCOMES.index(item.outcome) for item in every),
        population=_small(names.populations.index(item.population) for item in every),
        region=_small(_place(names.regions, item.region) for item in every),
        address=_small(_place(names.addresses, item.address) for item in every),
        node=_small(_place(names.nodes, item.node) for item in every),
        honours_ttl=np.array([item.honours_ttl for item in every], dtype=np.bool_),
        timeline=np.array([item.timeline or 0 for item in every], dtype=np.int32),
        user=np.array([item.user for item in every], dtype=np.int32),
        found=_small(NONE if item.found is None else item.found for item in every),
    )
    return made.take(np.argsort(made.end, kind="stable"))


def _sorted(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _small(values: Iterable[int]) -> Small:
    return np.array(list(values), dtype=np.int8)


def _place(names: Sequence[str], value: str | None) -> int:
    return NONE if value is None else names.index(value)
