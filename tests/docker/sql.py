"""Sessions as an ordinary client has them: the tool's own never wait for a standby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from lab.core.topology import Place
from lab.postgres import sessions
from lab.postgres.databases import DATABASE
from lab.testbed.lab import Lab


@contextmanager
def as_shop(lab: Lab, place: Place) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the shop's role, in autocommit, whose commits wait as the server says."""
    with sessions.as_shop(place, lab.engine, lab.settings, DATABASE) as connection:
        yield connection


def write_row(lab: Lab, place: Place, key: str) -> None:
    """Insert a row on one node without waiting for any standby."""
    lab.databases[place].query("INSERT INTO readiness (app) VALUES (%s)", (key,), database=DATABASE)


def write_bulk(lab: Lab, place: Place, key: str, kilobytes: int = 400) -> None:
    """Insert a row, and make the WAL longer by about so much: to be ahead of other nodes."""
    write_row(lab, place, key)
    lab.databases[place].query(
        "SELECT pg_logical_emit_message(true, 'bulk', repeat('x', %s * 1024))", (kilobytes,)
    )


def rows(lab: Lab, place: Place) -> set[str]:
    """Keys of the rows that `write_row` made, as one node has them."""
    found = lab.databases[place].query("SELECT app FROM readiness", database=DATABASE)
    return {app for (app,) in found if "." not in app}
