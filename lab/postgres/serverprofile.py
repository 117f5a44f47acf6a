"""What a server says beyond its role and positions: one statement, for `lab status`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, LiteralString

from lab.core.lineage import Position, forks_of
from lab.core.topology import Place
from lab.postgres.server import STATE_SQL, NodeState

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Slot:
    """WAL that an upstream keeps for one standby. Sizes are bytes.

    `left` is how much more the upstream may write until the slot is lost; None: there is no limit.
    """

    name: str
    active: bool
    lost: bool
    retained: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a server says beyond NodeState.

    `paused` says that replay is paused. `follows` is the host that the node's settings name as its
    upstream, and `silent` for how many seconds that one has said nothing. `forks` says where the
    history of the own timeline left each earlier one: timeline → LSN in bytes. `waiting` sessions
    wait for a standby, `longest` seconds at most. `connections` of `most` that clients may have are
    taken; of these the shops have `shop_sessions`, and may have `shop_most` (None: any number).
    """

    paused: bool = False
    follows: str = ""
    silent: float | None = None
    forks: Mapping[int, int] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    waiting: int = 0
    longest: float | None = None
    connections: int = 0
    most: int = 0
    shop_sessions: int = 0
    shop_most: int | None = None

    @property
    def room(self) -> int:
        """How many sessions shops may have there, if no other client has any."""
        return self.most if self.shop_most is None else min(self.most, self.shop_most)

    @property
    def connections_left(self) -> int:
        """How many more sessions shops can have."""
        left = self.most - self.connections
        own = left if self.shop_most is None else self.shop_most - self.shop_sessions
        return max(0, min(left, own))


_PROFILE_SQL: LiteralString = f"""
SELECT state.*,
       CASE WHEN in_recovery THEN pg_is_wal_replay_paused() ELSE false END,
       current_setting('primary_conninfo'),
       (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8
        FROM pg_stat_wal_receiver),
       pg_read_file('pg_wal/' || lpad(upper(to_hex(timeline)), 8, '0') || '.history', true),
       (SELECT coalesce(json_agg(json_build_array(
                   slot_name, active, coalesce(wal_status, '') = 'lost',
                   CASE WHEN restart_lsn IS NOT NULL
                        THEN greatest(received - (restart_lsn - '0/0')::bigint, 0) END,
                   safe_wal_size
               ) ORDER BY slot_name), '[]')
        FROM pg_replication_slots WHERE slot_type = 'physical'),
       sessions.*,
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - current_setting('reserved_connections')::int,
       (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = 'shop')
FROM ({STATE_SQL}) AS state, LATERAL (
    SELECT count(*) FILTER (WHERE wait_event = 'SyncRep'),
           (max(extract(epoch FROM clock_timestamp() - query_start))
            FILTER (WHERE wait_event = 'SyncRep'))::float8,
           count(*) FILTER (WHERE backend_type = 'client backend'),
           count(*) FILTER (WHERE backend_type = 'client backend' AND usename = 'shop')
    FROM pg_stat_activity
) AS sessions
"""  # noqa: S608 - constants

_HOST: Final = re.compile(r"\bhost=(\S+)")


def profile(place: Place, connection: psycopg.Connection[Any]) -> tuple[NodeState, Profile]:
    """Ask a server for everything at once. Raises psycopg.Error."""
    row = connection.execute(_PROFILE_SQL).fetchall()[0]
    *state, paused, conninfo, silent, history, slots, waiting, longest, taken, shops, most, shop = (
        row
    )
    said = NodeState(place, *state)
    host = _HOST.search(conninfo) if said.in_recovery else None
    return replace(said, slots=tuple(said.slots)), Profile(
        paused=paused,
        follows=host[1] if host else "",
        silent=silent,
        forks=forks_of(history or ""),
        slots=tuple(Slot(*each) for each in slots),
        waiting=waiting,
        longest=longest,
        connections=taken,
        most=most,
        shop_sessions=shops,
        shop_most=shop,
    )


def position(state: NodeState, said: Profile) -> Position:
    """Where a node stands in the history of timelines."""
    return Position(state.timeline, state.received, said.forks)
