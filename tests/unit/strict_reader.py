"""Whole histories as objects, by the strict reader: what the columnar one is held against."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from lab.records.history import CutLine, Header, Kind, Operation, Source
from lab.records.historyreader import Reader


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was recorded, operations sorted by their end."""

    headers: tuple[Header, ...]
    operations: tuple[Operation, ...]
    cut_lines: tuple[CutLine, ...] = ()

    @property
    def boot_id(self) -> str:
        return self.headers[0].boot_id

    @property
    def populations(self) -> tuple[str, ...]:
        return tuple(sorted({header.population for header in self.headers}))

    @property
    def writes(self) -> tuple[Operation, ...]:
        return tuple(item for item in self.operations if item.kind is Kind.WRITE)


def read(*sources: Source) -> History:
    """Read one or more histories and merge them. Raises DamagedHistory."""
    found: list[Operation] = []
    reader = Reader(lambda _, item: found.append(item))
    reader.consume_all(sources)
    operations = sorted(found, key=attrgetter("end"))
    return History(tuple(reader.headers), tuple(operations), tuple(reader.cuts))
