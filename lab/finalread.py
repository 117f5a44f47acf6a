"""The final read of every database: the winner, its standbys, and the machines that died.

A dead machine boots in quarantine: it starts no database. Then its data directory is copied inside
that machine, and the copy is started without a network (one private socket, no upstream, nobody
to wait for). Reading it changes nothing of what died, and nobody can write to it or stream from it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from lab.classify import FinalRead, Row
from lab.databases import DATABASE
from lab.engine import Engine
from lab.errors import LabError
from lab.postgres import HOME, QUARANTINE, Node
from lab.topology import Place
from lab.wait import wait_until

_SQL = "SELECT key, count(*), min(id) FROM orders GROUP BY key"
_SOCKET = "/tmp"  # noqa: S108 - inside the machine, whose only user is postgres
_OPTIONS = (
    "-c config_file=/etc/lab/postgresql.conf -c listen_addresses='' -c primary_conninfo=''"
    f" -c primary_slot_name='' -c synchronous_standby_names='' -c unix_socket_directories={_SOCKET}"
)
_AUTOPSY = f"""
cd {HOME} && rm -rf autopsy && cp -a data autopsy && rm -f autopsy/postmaster.pid \
 && pg_ctl start -D autopsy -w -t 60 -s -l log/autopsy.log -o "{_OPTIONS}" >/dev/null \
 && psql -h {_SOCKET} -U postgres -d {DATABASE} -X -q \
      -c "COPY ({_SQL}) TO STDOUT WITH (FORMAT csv)"; \
result=$?; pg_ctl stop -D autopsy -s -m immediate; rm -rf autopsy; exit $result
"""


def read_living(node: Node, at_least: int | None = None) -> FinalRead:
    """Orders of a server that runs, by client key; waits until it has replayed `at_least` (LSN)."""
    if at_least is not None:
        node.wait_for_catchup(at_least, timeout=15)
    rows = node.query(_SQL, database=DATABASE)
    return {str(key): Row(int(copies), int(order)) for key, copies, order in rows}


def read_dead(engine: Engine, place: Place) -> FinalRead:
    """Orders that a dead machine's database holds, by client key. Raises LabError."""
    if not engine.running(place):
        engine.write_files(place, f"{HOME}/identity", {QUARANTINE: "being examined\n"})
    engine.start([place])
    wait_until(f"{place} to boot", lambda: engine.running(place), timeout=10)
    output = engine.run(place, ["sh", "-c", _AUTOPSY])
    return {key: Row(int(copies), int(order)) for key, copies, order in _rows(output)}


def _rows(text: str) -> Iterable[list[str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        if any(len(row) != 3 for row in rows):
            raise ValueError("not three columns")
    except (csv.Error, ValueError) as error:
        raise LabError(f"a dead node's rows cannot be read: {error}") from error
    return rows
