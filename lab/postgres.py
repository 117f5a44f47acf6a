"""PostgreSQL nodes and their verbs, in PostgreSQL's own words.

Commands (`pg_ctl`, `pg_basebackup`, `pg_rewind`) run inside the machine as user postgres; SQL
goes through the published loopback port. Role, timeline and LSN are asked, never remembered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg

from lab.access import REPLICATION_ROLE, host_based_access
from lab.engine import Engine
from lab.errors import CommandFailed, LabError
from lab.lsn import format_lsn, parse_lsn
from lab.sessions import way
from lab.settings import Settings
from lab.topology import Place
from lab.wait import wait_until

HOME = "/var/lib/postgresql"
QUARANTINE = "quarantine"
FULL = "disk-full"
PLANTED = "planted.conf"
"""Files beside the data directory that a fault leaves: no byte more may be written; a setting."""

_FULL = f"{{ [ ! -e {HOME}/identity/{FULL} ] || ulimit -S -f 1; }}"
_BOOTED = "{ for _ in $(seq 500); do [ -e /dev/shm/booted ] && break; sleep 0.02; done; }"
ALONE = "exec 9>/dev/shm/tool && flock -w 60 9"
"""In front of what is done to a machine: one thing at a time.

A command that was killed leaves what it began inside a machine at work, and the next one must not
come in between. A server that is started must not hold the lock: close 9 for it.
"""

_CONFIG = "-c config_file=/etc/lab/postgresql.conf"
_LOG = f"{HOME}/log/postgresql.log"
_START = f"{{ {_FULL} && pg_ctl start -w -t 60 -s -l {_LOG} -o '{_CONFIG}' 9>&-; }}"
_RUNS = "pg_ctl status >/dev/null 2>&1"
_START_IF_STOPPED = f"{{ {_RUNS} || {_START}; }}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a standby streams from, as it sees it: an address and a port."""

    node: Place
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a server says of itself. LSNs are bytes from the start of WAL; `upstream` a host:port.

    `received` is the end of WAL that is safely on this node: flushed on a primary, received on a
    standby. `replay_age` is seconds since the last replayed commit, None on a primary.
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

    def has_replayed(self, lsn: int, timeline: int | None) -> bool:
        """True when the node has replayed `lsn`; with a timeline, as a standby on that one."""
        return self.replayed >= lsn and (
            timeline is None or (self.in_recovery and self.timeline == timeline)
        )


_STATE_SQL: LiteralString = """
SELECT current_setting('cluster_name') AS server_name,
       r AS in_recovery,
       CASE WHEN r THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                                 (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       END AS timeline,
       (CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
             ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint AS received,
       (CASE WHEN r THEN pg_last_wal_replay_lsn()
             ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint AS replayed,
       CASE WHEN r THEN extract(epoch FROM clock_timestamp()
                                           - pg_last_xact_replay_timestamp())::float8
       END AS replay_age,
       coalesce((SELECT sender_host || ':' || sender_port || ' ' || status
                 FROM pg_stat_wal_receiver), '') AS receiver,
       current_setting('synchronous_standby_names') AS synchronous_names,
       ARRAY(SELECT slot_name::text FROM pg_replication_slots
             WHERE wal_status IS DISTINCT FROM 'lost' ORDER BY 1) AS slots
FROM pg_is_in_recovery() AS r
"""


class Node:
    """One database server and the machine under it."""

    def __init__(self, place: Place, engine: Engine, settings: Settings) -> None:
        self.place = place
        self._engine = engine
        self._settings = settings

    def __str__(self) -> str:
        return str(self.place)

    # ── SQL ──────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A superuser's connection in autocommit. Whatever PostgreSQL objects to is a LabError."""
        port = self._engine.port(self.place, 5432)
        try:
            connection = psycopg.connect(
                **way(self.place, port, self._settings),
                user="postgres",
                password=self._settings.superuser_password,
                dbname=database,
                application_name="lab",
                # The tool's own statements must never wait for a standby that a drill has cut off.
                options="-c synchronous_commit=local -c statement_timeout=20s",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise LabError(
                f"{self.place}: no connection to PostgreSQL: {_first_line(error)}",
                f"look at: lab logs {self.place}",
            ) from error
        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            raise LabError(f"{self.place}: {_first_line(error)}") from error

    def query(
        self, sql: LiteralString, parameters: tuple[object, ...] = (), database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Rows of one statement. Raises LabError."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def state(self) -> NodeState:
        """Ask the server what it is. Raises LabError when it does not answer."""
        said = NodeState(self.place, *self.query(_STATE_SQL)[0])
        return replace(said, slots=tuple(said.slots))

    def answers(self) -> bool:
        """True when the server takes connections."""
        try:
            self.query("SELECT 1")
        except LabError:
            return False
        return True

    def lsn(self) -> int:
        """End of WAL that is safely on this node, in bytes."""
        return self.state().received

    def forks(self) -> dict[int, int]:
        """Where a primary's history left each earlier timeline: timeline → LSN in bytes."""
        text = self.query(
            "SELECT pg_read_file('pg_wal/' || substr(pg_walfile_name("
            "pg_current_wal_insert_lsn()), 1, 8) || '.history', true)"
        )[0][0]
        lines = (line.split("\t") for line in (text or "").splitlines() if line.strip())
        return {int(timeline): parse_lsn(lsn) for timeline, lsn, *_ in lines}

    def mark(self) -> int:
        """Write a fresh WAL record on a primary, on disk when this returns; its end, in bytes."""
        with self.connect() as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'lab', 'mark')")
            row = connection.execute(
                "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint"
            ).fetchone()
        return int(row[0]) if row else 0

    def write_wal(self, size: int) -> None:
        """Write so many bytes of WAL that mean nothing, on disk when this returns."""
        self.query("SELECT pg_logical_emit_message(true, 'lab', repeat('x', %s), true)", (size,))

    def ensure_slots(self, standbys: Iterable[Place]) -> tuple[str, ...]:
        """Make the physical slots that these standbys use; names of those that were missing.

        A lost slot (its WAL is gone) is as good as missing: it is made anew.
        """
        names = [standby.server_name for standby in standbys]
        self.query(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE wal_status = 'lost' AND NOT active AND slot_name = ANY (%s::name[])",
            (names,),
        )
        made = self.query(
            "SELECT slot.slot_name::text FROM unnest(%s::name[]) AS wanted(name), LATERAL"
            " pg_create_physical_replication_slot(wanted.name, true) AS slot"
            " WHERE wanted.name NOT IN (SELECT slot_name FROM pg_replication_slots"
            " WHERE wal_status IS DISTINCT FROM 'lost')",
            (names,),
        )
        return tuple(row[0] for row in made)

    def drop_slots_except(self, standbys: Iterable[Place]) -> None:
        """Drop slots that are nobody's or lost: they would hold WAL back for ever."""
        keep = [standby.server_name for standby in standbys]
        self.query(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE NOT active AND (slot_name <> ALL (%s::name[]) OR wal_status = 'lost')",
            (keep,),
        )

    def set_synchronous(self, standby: Place | None, upstream: Upstream | None = None) -> str:
        """Set whom a commit waits for (None: nobody) and reload; the value now in force.

        Standbys inherit nothing here, because the setting lives outside the data directory, but a
        promoted node must still be given its own before it takes writes.
        """
        self.reload_upstream(upstream, standby)
        wanted = _synchronous_value(standby)
        wait_until(
            f"{self.place} to take synchronous_standby_names = {wanted!r}",
            lambda: self.query("SHOW synchronous_standby_names")[0][0] == wanted,
            timeout=5,
        )
        return wanted

    # ── the machine ──────────────────────────────────────────────────────────────────────────

    def write_identity(self, upstream: Upstream | None, synchronous: Place | None) -> None:
        """Write what this node is, next to its data directory."""
        name, own = self.place.server_name, self._settings.trust.servers[str(self.place)]
        lines = [
            "# What this node is. Outside the data directory: a copy must not inherit it.",
            f"cluster_name = '{name}'",
            f"primary_slot_name = '{name}'",
            f"synchronous_standby_names = '{_synchronous_value(synchronous)}'",
        ]
        if upstream is not None:
            lines.append(f"primary_conninfo = '{self._conninfo(upstream)}'")
        self._engine.write_files(
            self.place,
            f"{HOME}/identity",
            {
                "node.conf": "\n".join(lines) + "\n",
                "pg_hba.conf": host_based_access(self.place, self._settings.addresses),
                "authority.pem": self._settings.trust.authority.certificate,
                "server.pem": own.certificate,
                "server.key": own.key,
                "pgpass": f"*:*:*:{REPLICATION_ROLE}:{self._settings.replication_password}\n",
                "password": self._settings.superuser_password,
            },
        )

    def initialise(self) -> None:
        """`initdb` and a first start. What was in the data directory before is gone."""
        self._shell(
            "rm -rf data golden && initdb -D data -U postgres --encoding=UTF8"
            " --locale-provider=builtin --locale=C.UTF-8 --data-checksums"
            # Small WAL files: a reset copies them all, and 97 of 127 MB were nearly empty ones.
            " --wal-segsize=4"
            " --auth=scram-sha-256 --pwfile=identity/password >/dev/null"
            f" && {_START}"
        )

    def backup_from(self, upstream: Upstream, *, start: bool = True) -> None:
        """Become a copy of another node, by `pg_basebackup -R`. Old data is gone.

        The upstream must hold this node's slot already: it keeps the WAL between the end of the
        copy and the first streaming.
        """
        self._shell(
            f"{{ ! {_RUNS} || pg_ctl stop -s -m immediate; }} && rm -rf data"
            f" && pg_basebackup -D data -R -X stream -c fast"
            f" -d '{self._conninfo(upstream, 'backup')}'"
            " && : > data/postgresql.auto.conf" + (f" && {_START}" if start else "")
        )

    def rewind_to(self, source: Upstream) -> None:
        """Give up what this node alone has and follow another, by `pg_rewind`; then start."""
        conninfo = f"{_safely(source)} user={REPLICATION_ROLE} dbname=postgres"
        self._shell(
            f"{{ ! {_RUNS} || pg_ctl stop -s -m fast; }}"
            " && pg_rewind -D data -R --config-file=/etc/lab/postgresql.conf"
            f" --source-server='{conninfo}'"
            f" && : > data/postgresql.auto.conf && {_START}"
        )

    def end_of_shutdown(self) -> int:
        """Where the WAL of a server that was shut down in good order ends, in bytes."""
        said = self._engine.run(
            self.place,
            ["sh", "-c", f"cd {HOME} && pg_controldata data | sed -n"
             " 's/^Latest checkpoint location: *//p'"],
        )  # fmt: skip
        return parse_lsn(said.strip())

    def start(self) -> None:
        """Start the server if it does not run, and wait until it answers."""
        self._shell(_START_IF_STOPPED)

    def start_patiently(self, timeout: float = 30.0) -> None:
        """Start a standby, whose machine may be starting it by itself in the same moment."""

        def started() -> bool:
            self.start()
            return self.answers()

        wait_until(f"{self.place} to start", started, timeout, ignoring=(LabError,))

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs; mode `smart`, `fast` or `immediate`."""
        self._shell(f"{{ ! {_RUNS} || pg_ctl stop -s -m {mode}; }}")

    def kill9(self) -> None:
        """Crash the server: SIGKILL to the postmaster, the machine stays."""
        self._shell("kill -9 $(head -n 1 data/postmaster.pid)")

    def promote(self) -> None:
        """`pg_ctl promote -w`; a primary stays what it is."""
        code, output = self._engine.run_code(
            self.place, ["pg_ctl", "promote", "-w", "-t", "30", "-s"]
        )
        if code and "not in standby mode" not in output:
            raise CommandFailed(str(self.place), "pg_ctl promote -w", code, output)

    def wait_for_catchup(self, lsn: int, timeout: float, timeline: int | None = None) -> None:
        """Wait until this standby has replayed `lsn`, on `timeline` if given. Raises WaitExpired.

        An LSN alone proves nothing of a node that may have gone its own way: what it wrote or
        received on another timeline can be longer.
        """
        wait_until(
            f"{self.place} to replay {format_lsn(lsn)}",
            lambda: self.state().has_replayed(lsn, timeline),
            timeout,
            ignoring=(LabError,),
        )

    def save_golden(self) -> None:
        """Keep the data directory of a stopped node, to be put back by `restore_golden`."""
        self._shell("rm -rf golden && cp -a data golden")

    def has_golden(self) -> bool:
        """True when there is something to put back."""
        return (
            self._engine.run_code(self.place, ["test", "-f", f"{HOME}/golden/PG_VERSION"])[0] == 0
        )

    def restore_golden(self) -> None:
        """Put the kept data directory back and start. What was written since is gone.

        Only files that differ are copied: most of a data directory never changes, and copying all
        of it is half of what a reset costs. A file that was written to has another time, to the
        nanosecond (rsync looks at whole seconds if it is not told).
        """
        self._shell(
            f"{{ ! {_RUNS} || pg_ctl stop -s -m immediate; }}"
            f" && rm -rf autopsy identity/{QUARANTINE} identity/{FULL} identity/{PLANTED}"
            f" && rsync -a --delete --modify-window=-1 golden/ data/ && {_START}"
        )

    def reload_upstream(self, upstream: Upstream | None, synchronous: Place | None = None) -> None:
        """Follow another node (or none) and wait for another one, without a restart."""
        self.write_identity(upstream, synchronous)
        self.query("SELECT pg_reload_conf()")

    def is_standby_on_disk(self) -> bool:
        """True when the data directory is that of a standby, whether the server runs or not."""
        return (
            self._engine.run_code(self.place, ["test", "-f", f"{HOME}/data/standby.signal"])[0] == 0
        )

    def _conninfo(self, upstream: Upstream, suffix: str = "") -> str:
        # A base backup shows up as a `streaming` standby of its own: give it another name, so
        # that a synchronous name never matches it.
        application = self.place.server_name + (f"_{suffix}" if suffix else "")
        return f"{_safely(upstream)} user={REPLICATION_ROLE} application_name={application}"

    def _shell(self, script: str) -> None:
        self._engine.run(self.place, ["sh", "-c", f"{_BOOTED} && {ALONE} && cd {HOME} && {script}"])


def _safely(source: Upstream) -> str:
    """Conninfo of a connection that is encrypted, to a server that proves what it was asked for.

    Encrypted from the first byte: asking first would cost a round trip between the regions.
    """
    return (
        f"host={source.host} port={source.port} connect_timeout=5 sslmode=verify-full"
        f" sslrootcert={HOME}/identity/authority.pem sslnegotiation=direct"
    )


def _synchronous_value(standby: Place | None) -> str:
    return f"ANY 1 ({standby.server_name})" if standby else ""


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


def prove_following(primary: Node, standbys: Iterable[Node], timeout: float) -> dict[Place, float]:
    """Write a mark on the primary and wait until each standby has replayed it.

    Seconds that each one took; raises WaitExpired for the first that does not get it. This is
    the only proof that a node follows: status words say `streaming` in a loop of failures too.
    """
    mark, timeline = primary.mark(), primary.state().timeline
    started = time.monotonic()
    took: dict[Place, float] = {}
    for standby in standbys:
        standby.wait_for_catchup(mark, timeout, timeline)
        took[standby.place] = time.monotonic() - started
    return took
