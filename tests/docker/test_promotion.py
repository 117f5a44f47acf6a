"""Promotion: what changes at once, what must be set before, and the trap of a dead standby."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sql import as_shop, rows, write_bulk, write_row

from lab.core.errors import LabError
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2
from lab.core.wait import wait_until
from lab.postgres.databases import DATABASE
from lab.postgres.following import prove_following
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
INSERT = "INSERT INTO readiness (app) VALUES (%s)"


def test_a_standby_refuses_a_write_by_its_sqlstate(steady: Lab) -> None:
    with as_shop(steady, EAST_DB2) as session, pytest.raises(psycopg.Error) as caught:
        session.execute(INSERT, ("refused",))
    assert caught.value.sqlstate == "25006"


def test_a_promoted_standby_writes_on_the_next_timeline_at_once(pair: Lab) -> None:
    node = pair.databases[EAST_DB2]
    pair.engine.kill([EAST_DB1])
    assert (node.state().role, node.state().timeline) == ("standby", 1)
    node.promote()
    state = node.state()  # not "soon": acknowledgements carry the timeline from the first one on
    assert (state.role, state.timeline) == ("primary", 2)
    with as_shop(pair, EAST_DB2) as session:
        session.execute(INSERT, ("promoted",))
    assert "promoted" in rows(pair, EAST_DB2)
    assert not node.is_standby_on_disk()


def test_promoting_a_primary_again_changes_nothing(breakable: Lab) -> None:
    node = breakable.databases[EAST_DB2]
    breakable.engine.kill([EAST_DB1])
    node.promote()
    node.promote()
    assert node.state().timeline == 2


def test_a_standby_of_another_node_that_was_promoted_alike_is_no_follower(breakable: Lab) -> None:
    """Both begin a timeline 2, and the longer one has every position of the other."""
    nodes = breakable.databases
    breakable.engine.kill([EAST_DB1])
    for place in (EAST_DB2, WEST_DB1):
        nodes[place].promote()
        assert nodes[place].state().timeline == 2
    write_bulk(breakable, WEST_DB1, "west")
    prove_following(nodes[WEST_DB1], [nodes[WEST_DB2]], 10)
    with pytest.raises(LabError, match="timeline 2 of another promotion"):
        prove_following(nodes[EAST_DB2], [nodes[WEST_DB2]], 10)


def test_promoting_a_server_that_does_not_run_is_an_error(pair: Lab) -> None:
    node = pair.databases[EAST_DB2]
    node.stop()
    with pytest.raises(LabError, match="pg_ctl promote"):
        node.promote()


def test_the_last_of_the_cascade_follows_its_promoted_upstream_by_itself(breakable: Lab) -> None:
    nodes = breakable.databases
    breakable.engine.kill([EAST_DB1, EAST_DB2])
    nodes[WEST_DB1].promote()
    write_row(breakable, WEST_DB1, "after")
    prove_following(nodes[WEST_DB1], [nodes[WEST_DB2]], 10)
    assert nodes[WEST_DB2].state().timeline == 2
    assert "after" in rows(breakable, WEST_DB2)
    breakable.engine.kill([WEST_DB1])
    wait_until("its receiver to end", lambda: not nodes[WEST_DB2].state().receiver, 10)
    assert nodes[WEST_DB2].state().timeline == 2  # its control file still says 1


def test_commits_hang_while_a_promoted_node_waits_for_a_dead_standby(pair: Lab) -> None:
    node = pair.databases[EAST_DB2]
    pair.engine.kill([EAST_DB1])
    node.set_synchronous(EAST_DB1)  # as one that copied its old primary's settings would have it
    node.promote()
    with as_shop(pair, EAST_DB2) as session, ThreadPoolExecutor(1) as pool:
        heard: list[str | None] = []
        session.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        write = pool.submit(session.execute, INSERT, ("freed",))
        try:
            wait_until("the commit to wait for the standby", lambda: _waiting(pair), 5)
            assert "freed" not in rows(pair, EAST_DB2)
            assert not write.done()
        finally:
            node.set_synchronous(None)
        write.result(timeout=5)
    assert heard == []  # freed, not cancelled
    assert "freed" in rows(pair, EAST_DB2)


def _waiting(lab: Lab) -> bool:
    found = lab.databases[EAST_DB2].query(
        "SELECT 1 FROM pg_stat_activity WHERE usename = 'shop' AND wait_event = 'SyncRep'",
        database=DATABASE,
    )
    return len(found) == 1
