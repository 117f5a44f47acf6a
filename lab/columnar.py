"""The fast reader: history files into arrays, with DuckDB's JSON reader, no object per line.

Only what figures need is fetched, as small codes; of a client key two hashes (`Prints`). DuckDB
reads JSON less strictly than `lab.history`: what it accepted is checked in the same pass, and the
beginning of every file is read by both. Where anything looks odd this reader says so, and the
strict one decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import numpy as np
from numpy.typing import NDArray

from lab import history
from lab.columns import KINDS, NONE, OUTCOMES, Names, Operations, Small
from lab.errors import LabError, UsageError
from lab.history import Header
from lab.lines import Lines
from lab.store import quoted, scratch

SAMPLE: Final = 500
"""So many lines at the beginning of every file are read strictly, whatever DuckDB says."""

Hashes: TypeAlias = NDArray[np.uint64]
Arrays: TypeAlias = dict[str, NDArray[Any]]


HIGH: Final = 'hash("key")'
LOW: Final = "hash('.' || \"key\")"
PRINTS: Final = f"{HIGH} AS high, {LOW} AS low"
"""The prints of a column `key` in SQL; they last as long as the process."""


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """Two independent hashes of every line's key, by the line's place in the record.

    Keys whose hashes are both equal are taken for the same: among ten million keys, two different
    ones with equal hashes are expected in one record of 10^24.
    """

    high: Hashes
    low: Hashes


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What was read: `operations` in the order of their end; `headers` as they stand."""

    operations: Operations
    prints: Prints
    headers: tuple[Header, ...]
    files: tuple[Lines, ...]


class OddError(Exception):
    """Something that DuckDB reads and the strict reader may not, or the other way round."""


def read(paths: Sequence[Path], sample: int = SAMPLE) -> Columns:
    """Read whole files as they are, one after the other.

    Raises OddError when anything in them wants a strict look, UsageError for a file that cannot be
    read, LabError when there are more names than a record can have.
    """
    if not paths or not all(_begins_well(path, sample) for path in paths):
        raise OddError
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:  # DuckDB leaves a core idle now and then
            indexed = [pool.submit(Lines, path) for path in paths]
            parts, names = _parts(paths)
            files = tuple(each.result() for each in indexed)
    except (duckdb.Error, OSError) as error:
        raise OddError from error
    # Every line must have become a row, so that rows and lines have one number.
    if [len(part["kind"]) for part in parts] != [file.count for file in files]:
        raise OddError
    arrays = _joined(parts)
    headers = tuple(_headers(files, arrays))
    prints = Prints(arrays.pop("high"), arrays.pop("low"))
    return Columns(_operations(arrays, names), prints, headers, files)


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


# ── one query per file ───────────────────────────────────────────────────────────────────────

_FIELDS: Final = {
    **dict.fromkeys(("record", "key", "population", "region", "address"), "VARCHAR"),
    "kind": f"ENUM({', '.join(map(quoted, KINDS))})",
    "outcome": f"ENUM({', '.join(map(quoted, OUTCOMES))})",
    # Whole numbers too: a fraction must be seen, and would be rounded otherwise.
    **dict.fromkeys(("start", "end", "tried", "user", "attempts", "status"), "DOUBLE"),
    "timeline": "DOUBLE",
    **dict.fromkeys(("honours_ttl", "found"), "BOOLEAN"),
}
_WHOLE: Final = """
"key" <> '' AND isfinite(start) AND isfinite("end") AND "end" >= start
AND coalesce(tried BETWEEN start AND "end", true)
AND kind IS NOT NULL AND outcome IS NOT NULL
AND population IS NOT NULL AND honours_ttl IS NOT NULL
AND abs("user") < 2147483648 AND "user" = floor("user")
AND attempts >= 0 AND attempts < 2147483648 AND attempts = floor(attempts)
AND coalesce(abs(status) < 2147483648 AND status = floor(status), true)
AND coalesce(abs(timeline) < 2147483648 AND timeline = floor(timeline), true)
"""
_HEADER: Final = -1
"""The code of a header's kind."""

_UNLISTED: Final = -2
"""The code of a name that was not known when the file was read."""

_SELECT: Final = f"""
SELECT coalesce(start, 0) AS start, coalesce(tried, start, 0) AS tried, coalesce("end", 0) AS "end",
       CASE record WHEN 'op' THEN enum_code(kind)::TINYINT ELSE {_HEADER}::TINYINT END AS kind,
       coalesce(enum_code(outcome)::TINYINT, 0::TINYINT) AS outcome,
       {{codes}},
       coalesce(honours_ttl, false) AS honours_ttl, coalesce(timeline, 0)::INT AS timeline,
       coalesce("user", 0)::INT AS "user", coalesce(found::TINYINT, {NONE}::TINYINT) AS found,
       coalesce({HIGH}, 0) AS high, coalesce({LOW}, 0) AS low
FROM read_json(?, format = 'newline_delimited', columns = {{columns}})
WHERE CASE WHEN CASE record WHEN 'header' THEN true WHEN 'op' THEN {_WHOLE} END THEN true
           ELSE error('odd') END
"""  # noqa: S608 - constants


def _parts(paths: Sequence[Path]) -> tuple[list[Arrays], Names]:
    """Columns of all lines of each file, headers too, and what their codes stand for."""
    names = _sampled(paths)
    parts = [_fetch(path, names) for path in paths]
    if any((part[column] == _UNLISTED).any() for part in parts for column in _CODED):
        names = _listed(paths)
        parts = [_fetch(path, names) for path in paths]
    return parts, names


def _joined(parts: Sequence[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return {column: np.concatenate([part.pop(column) for part in parts]) for column in [*parts[0]]}


def _fetch(path: Path, names: Names) -> Arrays:
    """A row per line, in their order, but for blank ones."""
    codes = ", ".join(
        f"coalesce(enum_code(TRY_CAST({column} AS {_enum(known)}))::TINYINT, CASE WHEN {column}"
        f" IS NULL THEN {NONE} ELSE {_UNLISTED} END::TINYINT) AS {column}"
        for column, known in zip(_CODED, _by_column(names), strict=True)
    )
    columns = ", ".join(f"'{name}': {quoted(kind)}" for name, kind in _FIELDS.items())
    with scratch() as database:
        query = _SELECT.format(codes=codes, columns=f"{{{columns}}}")
        found = database.execute(query, [str(path)]).fetchnumpy()
    return {name: np.asarray(array) for name, array in found.items()}


# ── names and their codes ────────────────────────────────────────────────────────────────────

_CODED: Final = ("population", "region", "address")
_PLACES: Final = 64
_PIECE: Final = 1 << 16
_MOST: Final = 127


def _by_column(names: Names) -> tuple[tuple[str, ...], ...]:
    return names.populations, names.regions, names.addresses


def _enum(known: Sequence[str]) -> str:
    return f"ENUM({', '.join(map(quoted, known or ('',)))})"


def _sampled(paths: Sequence[Path]) -> Names:
    """Names that pieces from all over the files have: nearly always all of them."""
    found: dict[str, set[str]] = {column: set() for column in _CODED}
    for path in paths:
        for piece in _pieces(path):
            for column, name in _NAMED.findall(piece):
                found[column.decode()].add(name.decode(errors="replace"))
    return Names(*(tuple(sorted(each)[:_MOST]) for each in found.values()))


_NAMED: Final = re.compile(rb'"(population|region|address)":"([^"\\]+)"')


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        step = max(_PIECE, path.stat().st_size // _PLACES)
        for at in range(0, path.stat().st_size, step):
            file.seek(at)
            yield file.read(_PIECE)


def _listed(paths: Sequence[Path]) -> Names:
    """All names of all files; another pass over them."""
    found: list[tuple[str, ...]] = []
    with scratch() as database:
        for column in _CODED:
            rows = database.execute(
                f"SELECT DISTINCT {column} FROM read_json(?, format = 'newline_delimited',"  # noqa: S608
                f" columns = {{'{column}': 'VARCHAR'}}) WHERE {column} IS NOT NULL ORDER BY 1",
                [[str(path) for path in paths]],
            ).fetchall()
            if len(rows) > _MOST:
                raise LabError(f"{len(rows)} different values of {column} in one history")
            found.append(tuple(row[0] for row in rows))
    return Names(*found)


# ── headers and operations ───────────────────────────────────────────────────────────────────


def _headers(files: Sequence[Lines], arrays: Arrays) -> Iterator[Header]:
    """Every header, read strictly. Raises OddError where one does not fit what follows it."""
    boots = set()
    first = 0
    for file in files:
        kind = arrays["kind"][first : first + file.count]
        group = arrays["population"][first : first + file.count]
        places = np.flatnonzero(kind == _HEADER)
        if not len(places) or places[0] != 0:
            raise OddError
        lengths = np.diff([*places.tolist(), file.count])
        if not np.array_equal(np.repeat(group[places], lengths), group):
            raise OddError
        for line in file.pick(places.tolist()):
            found = _header(line)
            boots.add(found.boot_id)
            yield found
        first += file.count
    if len(boots) > 1:
        raise OddError


def _header(line: bytes) -> Header:
    try:
        return history.header(line)
    except ValueError as error:
        raise OddError from error


def _operations(arrays: Arrays, names: Names) -> Operations:
    """The columns that figures are made from, in the order of `end`."""
    order = np.argsort(arrays["end"], kind="stable")
    order = order[arrays["kind"][order] != _HEADER]

    def sort(column: str) -> None:
        arrays[column] = arrays[column].take(order)

    with ThreadPoolExecutor(max_workers=2) as pool:  # two by two: two whole copies are too much
        list(pool.map(sort, list(arrays)))
    known = [
        _in_use(arrays, column, each)
        for column, each in zip(_CODED, _by_column(names), strict=True)
    ]
    return Operations(names=Names(*known), row=order.astype(np.int32), **arrays)


def _in_use(arrays: Arrays, column: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names that operations have; codes are counted anew where a header had others."""
    codes: Small = arrays[column]
    counts = np.bincount(codes - NONE, minlength=len(names) + 1)[1:]
    used = [place for place, count in enumerate(counts.tolist()) if count]
    if len(used) < len(names):
        anew = np.full(len(names) + 1, NONE, dtype=np.int8)
        anew[np.array(used, dtype=np.intp) - NONE] = np.arange(len(used))
        arrays[column] = anew.take(codes - NONE)
    return tuple(names[place] for place in used)
