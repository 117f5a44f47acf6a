"""Reading a database's role and WAL position again and again, cheaply, and never for long.

One connection is kept per node, one short statement is sent on it, and the answer is awaited with
a deadline of its own: `statement_timeout` is kept by the server, and a frozen one keeps nothing.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import Place
from lab.infra.doors import RememberedDoors
from lab.postgres.sessions import Way, way

if TYPE_CHECKING:
    import psycopg
    from psycopg import pq

    from lab.infra.settings import Settings
else:
    psycopg = lazily("psycopg")

PRIMARY: Final = "primary"
STANDBY: Final = "standby"
GONE: Final = "gone"
SILENT: Final = "silent"
STARTING: Final = "starting"
ROLES: Final = (PRIMARY, STANDBY, STARTING, SILENT, GONE)
"""What a node can be seen as: `silent` did not answer in time (a frozen process looks like that,
and so does a busy machine), `gone` refused the question or closed the connection, `starting` says
so itself."""

_CONNECT_SECONDS = 2
_STARTING_UP = ("starting up", "not yet accepting connections", "in recovery mode")

POSITION_SQL: LiteralString = """
SELECT current_setting('cluster_name') AS server_name,
       r AS in_recovery,
       CASE WHEN r THEN coalesce(
            (SELECT received_tli FROM pg_stat_wal_receiver),
            (SELECT max(('x' || substr(name, 1, 8))::bit(32)::int) FROM pg_ls_waldir()
             WHERE substr(name, 9) = lpad(upper(to_hex((received - 1) >> 32)), 8, '0')
                || lpad(upper(to_hex(((received - 1) & 4294967295)
                                     / pg_size_bytes(current_setting('wal_segment_size')))),
                        8, '0')))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       END AS timeline,
       received,
       replayed,
       CASE WHEN r THEN extract(epoch FROM clock_timestamp()
                                           - pg_last_xact_replay_timestamp())::float8
       END AS replay_age
FROM pg_is_in_recovery() AS r, LATERAL (
    SELECT (CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                 ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint,
           (CASE WHEN r THEN pg_last_wal_replay_lsn()
                 ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint
) AS own(received, replayed)
"""
"""Who a server is, and how far it has come: the fields of `lab.postgres.server.NodeState`.

A standby whose receiver is gone names its timeline nowhere in SQL: the control file has that of the
last checkpoint, which may be several timelines ago. The WAL file that the end of what it received
lies in is named by it; of several with that position, the newest timeline's.
"""
_SQL: Final = POSITION_SQL.encode()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one node said. `received` and `replayed` are bytes from the start of WAL.

    On a primary both are what it flushed. `replay_age` is seconds since the last replayed commit
    was made, None on a primary and on a standby that replayed none. All None if nothing was said.
    """

    role: str
    timeline: int | None = None
    received: int | None = None
    replayed: int | None = None
    replay_age: float | None = None


class Gauge:
    """One node's. Not for two threads at once."""

    def __init__(self, place: Place, doors: RememberedDoors, settings: Settings) -> None:
        self.place = place
        self._doors = doors
        self._settings = settings
        self._connection: psycopg.Connection[Any] | None = None

    def read(self, timeout: float) -> Reading:
        """Ask the node. Takes `timeout` seconds at most, two more where it must connect first.

        Never raises for what a node does or does not do: that is the reading.
        """
        try:
            connection = self._connected()
            row = _ask(connection.pgconn, _SQL, time.monotonic() + timeout)
        except (TimeoutError, psycopg.errors.ConnectionTimeout):
            self.close()
            return Reading(SILENT)
        except (psycopg.Error, LabError, OSError) as error:
            self.close()
            # libpq gives no SQLSTATE for a connection that was refused.
            starting = any(words in str(error) for words in _STARTING_UP)
            return Reading(STARTING if starting else GONE)
        if row[0] != self.place.server_name:  # its port leads to another machine now
            self.close()
            return Reading(GONE)
        return _reading(row)

    def close(self) -> None:
        """Give the connection up; the next reading makes a new one."""
        self._doors.forget(self.place, 5432)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _way(self) -> Way:
        found = way(self.place, self._doors.port(self.place, 5432), self._settings)
        return {**found, "connect_timeout": _CONNECT_SECONDS}

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(
                **self._way(),
                user="postgres",
                password=self._settings.superuser_password,
                dbname="postgres",
                application_name="lab_sampler",
                autocommit=True,
            )
        return self._connection


def _reading(row: list[str | None]) -> Reading:
    _, recovering, timeline, received, replayed, age = row
    return Reading(
        role=STANDBY if recovering == "t" else PRIMARY,
        timeline=None if timeline is None else int(timeline),
        received=None if received is None else int(received),
        replayed=None if replayed is None else int(replayed),
        replay_age=None if age is None else float(age),
    )


def _ask(server: pq.abc.PGconn, sql: bytes, deadline: float) -> list[str | None]:
    """The first row of a statement as text. Raises TimeoutError at `deadline` (monotonic)."""
    server.send_query(sql)
    server.flush()
    found: list[str | None] | None = None
    while True:
        while server.is_busy():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([server.socket], [], [], left)[0]:
                raise TimeoutError
            server.consume_input()
        result = server.get_result()
        if result is None:
            break
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK or not result.ntuples:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
        values = (result.get_value(0, column) for column in range(result.nfields))
        found = [None if value is None else value.decode() for value in values]
    if found is None:
        raise psycopg.OperationalError("no answer at all")
    return found
