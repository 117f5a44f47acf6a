"""The whole record in a columnar store: millions of operations, read in seconds.

DuckDB reads history.jsonl (in parallel, without an object per line), holds the client keys and
joins them with the final reads; what does not fit into `MEMORY` goes to a temporary folder. It
reads JSON less strictly than `lab.history`, so what it accepted is checked, and the beginning of
every file is read by both. Whatever looks odd, and every record with a cut line, goes through the
strict reader line by line: that one decides what is damage and says where.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import duckdb
import numpy as np

from lab import history
from lab.columns import Names, Operations
from lab.errors import LabError, UsageError
from lab.history import CutLine, Header, Kind, Operation, Outcome, Source

MEMORY: Final = "1GB"
SAMPLE: Final = 500
"""So many lines at the beginning of every file are read strictly, whatever DuckDB says."""

_KINDS = ", ".join(f"'{kind}'" for kind in Kind)
_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in Outcome)
_FIELDS: Final = {
    **dict.fromkeys(("record", "boot_id", "settings", "key", "kind"), "VARCHAR"),
    **dict.fromkeys(("population", "outcome", "region", "node"), "VARCHAR"),
    **dict.fromkeys(("xid", "lsn", "address", "request_id", "error"), "VARCHAR"),
    # Whole numbers too: a fraction must be seen, and would be rounded otherwise.
    **dict.fromkeys(("schema", "pid_start", "start", "end", "tried", "user"), "DOUBLE"),
    **dict.fromkeys(("attempts", "status", "timeline"), "DOUBLE"),
    **dict.fromkeys(("honours_ttl", "found"), "BOOLEAN"),
}
_COLUMNS = ", ".join(f"'{name}': '{kind}'" for name, kind in _FIELDS.items())
# A header has no `kind`; its own fields go where an operation's are.
_LOAD: Final = f"""
INSERT INTO ops
SELECT CASE WHEN record = 'header' THEN NULL ELSE kind END,
       coalesce("key", boot_id), coalesce(start, pid_start), "end", population,
       coalesce("user", schema), honours_ttl, outcome, attempts, status, region, node, timeline,
       xid, lsn, address, request_id, tried, found, coalesce(error, settings)
FROM read_json(?, format = 'newline_delimited', columns = {{{_COLUMNS}}})
WHERE CASE WHEN record IN ('op', 'header') THEN true ELSE error('neither header nor op') END
"""  # noqa: S608 - names and types from the table above
_DEFINE: Final = f"""
CREATE TYPE kind AS ENUM ({_KINDS});
CREATE TYPE outcome AS ENUM ({_OUTCOMES});
CREATE TABLE ops (
    kind kind, "key" VARCHAR, start DOUBLE, "end" DOUBLE, population VARCHAR, "user" DOUBLE,
    honours_ttl BOOLEAN, outcome outcome, attempts DOUBLE, status DOUBLE, region VARCHAR,
    node VARCHAR, timeline DOUBLE, xid VARCHAR, lsn VARCHAR, address VARCHAR, request_id VARCHAR,
    tried DOUBLE, found BOOLEAN, error VARCHAR
)
"""
_ODD: Final = """
SELECT count(*) FROM ops WHERE kind IS NOT NULL AND rowid >= ? AND NOT coalesce(
    "key" <> '' AND isfinite(start) AND isfinite("end") AND "end" >= start
    AND coalesce(tried BETWEEN start AND "end", true)
    AND population IS NOT NULL AND honours_ttl IS NOT NULL AND outcome IS NOT NULL
    AND abs("user") < 2147483648 AND "user" = floor("user")
    AND attempts >= 0 AND attempts = floor(attempts)
    AND coalesce(status = floor(status), true) AND coalesce(timeline = floor(timeline), true)
    AND coalesce(abs(timeline) < 2147483648, true), false)
"""


class Ledger:
    """A record that was read and found whole. `operations` are in the order of their end."""

    def __init__(
        self,
        database: duckdb.DuckDBPyConnection,
        folder: Path,
        headers: tuple[Header, ...],
        cut_lines: tuple[CutLine, ...],
    ) -> None:
        self.database = database
        self.headers = headers
        self.cut_lines = cut_lines
        self._folder = folder
        self.operations = _operations(database)
        self.writes = self.operations.of_kind(Kind.WRITE)

    @property
    def boot_id(self) -> str:
        """The boot whose monotonic clock all times are of."""
        return self.headers[0].boot_id

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the populations that recorded, also those that did nothing, sorted."""
        return tuple(sorted({header.population for header in self.headers}))

    def lines(self, rows: Iterable[int]) -> tuple[Operation, ...]:
        """Operations with all their fields, by their `row`, in the order that was asked for."""
        wanted = [int(row) for row in rows]
        found = self.database.execute(
            f"SELECT rowid, {', '.join(_SHOWN)} FROM ops WHERE rowid IN (SELECT unnest(?))",  # noqa: S608
            [wanted],
        ).fetchall()
        by_row = {row: _operation(values) for row, *values in found}
        return tuple(by_row[row] for row in wanted)

    @contextmanager
    def scratch(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A place for tables of one computation; they are gone afterwards."""
        name = f"scratch_{next(_numbers)}"
        self.database.execute(f"CREATE SCHEMA {name}; SET search_path = '{name},main'")
        try:
            yield self.database
        finally:
            self.database.execute(f"SET search_path = 'main'; DROP SCHEMA {name} CASCADE")

    def close(self) -> None:
        """Forget everything."""
        _drop(self.database)
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


def load(*sources: Source) -> Ledger:
    """Read one or more histories and merge them; raises what `lab.history.read` raises."""
    folder = Path(tempfile.mkdtemp(prefix="lab-ledger-"))
    try:
        paths = [_as_file(source, folder / f"{n}.jsonl") for n, source in enumerate(sources)]
        found = _read(paths)
        if found is not None:
            return Ledger(found[0], folder, found[1], ())
        return _mended(sources, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _mended(sources: Sequence[Source], folder: Path) -> Ledger:
    """Something is odd: read strictly, which raises or says what was cut; load what is whole."""
    whole, cuts = history.whole_lines(*sources)
    mended = folder / "mended.jsonl"
    mended.write_bytes(b"\n".join([*whole, b""]))
    found = _read([mended], sample=0)
    if found is None:
        raise LabError("the two readers of the history disagree", "please report this record")
    return Ledger(found[0], folder, found[1], cuts)


def _read(
    paths: Sequence[Path], sample: int = SAMPLE
) -> tuple[duckdb.DuckDBPyConnection, tuple[Header, ...]] | None:
    """Load files as they are; None when anything in them wants a strict look."""
    if not paths or not all(_begins_well(path, sample) for path in paths):
        return None
    database = _database()
    headers: list[Header] = []
    try:
        for path in paths:
            headers += _load(database, path)
    except (duckdb.Error, _OddError):
        _drop(database)
        return None
    if len({header.boot_id for header in headers}) > 1:
        _drop(database)
        return None
    return database, tuple(headers)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One instance for the whole process: each ledger is a database of its own in it."""
    spilled = Path(tempfile.gettempdir()) / f"lab-spilled-{os.getpid()}"
    return duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spilled)})


_numbers = count()


def _database() -> duckdb.DuckDBPyConnection:
    """An empty table of operations in memory, behind a connection of its own."""
    name = f"ledger_{next(_numbers)}"
    connection = _engine().cursor()
    connection.execute(f"ATTACH ':memory:' AS {name}; USE {name}; {_DEFINE}")
    return connection


def _drop(connection: duckdb.DuckDBPyConnection) -> None:
    row = connection.execute("SELECT current_database()").fetchone()
    connection.execute(f"USE memory; DETACH {row[0] if row else ''}")
    connection.close()


def to_parquet(path: Path, copies: Mapping[str, int]) -> None:
    """Write what a database holds under each client key, as `lab.classify` reads it."""
    with _engine().cursor() as connection:
        connection.execute(
            'COPY (SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies) TO '
            f"'{quoted(path)}' (FORMAT parquet)",
            [list(copies), list(copies.values())],
        )


def quoted(path: Path) -> str:
    """A path as it stands between quotes in SQL: such places take no parameters."""
    return str(path).replace("'", "''")


class _OddError(Exception):
    """Something that DuckDB reads and the strict reader may not."""


def _load(database: duckdb.DuckDBPyConnection, path: Path) -> list[Header]:
    """Append one file to the table; raises duckdb.Error or _OddError."""
    first = _one(database, "SELECT count(*) FROM ops")
    database.execute(_LOAD, [str(path)])
    if _one(database, _ODD, first):
        raise _OddError
    rows = database.execute(
        'SELECT rowid, "user", population, "key", start, error FROM ops'
        " WHERE kind IS NULL AND rowid >= ? ORDER BY rowid",
        [first],
    ).fetchall()
    if not rows or rows[0][0] != first:
        raise _OddError
    ends = [*(row[0] for row in rows[1:]), _one(database, "SELECT count(*) FROM ops")]
    for row, end in zip(rows, ends, strict=True):
        others = "SELECT count(*) FROM ops WHERE rowid BETWEEN ? AND ? AND population <> ?"
        if _one(database, others, row[0], end - 1, row[2]):
            raise _OddError
    return [_header(*row[1:]) for row in rows]


def _header(schema: Any, population: Any, boot_id: Any, start: Any, settings: Any) -> Header:
    try:
        return history.header(schema, population, boot_id, start, settings)
    except ValueError as error:
        raise _OddError from error


def _one(database: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> int:
    row = database.execute(sql, list(parameters)).fetchone()
    return int(row[0]) if row else 0


def _begins_well(path: Path, sample: int) -> bool:
    """Read the first lines strictly. Raises UsageError where the file cannot be read."""
    try:
        with path.open("rb") as file:
            lines = list(islice(file, sample))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "is it the folder of a whole run?"
        ) from error
    return not sample or all(history.is_record(line) for line in lines if line.strip())


def _as_file(source: Source, path: Path) -> Path:
    if isinstance(source, Path):
        return source
    with path.open("wb") as file:
        for line in history.lines_of(source):
            file.write(line if line.endswith(b"\n") or isinstance(source, bytes) else line + b"\n")
    return path


_SHOWN: Final = (
    '"key"', "kind::VARCHAR", "start", '"end"', "population", '"user"::INT', "honours_ttl",
    "outcome::VARCHAR", "attempts::INT", "status::INT", "region", "node", "timeline::INT", "xid",
    "lsn", "address", "request_id", "tried", "found", "error",
)  # fmt: skip


def _operation(values: Sequence[Any]) -> Operation:
    key, kind, start, end, population, user, honours, outcome, *rest = values
    return Operation(
        key, Kind(kind), start, end, population, user, honours, Outcome(outcome), *rest
    )


_CODED: Final = ("population", "region", "address")
_ARRAYS: Final = """
SELECT rowid::INT AS row, start, coalesce(tried, start) AS tried, "end",
       enum_code(kind)::TINYINT AS kind,
       enum_code(outcome)::TINYINT AS outcome,
       coalesce(enum_code(population::in_population)::TINYINT, -1)::TINYINT AS population,
       coalesce(enum_code(region::in_region)::TINYINT, -1)::TINYINT AS region,
       coalesce(enum_code(address::in_address)::TINYINT, -1)::TINYINT AS address,
       honours_ttl, coalesce(timeline, 0)::INT AS timeline, "user"::INT AS "user",
       coalesce(found::TINYINT, -1)::TINYINT AS found
FROM ops WHERE kind IS NOT NULL
"""


def _operations(database: duckdb.DuckDBPyConnection) -> Operations:
    """The columns that figures are made from, in the order of `end`."""
    names = Names(*(_code(database, column) for column in _CODED))
    arrays = database.execute(_ARRAYS).fetchnumpy()
    order = np.argsort(arrays["end"], kind="stable")
    for name in list(arrays):  # one by one: two whole copies would be too much
        arrays[name] = np.asarray(arrays[name])[order]
    return Operations(names, **arrays)


def _code(database: duckdb.DuckDBPyConnection, column: str) -> tuple[str, ...]:
    """Make an enumeration of a column's values; these, sorted."""
    rows = database.execute(
        f"SELECT DISTINCT {column} FROM ops"  # noqa: S608
        f" WHERE {column} IS NOT NULL AND kind IS NOT NULL ORDER BY 1"
    ).fetchall()
    if len(rows) > 127:
        raise LabError(f"{len(rows)} different values of {column} in one history")
    names = tuple(row[0] for row in rows)
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names or ("",))
    database.execute(f"CREATE TYPE in_{column} AS ENUM ({listed})")
    return names
