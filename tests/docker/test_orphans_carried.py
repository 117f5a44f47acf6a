"""What an old primary's disk tells, dead or alive, and how its orders are carried over."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from docker import DockerClient
from shop.orders import PLACE
from sql import as_shop

from lab.core.errors import LabError
from lab.core.topology import EAST_DB1, EAST_DB2, Place
from lab.core.verdict import Verdict
from lab.drills import reconcile
from lab.drills.evidence import fork_of
from lab.metrics import orphans
from lab.metrics.measure import Fork
from lab.metrics.orphans import Orphan
from lab.metrics.waldump import short_xid
from lab.metrics.walopinion import Owner, Told, second_opinion
from lab.postgres.databases import DATABASE
from lab.postgres.finalread import boot, examine, read_commits, read_living
from lab.postgres.processes import HOME
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
ODD = """o'dd\\"key;--,{}"""


def _place(session: psycopg.Connection[Any], key: str, customer: str = "ann") -> str:
    """Place an order as the shop does; the transaction id that its user is told."""
    row = session.execute(PLACE, (key, customer, 2, "east", 1)).fetchone()
    assert row
    return str(row[2])


def _left_alone(lab: Lab, keys: Iterable[str]) -> dict[str, str]:
    """Orders on east.db1 that its standby does not get, by key; then east.db2 is promoted."""
    nodes = lab.databases
    with as_shop(lab, EAST_DB1) as session:
        _place(session, "replicated")
        nodes[EAST_DB2].stop()
        session.execute("SET synchronous_commit = local")
        return {key: _place(session, key) for key in keys}


def _promote(lab: Lab) -> Fork:
    node = lab.databases[EAST_DB2]
    node.write_identity(None, None)  # an old primary that lives must not reach it any more
    node.start()
    node.promote()
    fork = fork_of(lab, EAST_DB2)
    assert fork
    return fork


def test_the_log_of_a_killed_primary_lists_what_it_alone_committed_and_stays_as_it_was(
    pair: Lab, docker_client: DockerClient
) -> None:
    told = _left_alone(pair, ["k1", "k2", ODD])
    with as_shop(pair, EAST_DB1) as session:
        session.execute("SET synchronous_commit = local")
        again = _place(session, "k2")  # a retry commits, and the row is its own from then on
        session.execute("INSERT INTO customers VALUES ('new', 'hash')")
    pair.engine.kill([EAST_DB1])
    fork = _promote(pair)
    before = _disk(pair, docker_client, EAST_DB1)
    boot(pair.engine, EAST_DB1)
    commits = read_commits(pair.engine, EAST_DB1, fork)
    assert _disk(pair, docker_client, EAST_DB1) == before
    assert all(commit.timeline == 1 and commit.lsn >= fork.lsn for commit in commits)
    assert {short_xid(xid) for xid in (*told.values(), again)} < {c.xid for c in commits}
    assert len(commits) == 5  # three orders, a retry, a sign-up

    found = examine(pair.engine, pair.databases[EAST_DB1], fork, lambda: {"replicated"})
    assert _disk(pair, docker_client, EAST_DB1) == before
    assert found.evidence.commits == commits
    keys = {xid: owner.key for xid, owner in found.evidence.owners.items() if owner.key}
    assert keys == {
        short_xid(told["k1"]): "k1",
        short_xid(again): "k2",
        short_xid(told[ODD]): ODD,
    }
    assert Owner("customers", "", "new") in found.evidence.owners.values()
    assert [(row.key, row.attempts) for row in found.rows] == [("k1", 1), ("k2", 2), (ODD, 1)]

    opinion = second_opinion(
        [("k1", 1, told["k1"]), (ODD, 1, told[ODD])],
        {"k1": Told("ok"), ODD: Told("ok"), "k2": Told("unknown")}.get,
        EAST_DB1.server_name,
        {EAST_DB1.server_name: found.evidence},
        promoted=True,
        fork="there",
    )
    assert opinion.verdict is Verdict.PASS, opinion.answer
    assert opinion.values["told unknown"] == 1
    assert opinion.values["no row of their own"] == 1  # the first commit of k2


def test_an_old_primary_that_lives_is_read_in_place(pair: Lab) -> None:
    told = _left_alone(pair, ["k1"])
    fork = _promote(pair)
    assert pair.databases[EAST_DB1].answers()
    found = examine(pair.engine, pair.databases[EAST_DB1], fork, lambda: {"replicated"})
    assert [commit.xid for commit in found.evidence.commits or ()] == [short_xid(told["k1"])]
    assert found.evidence.owners == {short_xid(told["k1"]): Owner("orders", "k1", "ann")}
    assert [row.key for row in found.rows] == ["k1"]
    # Seen from the old primary it is the promoted one that went its own way, on a timeline 2.
    with as_shop(pair, EAST_DB2) as session:
        later = short_xid(_place(session, "k2"))
    rival = examine(pair.engine, pair.databases[EAST_DB2], None, lambda: {"replicated"}, {})
    assert rival.evidence.branches == (Fork(2, fork.lsn),)
    assert rival.evidence.owners == {later: Owner("orders", "k2", "ann")}


def test_a_log_that_is_gone_leaves_the_rows_and_says_why_there_is_no_list(pair: Lab) -> None:
    _left_alone(pair, ["k1"])
    far = Fork(1, 1 << 40)
    with pytest.raises(LabError, match="could not find file"):
        read_commits(pair.engine, EAST_DB1, Fork(9, 0x4000000))
    pair.engine.kill([EAST_DB1])
    found = examine(pair.engine, pair.databases[EAST_DB1], far, lambda: None)
    assert found.evidence.commits is None
    assert "could not find file" in found.evidence.problem
    assert set(found.read) == {"replicated", "k1"}
    assert found.rows == ()


def test_orphans_are_replayed_once_by_the_tool_and_by_the_file_alike(pair: Lab) -> None:
    _left_alone(pair, ["k1", ODD])
    pair.engine.kill([EAST_DB1])
    fork = _promote(pair)
    found = examine(pair.engine, pair.databases[EAST_DB1], fork, lambda: {"replicated"})
    left = orphans.collect({EAST_DB1.server_name: found.rows}, lambda _: "ok")
    again = orphans.from_csv(orphans.to_csv(left), "there")
    assert again == left

    looked = reconcile.look(pair, "run", again)
    assert (looked.writer, looked.counts[orphans.State.READY]) == (EAST_DB2, 2)
    assert set(read_living(pair.databases[EAST_DB2])) == {"replicated"}
    done = reconcile.apply(pair, "run", again)
    assert set(done.replayed or ()) == {"k1", ODD}
    assert done.accounts == ("ann",)
    assert "waits for no standby" in done.standby
    assert _orders(pair) == _as_replayed(left)
    twice = reconcile.apply(pair, "run", again)
    assert (twice.counts[orphans.State.ALREADY], twice.replayed, twice.accounts) == (2, (), ())

    _query(pair, "DELETE FROM orders WHERE key <> 'replicated'")
    _query(pair, "DELETE FROM customers")
    pair.engine.write_files(EAST_DB2, f"{HOME}/log", {"o.sql": orphans.to_sql(left, "run")})
    psql = ["psql", "-X", "-d", DATABASE, "-v", "ON_ERROR_STOP=1", "-f", f"{HOME}/log/o.sql"]
    for _ in range(2):
        pair.engine.run(EAST_DB2, psql)
        assert _orders(pair) == _as_replayed(left)
    assert _query(pair, "SELECT username, password_hash FROM customers") == [
        ("ann", orphans.LOCKED)
    ]


def test_orders_that_are_replayed_reach_the_standby_that_commits_wait_for(pair: Lab) -> None:
    row = orphans.OrderRow(9, "k1", "ann", 1, 1, 5, "east", 1, "2026-01-02 03:04:05+00")
    done = reconcile.apply(pair, "run", [Orphan(row, "ok", "east_db1")])
    assert done.replayed == ("k1",)
    assert done.standby == "its synchronous standby has them too"


def _query(lab: Lab, statement: str) -> list[tuple[Any, ...]]:
    with lab.databases[EAST_DB2].connect(DATABASE) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def _orders(lab: Lab) -> set[tuple[object, ...]]:
    columns = ", ".join(name for name in orphans.COLUMNS if name not in ("id", "created_at"))
    found = _query(
        lab,
        f"SELECT {columns}, created_at::text FROM orders WHERE key <> 'replicated'",  # noqa: S608
    )
    return set(found)


def _as_replayed(left: Iterable[Orphan]) -> set[tuple[object, ...]]:
    return {
        (o.key, o.customer, o.product_id, o.quantity, o.unit_price_cents, o.region, o.attempts,
         o.created_at)
        for o in (each.order for each in left)
    }  # fmt: skip


def _disk(lab: Lab, docker_client: DockerClient, place: Place) -> dict[str, tuple[str, float]]:
    """SHA-256 and time of change of every file of a data directory."""
    container = docker_client.containers.get(lab.engine.container_name(place))
    chunks, _ = container.get_archive(f"{HOME}/data")
    found: dict[str, tuple[str, float]] = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            # The machine removes this one when it boots: it names a process that is gone.
            if file and member.name != "data/postmaster.pid":
                found[member.name] = (hashlib.sha256(file.read()).hexdigest(), member.mtime)
    assert any(name.startswith("data/pg_wal/0") for name in found)
    return found
