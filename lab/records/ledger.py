"""The whole record in columns: millions of operations, read in seconds.

What figures need of every operation is held in arrays (`lab.records.columnar`); the few operations
that have to be shown with all their fields are read again from their lines.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import TracebackType

import duckdb
import numpy as np

from lab.records import columnar, history, historyreader
from lab.records.columnar import Columns
from lab.records.columns import Flags, Operations, Places
from lab.records.duckdbstore import scratch, temporary_folder
from lab.records.history import Kind, Operation, Source
from lab.records.keyhashes import PRINTS, Hashes


class Ledger:
    """A record that was read and found whole. `operations` are in the order of their end.

    The files must stay as they are until it is closed: `lines` reads in them.
    """

    def __init__(self, columns: Columns, folder: Path) -> None:
        self.operations = columns.operations
        self.headers = columns.headers
        self.cut_lines = columns.cuts
        self._prints = columns.prints
        self._files = columns.files
        self._texts = columns.texts
        self._folder = folder

    @property
    def boot_id(self) -> str:
        """The boot whose monotonic clock all times are of."""
        return self.headers[0].boot_id

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the populations that recorded, also those that did nothing, sorted."""
        return tuple(sorted({header.population for header in self.headers}))

    @cached_property
    def writes(self) -> Operations:
        """The operations that change data."""
        return self.operations.of_kind(Kind.WRITE)

    def lines(self, rows: Iterable[int]) -> tuple[Operation, ...]:
        """Operations with all their fields, by their `row`, in the order that was asked for."""
        wanted = [int(row) for row in rows]
        found = dict(self._operations(sorted(set(wanted))))
        return tuple(found[row] for row in wanted)

    def _operations(self, rows: Sequence[int]) -> Iterator[tuple[int, Operation]]:
        firsts = [0, *accumulate(file.count for file in self._files)]
        for file, first, after in zip(self._files, firsts, firsts[1:], strict=False):
            own = [row - first for row in rows if first <= row < after]
            for number, line in zip(own, file.pick(own), strict=True):
                yield first + number, history.operation(self._texts.get(first + number, line))

    def of_keys(self, keys: Collection[str]) -> tuple[Operation, ...]:
        """The writes that have one of these keys."""
        with self.scratch() as database:
            rows = database.execute(
                f'SELECT "row" FROM writes JOIN (SELECT {PRINTS} FROM'  # noqa: S608
                ' (SELECT unnest(?::VARCHAR[]) AS "key")) USING (high, low) ORDER BY 1',
                [list(keys)],
            ).fetchall()
        wanted = frozenset(keys)
        return tuple(item for item in self.lines(row for (row,) in rows) if item.key in wanted)

    def repeated_key(self) -> str | None:
        """The first key, in their order, that two writes have; None when all are different."""
        ordered = np.sort(self._prints.high[self.writes.row])
        if not (ordered[1:] == ordered[:-1]).any():  # equal keys have equal hashes
            return None
        writes = self.writes
        order = np.argsort(self._prints.high[writes.row], kind="stable")
        rows = writes.row[order[_neighbours(ordered[1:] == ordered[:-1])]]
        counts = Counter(item.key for item in self.lines(rows))
        return min((key for key, count in counts.items() if count > 1), default=None)

    def repeated_line(self) -> Operation | None:
        """An operation that is in the record twice with all its fields; None when none is."""
        every = self.operations
        tied = _neighbours(every.end[1:] == every.end[:-1])  # they are in the order of their ends
        alike = (every.end[tied], every.start[tied], self._prints.high[every.row[tied]])
        order = np.lexsort(alike)
        same = np.logical_and.reduce([np.diff(column[order]) == 0 for column in alike])
        seen: set[Operation] = set()
        for item in self.lines(every.row[tied[order[_neighbours(same)]]]):
            if item in seen:
                return item
            seen.add(item)
        return None

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A place for tables of one computation, with a view `writes`.

        Its columns are `row`, `outcome` (position in OUTCOMES), `end` and the key's prints, `high`
        and `low`.
        """
        writes = self.writes
        columns = {"row": writes.row, "outcome": writes.outcome, "end": writes.end}
        with scratch() as database:
            database.register("writes", {**columns, **self.prints(writes)})
            yield database

    def prints(self, operations: Operations) -> dict[str, Hashes]:
        """Columns `high` and `low` of their keys."""
        return {"high": self._prints.high[operations.row], "low": self._prints.low[operations.row]}

    def close(self) -> None:
        """Remove the copies that were made."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _neighbours(like_the_next: Flags) -> Places:
    """Places of what is like its neighbour, sorted."""
    first = np.flatnonzero(like_the_next)
    return np.unique(np.concatenate((first, first + 1)))


def load(*sources: Source) -> Ledger:
    """Read one or more histories and merge them.

    Raises DamagedHistory for anything but a cut last line of a segment: another schema version,
    a line that is no valid record, an operation before any header or of another population, a
    file without a header, boot ids that differ. Raises UsageError without any history.
    """
    folder = temporary_folder()
    try:
        named = [
            (historyreader.name_of(source, number), _as_file(source, folder / f"{number}.jsonl"))
            for number, source in enumerate(sources, start=1)
        ]
        return Ledger(columnar.read(named), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _as_file(source: Source, path: Path) -> Path:
    if isinstance(source, Path):
        return source
    with path.open("wb") as file:
        for line in historyreader.lines_of(source):
            file.write(line if line.endswith(b"\n") or isinstance(source, bytes) else line + b"\n")
    return path
