"""A PostgreSQL server, asked by SQL.

SQL goes through the published loopback port, as superuser. Role, timeline and LSN are asked, never
remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, LiteralString

from lab.core.errors import LabError
from lab.core.lineage import Position, forks_of
from lab.core.topology import DATABASES, Place
from lab.core.wait import wait_until
from lab.postgres.rolewatch import POSITION_SQL
from lab.postgres.sessions import POSTGRES, Sessions
from lab.postgres.signature import Signature, has, signed

if TYPE_CHECKING:
    import psycopg

    from lab.infra.machines import Engine
    from lab.infra.settings import Settings

_READ_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a server says of itself. LSNs are bytes from the start of WAL; `upstream` a host:port.

    `received` is the end of WAL that is safely on this node: flushed on a primary, received on a
    standby. `timeline` is the one that this end lies on. `replay_age` is seconds since the last
    replayed commit, None on a primary.
    """

    node: Place
    server_name: str
    in_recovery: bool
    timeline: int
    received: int
    replayed: int
    replay_age: float | None
    receiver: str
    synchronous_names: str
    slots: tuple[str, ...]

    @property
    def role(self) -> str:
        """`primary` or `standby`."""
        return "standby" if self.in_recovery else "primary"

    @property
    def waits_for(self) -> tuple[Place, ...]:
        """The standbys of which its commits wait for one."""
        names = self.synchronous_names
        return tuple(p for p in DATABASES if re.search(rf"\b{p.server_name}\b", names))

    def has_replayed(self, lsn: int, timeline: int | None) -> bool:
        """True when the node has replayed `lsn`; with a timeline, as a standby on that one."""
        return self.replayed >= lsn and (
            timeline is None or (self.in_recovery and self.timeline == timeline)
        )

    def beyond(self, forks: Mapping[int, int]) -> int:
        """Bytes that it has of a timeline from after the point where a primary left that one.

        `forks` is that primary's history: earlier timeline → LSN. 0 on the primary's own timeline.
        """
        return max(0, self.received - forks.get(self.timeline, self.received))


STATE_SQL: LiteralString = f"""
SELECT own.*,
       coalesce((SELECT sender_host || ':' || sender_port || ' ' || status
                 FROM pg_stat_wal_receiver), '') AS receiver,
       current_setting('synchronous_standby_names') AS synchronous_names,
       ARRAY(SELECT slot_name::text FROM pg_replication_slots
             WHERE wal_status IS DISTINCT FROM 'lost' ORDER BY 1) AS slots
FROM ({POSITION_SQL}) AS own
"""  # noqa: S608 - constants
"""Everything that NodeState holds, in the order of its fields."""

_HISTORY: LiteralString = "SELECT pg_read_file(%s, true)"
_HAS_READ: LiteralString = "SELECT NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NOT NULL"


class Server:
    """One database server, through a connection to it."""

    def __init__(self, place: Place, engine: Engine, settings: Settings) -> None:
        self.place = place
        self._engine = engine
        self._settings = settings
        self._sessions = Sessions(place, engine, settings)

    def __str__(self) -> str:
        return str(self.place)

    def kept_open(self) -> AbstractContextManager[None]:
        """Inside this block one connection serves all questions (see `Sessions.kept`)."""
        return self._sessions.kept()

    def connect(self, database: str = POSTGRES) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A superuser's connection in autocommit. Whatever PostgreSQL objects to is a LabError."""
        return self._sessions.open(database)

    def query(
        self, sql: LiteralString, parameters: tuple[object, ...] = (), database: str = POSTGRES
    ) -> list[tuple[Any, ...]]:
        """Rows of one statement. Raises LabError."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def state(self) -> NodeState:
        """Ask the server what it is. Raises LabError when it does not answer."""
        return self._said(self.query(STATE_SQL))

    def followers(self) -> tuple[Place, ...]:
        """Nodes that stream from this one now. Raises LabError when it does not answer."""
        names = self.query(
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
        )
        known = {place.server_name: place for place in DATABASES}
        return tuple(known[name] for (name,) in names if name in known)

    def answers(self) -> bool:
        """True when the server takes connections."""
        try:
            self.query("SELECT 1")
        except LabError:
            return False
        return True

    def is_primary(self) -> bool:
        """True when it answers, and as a primary."""
        try:
            return not self.state().in_recovery
        except LabError:
            return False

    def reload(self) -> None:
        """Tell the server to read its settings again."""
        self.query("SELECT pg_reload_conf()")

    def synchronous_names(self) -> str:
        """The value of synchronous_standby_names that is in force; empty for no standby."""
        return str(self.query("SHOW synchronous_standby_names")[0][0])

    def lsn(self) -> int:
        """End of WAL that is safely on this node, in bytes."""
        return self.state().received

    def forks(self) -> dict[int, int]:
        """Where a server's history left each earlier timeline: timeline → LSN in bytes."""
        return dict(self.stand()[1].forks)

    def stand(self) -> tuple[NodeState, Position]:
        """What it says of itself, and where it stands in the history of timelines."""
        with self.connect() as session:
            return self._stand(session)

    def position(self) -> Position:
        """Where it stands in the history of timelines, with all that is on its disk.

        A standby that has just started says how far it has replayed, and may have more on its disk.
        It has read all of that once it has asked for more: this waits for it.
        """
        with self.connect() as session:
            wait_until(
                f"{self.place} to have read its own WAL",
                lambda: session.execute(_HAS_READ).fetchall() == [(True,)],
                _READ_SECONDS,
            )
            return self._stand(session)[1]

    def wal_file_size(self) -> int:
        """Bytes of a file of its log."""
        sql: LiteralString = "SELECT pg_size_bytes(current_setting('wal_segment_size'))"
        return int(self.query(sql)[0][0])

    def record_at(self, file: str, offset: int) -> str:
        """The first bytes of a record of its log, in hexadecimal; empty if that file is gone."""
        sql: LiteralString = "SELECT encode(pg_read_binary_file(%s, %s, 64, true), 'hex')"
        return self.query(sql, (file, offset))[0][0] or ""

    def _stand(self, session: psycopg.Connection[Any]) -> tuple[NodeState, Position]:
        state = self._said(session.execute(STATE_SQL).fetchall())
        file = f"pg_wal/{state.timeline:08X}.history"
        [(history,)] = session.execute(_HISTORY, (file,)).fetchall()
        return state, Position(state.timeline, state.received, forks_of(history or ""))

    def _said(self, rows: list[tuple[Any, ...]]) -> NodeState:
        said = NodeState(self.place, *rows[0])
        return replace(said, slots=tuple(said.slots))

    def sign(self) -> Signature:
        """Write a fresh commit on a primary, on disk when this returns."""
        with self.connect() as connection:
            return signed(connection)

    def refuse_another_branch(self, signature: Signature) -> None:
        """Raise LabError unless the commit of a signature is on this node.

        Two nodes that were promoted each by itself begin timelines of the same number.
        """
        with self.connect() as connection:
            if not has(connection, signature):
                raise LabError(
                    f"{self.place} is on a timeline {signature.timeline} of another promotion: what"
                    " the primary writes does not arrive",
                    "see who follows whom: lab status",
                )

    def resume_replay(self) -> None:
        """Let a standby replay what it has received, if its replay is paused."""
        self.query(
            "SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery() AND pg_is_wal_replay_paused()"
        )

    def reset_setting(self, name: LiteralString) -> None:
        """Let a setting be again what the server's configuration says."""
        self.query(f"ALTER SYSTEM RESET {name}")
        self.query("SELECT pg_reload_conf()")

    def mark(self) -> int:
        """Write a fresh WAL record on a primary, on disk when this returns; its end, in bytes."""
        return self.sign().lsn

    def write_wal(self, size: int) -> None:
        """Write so many bytes of WAL that mean nothing, on disk when this returns."""
        self.query("SELECT pg_logical_emit_message(true, 'lab', repeat('x', %s), true)", (size,))

    def ensure_slots(self, standbys: Iterable[Place]) -> tuple[str, ...]:
        """Make the physical slots that these standbys use; names of those that were missing.

        A lost slot (its WAL is gone) is as good as missing: it is made anew.
        """
        names = [standby.server_name for standby in standbys]
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE wal_status = 'lost' AND NOT active AND slot_name = ANY (%s::name[])",
                (names,),
            )
            made = connection.execute(
                "SELECT slot.slot_name::text FROM unnest(%s::name[]) AS wanted(name), LATERAL"
                " pg_create_physical_replication_slot(wanted.name, true) AS slot"
                " WHERE wanted.name NOT IN (SELECT slot_name FROM pg_replication_slots"
                " WHERE wal_status IS DISTINCT FROM 'lost')",
                (names,),
            ).fetchall()
        return tuple(row[0] for row in made)

    def drop_slots_except(self, standbys: Iterable[Place]) -> None:
        """Drop slots that are unused or lost: they would hold WAL back for ever."""
        keep = [standby.server_name for standby in standbys]
        self.query(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE NOT active AND (slot_name <> ALL (%s::name[]) OR wal_status = 'lost')",
            (keep,),
        )

    def drop_unused_slot(self, standby: Place) -> None:
        """Drop the slot of a standby that follows another node: it would hold WAL back for ever."""
        self.query(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE NOT active AND slot_name = %s",
            (standby.server_name,),
        )
