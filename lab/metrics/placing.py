"""Where each write is: tables that join the history with what databases held in the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import duckdb

from lab.core.load import OWN
from lab.records import duckdbstore
from lab.records.columns import FAIL, UNKNOWN
from lab.records.keyhashes import HIGH, LOW, PRINTS


@dataclass(frozen=True, slots=True)
class Row:
    """What one database holds under one client key: `copies` rows."""

    copies: int = 1


FinalRead: TypeAlias = Mapping[str, Row] | Path
"""All orders of one database by client key, or a Parquet file of columns `key` and `copies`."""


OWN_KEYS: Final = " OR ".join(f'starts_with("key", {duckdbstore.quoted(prefix)})' for prefix in OWN)
"""True in SQL for the key of an order of the lab itself."""


def _winner(read: str) -> str:
    """Keys are compared by their prints: joining ten million texts takes four times as long."""
    return f"CREATE TEMP TABLE winner AS SELECT {PRINTS}, copies, {OWN_KEYS} AS own FROM {read}"  # noqa: S608 - constants


_PLACED: Final = """
CREATE TEMP TABLE placed AS
SELECT "row", outcome, coalesce(copies, 0) AS copies, coalesce(own, false) AS own
FROM writes LEFT JOIN winner USING (high, low)
"""
# Everything but what was acknowledged and is there once: the few that are looked for elsewhere.
_ASKED: Final = f"""
CREATE TEMP TABLE asked AS
SELECT placed.*, high, low FROM placed JOIN writes USING ("row")
WHERE copies <> 1 OR placed.outcome IN ({UNKNOWN}, {FAIL})
"""  # noqa: S608 - constants


def _elsewhere(reads: str) -> str:
    """The second hash is made of the few only whose first one is asked for."""
    return f"""
CREATE TEMP TABLE elsewhere AS
SELECT "row", loser FROM asked JOIN ({reads}) ON asked.high = {HIGH} WHERE asked.low = {LOW}
"""  # noqa: S608 - constants


def place(database: duckdb.DuckDBPyConnection, read: FinalRead) -> None:
    """Tables `winner` (what is there), `placed` (every write's copies there), `asked`."""
    found, parameters = rows(read)
    database.execute(_winner(found), parameters)
    database.execute(_PLACED)
    database.execute(_ASKED)


def rows(read: FinalRead) -> tuple[str, list[Sequence[object]]]:
    """One final read in SQL, with its parameters; rows that count no copies are not there."""
    if isinstance(read, Path):
        return (
            f'(SELECT "key", copies FROM {duckdbstore.rows(read)} WHERE copies > 0)',  # noqa: S608
            [],
        )
    there = [(key, row.copies) for key, row in read.items() if row.copies > 0]
    keys, copies = [key for key, _ in there], [count for _, count in there]
    return '(SELECT unnest(?::VARCHAR[]) AS "key", unnest(?::INT[]) AS copies)', [keys, copies]


def look_on_losers(database: duckdb.DuckDBPyConnection, held: Sequence[FinalRead]) -> None:
    """Table `elsewhere`: (row, number of the loser) of every write asked for that is on it."""
    found = [rows(read) for read in held]
    reads = ["SELECT '' AS \"key\", 0 AS loser WHERE false"]
    reads += [f'SELECT "key", {number} FROM {each}' for number, (each, _) in enumerate(found)]  # noqa: S608
    parameters = [each for _, given in found for each in given]
    database.execute(_elsewhere(" UNION ALL ".join(reads)), parameters)


def held(
    database: duckdb.DuckDBPyConnection, read: FinalRead, keys: Collection[str]
) -> frozenset[str]:
    """Which of these keys a database held."""
    found, parameters = rows(read)
    wanted = f'SELECT "key" FROM {found} WHERE "key" IN (SELECT unnest(?::VARCHAR[]))'  # noqa: S608
    return frozenset(key for (key,) in database.execute(wanted, [*parameters, [*keys]]).fetchall())
