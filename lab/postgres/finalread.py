"""The final read of every database: the winner, its standbys, and the machines that died.

A dead machine boots in quarantine: it starts no database. First its write-ahead log is read where
it lies, by `pg_waldump`, which only reads. Then its data directory is copied inside that machine,
and the copy is started without a network (one private socket, no upstream, no standby to wait for).
Reading it changes nothing of what died. It takes no writes and serves no standby.

An old primary that lives is read in place: the same log, and the same questions to its server.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from psycopg import sql

from lab.core.errors import CommandFailed, LabError
from lab.core.lineage import forks_of
from lab.core.load import of_drill
from lab.core.lsn import format_lsn
from lab.core.topology import Place
from lab.core.wait import wait_until
from lab.infra import changetoken
from lab.metrics import waldump
from lab.metrics.measure import own_branches
from lab.metrics.orphans import COLUMNS, OrderRow, order_row
from lab.metrics.placing import Row
from lab.metrics.walopinion import Evidence, Owner
from lab.postgres.databases import DATABASE
from lab.postgres.node import QUARANTINE
from lab.postgres.processes import HOME

if TYPE_CHECKING:
    from lab.infra.machines import Engine
    from lab.metrics.measure import Fork
    from lab.postgres.node import Node

Ask: TypeAlias = Callable[[sql.Composable], list[list[str]]]
"""Puts a query to one database; its rows as texts. Raises LabError."""

_READ = sql.SQL("SELECT key, count(*) FROM orders GROUP BY key")
_OWNERS = sql.SQL("""
SELECT xmin::text, 'orders', key, customer FROM orders WHERE xmin::text = ANY ({xids})
UNION ALL
SELECT xmin::text, 'customers', '', username FROM customers WHERE xmin::text = ANY ({xids})
UNION ALL
SELECT xmin::text, 'readiness', '', app FROM readiness WHERE xmin::text = ANY ({xids})
""")
_ROWS = sql.SQL("SELECT {columns} FROM orders WHERE key = ANY ({keys}) ORDER BY id")
_COPY = sql.SQL("COPY ({query}) TO STDOUT WITH (FORMAT csv)")

_SOCKET = "/tmp"  # noqa: S108 - inside the machine, whose only user is postgres
_OPTIONS = (
    "-c config_file=/etc/lab/postgresql.conf -c listen_addresses='' -c primary_conninfo=''"
    f" -c primary_slot_name='' -c synchronous_standby_names='' -c unix_socket_directories={_SOCKET}"
)
_START = f"""
cd {HOME} && {{ ! pg_ctl status -D autopsy >/dev/null 2>&1 \
 || pg_ctl stop -D autopsy -s -m immediate; }} \
 && rm -rf autopsy && cp -a data autopsy && rm -f autopsy/postmaster.pid \
 && pg_ctl start -D autopsy -w -t 60 -s -l log/autopsy.log -o "{_OPTIONS}" >/dev/null 9>&-
"""
_STOP = f"cd {HOME} && pg_ctl stop -D autopsy -s -m immediate; rm -rf autopsy"
_ASK = f"psql -h {_SOCKET} -U postgres -d {DATABASE} -X -q -v ON_ERROR_STOP=1 -f {HOME}/autopsy/ask"
# What it says of the end comes after the records, and never in the middle of one.
_DUMP = """
exec 3>&1
said=$(TZ=UTC pg_waldump -p {wal} -r Transaction -t {timeline} -s {start} 2>&1 >&3); code=$?
printf '%s\\n' "$said"; exit $code
"""
_END_OF_WAL: Final = 1


@dataclass(frozen=True, slots=True)
class Examined:
    """What a loser holds: its orders, what its WAL says, and the whole rows that it alone has."""

    read: Mapping[str, Row]
    evidence: Evidence
    rows: tuple[OrderRow, ...]


def read_living(node: Node, at_least: int | None = None) -> Mapping[str, Row]:
    """Orders of a server that runs, by client key; waits until it has replayed `at_least` (LSN)."""
    if at_least is not None:
        node.wait_for_catchup(at_least, timeout=15)
    return _orders(_living(node))


def read_dead(engine: Engine, place: Place) -> Mapping[str, Row]:
    """Orders that a dead machine's database holds, by client key. Raises LabError."""
    boot(engine, place)
    with _autopsy(engine, place) as ask:
        return _orders(ask)


def read_counting(engine: Engine, node: Node) -> Mapping[str, Row]:
    """Orders of the node whose data counts, by client key. Raises LabError.

    A runbook that stopped half-way leaves it where it died: then a copy of its data is read.
    """
    if node.answers():
        return read_living(node)
    boot(engine, node.place)
    with _autopsy(engine, node.place) as ask:
        return _orders(ask)


def examine(
    engine: Engine,
    node: Node,
    fork: Fork | None,
    kept: Callable[[], Collection[str] | None],
    history: Mapping[int, int] | None = None,
) -> Examined:
    """Everything that a loser can tell, dead or alive; its log is read before any copy starts.

    `fork` is where the winner left its timeline, `history` where it left each: without that, the
    node is taken for one that was not promoted. `kept` gives the client keys that the winner has,
    None when that is not known; it may wait for them, and is called when the loser has been read.
    Raises LabError when its orders cannot be read.
    """
    alive = node.answers()
    if not alive:
        boot(engine, node.place)
    log = _evidence(engine, node, fork, history)
    with _asking(engine, node, alive=alive) as ask:
        read = _orders(ask)
        known = kept()
        rows = () if known is None else _rows(ask, read.keys() - set(known))
        owners = _owners(ask, {commit.xid for commit in log.commits or ()})
    return Examined(read, replace(log, owners=owners), rows)


def rows_alone(engine: Engine, node: Node, primary: Node) -> tuple[OrderRow, ...]:
    """Whole rows of the orders that a node has and a primary that runs has not.

    A server that runs is asked in place. Of one that does not, a copy of its data is asked: its
    machine must run. Raises LabError.
    """
    with _asking(engine, node, alive=node.answers()) as ask:
        return _rows(ask, _orders(ask).keys() - read_living(primary).keys())


def rows_of_people(engine: Engine, node: Node, *, alive: bool) -> tuple[OrderRow, ...]:
    """The same of all orders but those of simulated users and of the lab itself."""
    with _asking(engine, node, alive=alive) as ask:
        found = _orders(ask)
        return _rows(ask, [key for key in found if not of_drill(key)])


def boot(engine: Engine, place: Place) -> None:
    """Let a dead or frozen machine boot to be examined: it starts no database by itself."""
    if not engine.running(place):
        engine.write_files(place, f"{HOME}/identity", {QUARANTINE: "being examined\n"})
    engine.start([place])
    wait_until(f"{place} to boot", lambda: engine.running(place), timeout=10)


def read_commits(engine: Engine, place: Place, fork: Fork) -> tuple[waldump.Commit, ...]:
    """Commits after the fork, on the timeline that was left, in a machine that runs.

    The log is read where it lies; nothing is written. Raises LabError.
    """
    return waldump.parse(_dump(engine, place, fork), fork.timeline)


def read_rest(engine: Engine, place: Place, fork: Fork) -> tuple[tuple[waldump.Commit, ...], int]:
    """The same, and where that timeline's log ends, in bytes. Raises LabError."""
    output = _dump(engine, place, fork)
    return waldump.parse(output, fork.timeline), waldump.end(output)


def _dump(engine: Engine, place: Place, fork: Fork) -> str:
    script = _DUMP.format(
        wal=f"{HOME}/data/pg_wal", timeline=fork.timeline, start=format_lsn(fork.lsn)
    )
    code, output = engine.run_code(place, ["sh", "-c", script])
    if code != _END_OF_WAL:
        raise CommandFailed(str(place), "pg_waldump", code, output)
    return output


def _evidence(
    engine: Engine, node: Node, fork: Fork | None, history: Mapping[int, int] | None
) -> Evidence:
    """What the log says from where the winner left it, or from where this node left the winner."""
    own: tuple[Fork, ...] = ()
    try:
        if history is not None and not (disk := node.disk()).standby:
            forks = forks_on_disk(engine, node, disk.timeline)
            own = own_branches(disk.timeline, forks, history)
        begins = own or tuple(filter(None, [fork]))
        if not begins:
            return Evidence(problem="it is not known where the new timeline left the old one")
        commits = [each for begin in begins for each in read_commits(engine, node.place, begin)]
    except LabError as error:
        return Evidence(problem=error.message, branches=own)
    return Evidence(tuple(commits), branches=own)


def forks_on_disk(engine: Engine, node: Node, timeline: int) -> Mapping[int, int]:
    """Where a node on this timeline left each earlier one."""
    file = f"{HOME}/data/pg_wal/{timeline:08X}.history"
    script = f"if [ -e {file} ]; then cat {file}; fi"
    return forks_of(engine.run(node.place, ["sh", "-c", script]))


# ── asking ───────────────────────────────────────────────────────────────────────────────────


def _living(node: Node) -> Ask:
    def ask(query: sql.Composable) -> list[list[str]]:
        with (
            node.connect(DATABASE) as connection,
            connection.cursor().copy(_COPY.format(query=query)) as copy,
        ):
            text = b"".join(bytes(chunk) for chunk in copy).decode()
        return _cells(text)

    return ask


@contextmanager
def _autopsy(engine: Engine, place: Place) -> Iterator[Ask]:
    """A started copy of a dead node's data directory; gone afterwards."""

    def ask(query: sql.Composable) -> list[list[str]]:
        # By a file: a question may name thousands of keys, more than an argument can hold.
        text = _COPY.format(query=query).as_string(None)
        engine.write_files(place, f"{HOME}/autopsy", {"ask": text})
        return _cells(engine.run(place, ["sh", "-c", _ASK]))

    try:
        guarded = f"{changetoken.alone(engine.lab_name)} && {_START}"
        engine.run(place, ["sh", "-c", guarded], called=_START)
        yield ask
    finally:
        engine.run(place, ["sh", "-c", _STOP], check=False)


@contextmanager
def _asking(engine: Engine, node: Node, *, alive: bool) -> Iterator[Ask]:
    if alive:
        yield _living(node)
    else:
        with _autopsy(engine, node.place) as ask:
            yield ask


def _orders(ask: Ask) -> Mapping[str, Row]:
    return {key: Row(int(copies)) for key, copies in _wide(ask(_READ), 2)}


def _owners(ask: Ask, xids: Collection[int]) -> Mapping[int, Owner]:
    """Rows by the transaction that wrote their present version."""
    if not xids:
        return {}
    query = _OWNERS.format(xids=sql.Literal([str(xid) for xid in sorted(xids)]))
    return {int(xid): Owner(*rest) for xid, *rest in _wide(ask(query), 4)}


def _rows(ask: Ask, keys: Collection[str]) -> tuple[OrderRow, ...]:
    if not keys:
        return ()
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    query = _ROWS.format(columns=columns, keys=sql.Literal(sorted(keys)))
    return tuple(map(order_row, _wide(ask(query), len(COLUMNS))))


def _cells(text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise LabError(f"a node's rows cannot be read: {error}") from error


def _wide(rows: Iterable[list[str]], columns: int) -> Iterator[list[str]]:
    for row in rows:
        if len(row) != columns:
            raise LabError(f"a node's rows cannot be read: not {columns} columns: {row}")
        yield row
