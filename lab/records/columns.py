"""Operations as columns: what every formula works on, one array per field, no object per line.

Ten million operations are 0.4 GB here and would be 5 GB as objects. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

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


Values = TypeVar("Values", Floats, Codes, Small, Flags)


class _Column(Generic[Values]):
    """One column of operations, called as the class calls it."""

    def __set_name__(self, _owner: object, name: str) -> None:
        self._name = name

    def __get__(self, operations: Operations, _owner: object) -> Values:
        found: Values = operations.column(self._name)
        return found


class Operations:
    """Arrays of one length, in the order of `end` unless said otherwise.

    `start`, `end` and `tried` (start of the last attempt) are CLOCK_MONOTONIC seconds; `row` finds
    the line again in its history; `kind` and `outcome` are positions in KINDS and OUTCOMES,
    `population`, `region`, `address` and `node` (the server that took it) positions in `names`
    (-1: none); `timeline` is 0 and `found` -1 where no server said one.

    Some of other operations have a column from the moment when it is asked for: a formula needs
    two or three of them, rarely all.
    """

    row = _Column[Codes]()
    start = _Column[Floats]()
    tried = _Column[Floats]()
    end = _Column[Floats]()
    kind = _Column[Small]()
    outcome = _Column[Small]()
    population = _Column[Small]()
    region = _Column[Small]()
    address = _Column[Small]()
    node = _Column[Small]()
    honours_ttl = _Column[Flags]()
    timeline = _Column[Codes]()
    user = _Column[Codes]()
    found = _Column[Small]()

    def __init__(
        self,
        names: Names,
        columns: Mapping[str, NDArray[Any]],
        part_of: tuple[Operations, Places | slice] | None = None,
    ) -> None:
        """`columns` by their names; those that it lacks are cut from the ones it is `part_of`."""
        self.names = names
        self._columns = dict(columns)
        self._part_of = part_of

    def column(self, name: str) -> NDArray[Any]:
        """A column by its name. Raises KeyError."""
        if name not in self._columns and self._part_of:
            every, places = self._part_of
            whole = every.column(name)
            self._columns[name] = whole[places] if isinstance(places, slice) else whole.take(places)
        return self._columns[name]

    def __len__(self) -> int:
        if self._part_of is None:
            return len(self.row)
        _, places = self._part_of
        return places.stop - places.start if isinstance(places, slice) else len(places)

    def take(self, which: Flags | Places) -> Operations:
        """Those that a mask or a row of positions names; columns are copied when they are used."""
        return Operations(self.names, {}, (self, _places(which)))

    def ended(self, after: float, to: float = np.inf) -> Operations:
        """Those that ended within (after, to], without copying; for operations ordered by `end`."""
        first, last = np.searchsorted(self.end, (after, to), side="right").tolist()
        return Operations(self.names, {}, (self, slice(first, max(first, last))))

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


COLUMNS: Final = tuple(name for name, each in vars(Operations).items() if isinstance(each, _Column))


def _places(which: Flags | Places) -> Places:
    return np.flatnonzero(which) if which.dtype == np.bool_ else which.astype(np.intp, copy=False)


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
        names,
        {
            "row": np.arange(len(every), dtype=np.int32),
            "start": np.array([item.start for item in every], dtype=np.float64),
            "tried": np.array(
                [item.start if item.tried is None else item.tried for item in every],
                dtype=np.float64,
            ),
            "end": np.array([item.end for item in every], dtype=np.float64),
            "kind": _small(KINDS.index(item.kind) for item in every),
            "outcome": _small(OUTCOMES.index(item.outcome) for item in every),
            "population": _small(names.populations.index(item.population) for item in every),
            "region": _small(_place(names.regions, item.region) for item in every),
            "address": _small(_place(names.addresses, item.address) for item in every),
            "node": _small(_place(names.nodes, item.node) for item in every),
            "honours_ttl": np.array([item.honours_ttl for item in every], dtype=np.bool_),
            "timeline": np.array([item.timeline or 0 for item in every], dtype=np.int32),
            "user": np.array([item.user for item in every], dtype=np.int32),
            "found": _small(NONE if item.found is None else item.found for item in every),
        },
    )
    return made.take(np.argsort(made.end, kind="stable"))


def _sorted(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _small(values: Iterable[int]) -> Small:
    return np.array(list(values), dtype=np.int8)


def _place(names: Sequence[str], value: str | None) -> int:
    return NONE if value is None else names.index(value)
