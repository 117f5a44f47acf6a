"""The columnar engine: one DuckDB in this process, within `MEMORY`, and its temporary files.

Temporary files lie in folders that name their process. What a killed one left behind is removed
when the next one starts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import duckdb

from lab.documents import CHANGED
from lab.errors import UsageError

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
    except OSError:  # somebody else's
        return True
    return True


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A place for temporary tables of one computation; they are gone afterwards."""
    with engine().cursor() as connection:
        yield connection


def to_parquet(path: Path, copies: Mapping[str, int]) -> None:
    """Write what a database holds under each client key, as `lab.classify` reads it."""
    with engine().cursor() as connection:
        connection.execute(
            'COPY (SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies) TO '
            f"{quoted(str(path))} (FORMAT parquet)",
            [list(copies), list(copies.values())],
        )


def quoted(text: str) -> str:
    """A text as it stands in SQL, for places that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


_ODD_READ: Final = """
SELECT count(*) FILTER ("key" IS NULL OR "key" = '' OR copies IS NULL OR copies < 1),
       any_value(typeof("key")), any_value(typeof(copies)) FROM read_parquet({})
"""


def refuse_damaged(path: Path) -> None:
    """Raise UsageError unless the file is what `to_parquet` writes: how many of each client key."""
    try:
        with engine().cursor() as connection:
            found = connection.execute(_ODD_READ.format(quoted(str(path)))).fetchone()
    except duckdb.Error as error:
        raise UsageError(f"{path} is no final read: no whole Parquet file", CHANGED) from error
    if found not in ((0, "VARCHAR", "INTEGER"), (0, None, None)):
        raise UsageError(f"{path} is no final read: it does not count client keys", CHANGED)
