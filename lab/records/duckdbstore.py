"""The columnar engine: one DuckDB in this process, within `MEMORY`, and its temporary files.

Temporary files lie in folders that name their process. What a killed one left behind is removed
when the next one starts.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from lab.core.errors import UsageError
from lab.core.jsondocuments import CHANGED

MEMORY: Final = "400MB"
_PREFIX: Final = "lab-ledger-"


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """The instance. What does not fit into `MEMORY` goes to a folder of this process."""
    remove_abandoned(Path(tempfile.gettempdir()))
    spilled = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getpid()}-spilled"
    return duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spilled)})


def temporary_folder() -> Path:
    """A new folder; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def remove_abandoned(parent: Path) -> None:
    """Remove the folders in `parent` whose process is gone."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A place for temporary tables of one computation; they are gone afterwards."""
    with engine().cursor() as connection:
        yield connection


def to_parquet(path: Path, copies: Mapping[str, int]) -> None:
    """Write what a database holds under each client key, as `lab.metrics.classify` reads it."""
    with engine().cursor() as connection:
        connection.execute(
            'COPY (SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies) TO '
            f"{quoted(str(path))} (FORMAT parquet)",
            [list(copies), list(copies.values())],
        )


def keys(path: Path) -> set[str]:
    """The client keys in a file that `to_parquet` wrote."""
    with engine().cursor() as connection:
        return {key for (key,) in connection.execute(_KEYS.format(rows(path))).fetchall()}


def quoted(text: str) -> str:
    """A text as it stands in SQL, for places that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def rows(path: Path) -> str:
    """The rows of one Parquet file, as they stand in SQL behind FROM.

    To DuckDB a path is a pattern, and a folder called `x=1` is a column.
    """
    literally = re.sub(r"[*?[]", r"[\g<0>]", str(path.absolute()))
    return f"read_parquet({quoted(literally)}, hive_partitioning = false)"


_ODD_READ: Final = """
SELECT count(*) FILTER ("key" IS NULL OR "key" = '' OR copies IS NULL OR copies < 1),
       any_value(typeof("key")), any_value(typeof(copies)) FROM {}
"""
_KEYS: Final = 'SELECT "key" FROM {}'
_HASHES: Final = 'SELECT hash("key") AS found FROM {}'
_TWICE: Final = 'SELECT count(*) - count(DISTINCT "key") FROM {}'


def refuse_damaged(path: Path) -> None:
    """Raise UsageError unless the file is what `to_parquet` writes: how many of each client key."""
    read = rows(path)
    try:
        with engine().cursor() as connection:
            found = connection.execute(_ODD_READ.format(read)).fetchone()
            if found not in ((0, "VARCHAR", "INTEGER"), (0, None, None)):
                raise _no_read(path, "it does not count client keys")
            if _has_twice(connection, read):
                raise _no_read(path, "a client key is in it twice")
    except duckdb.Error as error:
        raise _no_read(path, "no whole Parquet file") from error


def _has_twice(connection: duckdb.DuckDBPyConnection, read: str) -> bool:
    """Whether two rows have one key. Sorting hashes takes a quarter of the time of texts."""
    hashes = np.sort(connection.execute(_HASHES.format(read)).fetchnumpy()["found"])
    if not (hashes[1:] == hashes[:-1]).any():  # equal keys have equal hashes
        return False
    return connection.execute(_TWICE.format(read)).fetchone() != (0,)


def _no_read(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no final read: {why}", CHANGED)
