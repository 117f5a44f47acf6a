"""A commit by which a node proves that it has what one primary wrote, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Signature:
    """A commit that one primary alone has made: it ends at `lsn` (bytes) of `timeline`.

    Its transaction id and its time, to the microsecond, prove that a node has this very commit.
    """

    lsn: int
    timeline: int
    xid: str
    at: str


SIGNED_SQL: LiteralString = """
SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint,
       ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int,
       own.xid::text,
       pg_xact_commit_timestamp(own.xid)::text
FROM (SELECT %s::xid) AS own(xid)
"""


def signed(connection: psycopg.Connection[Any]) -> Signature:
    """Write a fresh commit, on disk when this returns. Raises psycopg.Error."""
    [xid] = connection.execute(
        "SELECT pg_current_xact_id()::xid::text FROM pg_logical_emit_message(true, 'lab', 'mark')"
    ).fetchall()
    [said] = connection.execute(SIGNED_SQL, xid).fetchall()
    return Signature(*said)


def has(connection: psycopg.Connection[Any], signature: Signature) -> bool:
    """True when this very commit is on a node. Raises psycopg.Error."""
    found = connection.execute("SELECT pg_xact_commit_timestamp(%s::xid)::text", (signature.xid,))
    return found.fetchall() == [(signature.at,)]
