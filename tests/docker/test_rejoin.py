"""Slots, and following again: after a promotion, from too far behind, and from too far ahead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from shop.orders import PLACE
from sql import as_shop, rows, write_bulk, write_row

from lab.core.errors import LabError, Refused
from lab.core.topology import (
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Replication,
)
from lab.core.wait import wait_until
from lab.metrics.orphans import from_csv
from lab.postgres.following import prove_following
from lab.postgres.processes import HOME
from lab.postgres.salvage import Keep
from lab.runbooks.option import Value
from lab.runbooks.runbook import Plan
from lab.steps.context import Context, Ending
from lab.steps.lagging import _check_lag
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
ZONE_LOST = Replication(
    primary=EAST_DB2,
    synchronous=None,
    follows=(Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1)),
)


def test_a_promoted_node_lacks_its_followers_slot_until_it_is_made(pair: Lab) -> None:
    node = pair.databases[EAST_DB2]
    pair.engine.kill([EAST_DB1])
    node.promote()
    assert node.state().slots == ()
    assert set(node.ensure_slots([WEST_DB1, EAST_DB1])) == {"east_db1", "west_db1"}
    assert node.ensure_slots([WEST_DB1, EAST_DB1]) == ()
    assert node.state().slots == ("east_db1", "west_db1")


def test_after_zone_loss_the_other_region_follows_the_new_primary(breakable: Lab) -> None:
    breakable.engine.kill([EAST_DB1])
    breakable.databases[EAST_DB2].promote()
    breakable.publish(ZONE_LOST)
    how = breakable.databases.follow(Follows(WEST_DB1, EAST_DB2), EAST_DB2)
    assert how == "re-pointed"
    _assert_follows(breakable, WEST_DB1, EAST_DB2)
    _assert_follows(breakable, WEST_DB2, EAST_DB2)


def test_unused_slots_are_dropped_and_used_ones_stay(breakable: Lab) -> None:
    node = breakable.databases[EAST_DB1]
    node.ensure_slots([WEST_DB2])
    node.drop_slots_except([EAST_DB2])
    assert node.state().slots == ("east_db2", "west_db1")  # west_db1's is in use


def test_a_standby_whose_slot_was_lost_follows_again(pair: Lab) -> None:
    standby = pair.databases[EAST_DB2]
    standby.stop()
    _outrun(pair, EAST_DB1, EAST_DB2)
    write_row(pair, EAST_DB1, "missed")
    how = pair.databases.follow(Follows(EAST_DB2, EAST_DB1), EAST_DB1, timeout=2)
    assert how.startswith("rebuilt")
    _assert_follows(pair, EAST_DB2, EAST_DB1)
    assert "missed" in rows(pair, EAST_DB2)
    assert standby.state().server_name == "east_db2"


def test_a_lost_slot_is_made_anew(pair: Lab) -> None:
    pair.databases[EAST_DB2].stop()
    _outrun(pair, EAST_DB1, EAST_DB2)
    assert pair.databases[EAST_DB1].ensure_slots([EAST_DB2]) == ("east_db2",)
    assert "east_db2" in pair.databases[EAST_DB1].state().slots


def test_an_old_primary_is_rewound_and_is_still_itself(pair: Lab) -> None:
    nodes = pair.databases
    nodes[EAST_DB2].promote()  # while the old primary lives: a split brain
    write_bulk(pair, EAST_DB1, "old-brain")
    write_row(pair, EAST_DB2, "new-brain")
    nodes[EAST_DB2].ensure_slots([EAST_DB1])
    upstream = nodes.upstream(Follows(EAST_DB1, EAST_DB2))
    nodes[EAST_DB1].write_identity(upstream, None)
    nodes[EAST_DB1].rewind_to(upstream)
    _assert_follows(pair, EAST_DB1, EAST_DB2)
    assert {"new-brain"} == rows(pair, EAST_DB1) & {"new-brain", "old-brain"}
    _assert_is_itself(pair, EAST_DB1, EAST_DB2)


def test_a_primary_that_handed_over_in_good_order_follows_and_is_not_said_to_be_rewound(
    pair: Lab,
) -> None:
    nodes = pair.databases
    nodes[EAST_DB1].stop()
    end = nodes[EAST_DB1].end_of_shutdown()
    wait_until("all of it to arrive", lambda: nodes[EAST_DB2].state().received >= end, 10)
    nodes[EAST_DB2].promote()
    assert nodes.follow(Follows(EAST_DB1, EAST_DB2), EAST_DB2) == "re-pointed"
    _assert_follows(pair, EAST_DB1, EAST_DB2)


def test_an_old_primary_that_runs_on_is_never_mistaken_for_a_follower(
    pair: Lab, tmp_path: Path
) -> None:
    nodes = pair.databases
    nodes[EAST_DB2].promote()
    write_bulk(pair, EAST_DB1, "old-brain")  # its WAL is longer than the new primary's
    _order(pair, EAST_DB1, "acknowledged")
    how = nodes.follow(Follows(EAST_DB1, EAST_DB2), EAST_DB2, Keep(tmp_path), timeout=2)
    assert how.startswith("rewound; 1 order that only east.db1 has: ")
    assert _kept(tmp_path) == {"east_db1-timeline-1": {"acknowledged"}}
    _assert_follows(pair, EAST_DB1, EAST_DB2)
    assert "old-brain" not in rows(pair, EAST_DB1)
    _assert_is_itself(pair, EAST_DB1, EAST_DB2)


def _context(lab: Lab, options: Mapping[str, Value]) -> Context:
    plan, none = Plan(EAST_DB1, EAST_DB2), cast("Any", None)
    return Context(lab, lab, plan, Ending(lab, plan), none, options)


def test_a_standby_ahead_of_the_fork_is_read_and_rewound_before_it_follows(
    breakable: Lab, tmp_path: Path
) -> None:
    nodes, keep = breakable.databases, Keep(tmp_path)
    nodes[EAST_DB2].stop()
    write_bulk(breakable, EAST_DB1, "only-west-has-it")
    _order(breakable, EAST_DB1, "acknowledged")
    prove_following(nodes[EAST_DB1], [nodes[WEST_DB1]], 10)
    breakable.engine.kill([EAST_DB1])
    nodes[EAST_DB2].start()
    options = {"rpo": 300, "accept_loss": False}
    # Nothing tells how long the primary went on: a person must accept a loss of unknown size.
    told = (
        r"east\.db1 cannot be asked\. west\.db1 has [\d,]+ B beyond that: \d+ commits? over .*"
        r"is unknown"
    )
    with pytest.raises(Refused, match=told):
        _check_lag(_context(breakable, options))
    nodes[EAST_DB2].promote()
    assert nodes[WEST_DB1].lsn() > nodes[EAST_DB2].lsn()
    breakable.publish(ZONE_LOST)
    how = nodes.follow(Follows(WEST_DB1, EAST_DB2), EAST_DB2, keep, timeout=2)
    assert how.startswith(("rewound", "rebuilt"))
    assert _kept(tmp_path) == {"west_db1-timeline-1": {"acknowledged"}}
    _assert_follows(breakable, WEST_DB1, EAST_DB2)
    assert "only-west-has-it" not in rows(breakable, WEST_DB1)
    # What followed it had the same rows, and the slot it used is gone: it needs the same.
    assert nodes.follow(Follows(WEST_DB2, WEST_DB1), EAST_DB2, keep, timeout=2) != "re-pointed"
    assert _kept(tmp_path)["west_db2-timeline-1"] == {"acknowledged"}
    _assert_follows(breakable, WEST_DB2, EAST_DB2)
    assert "only-west-has-it" not in rows(breakable, WEST_DB2)


def test_a_node_that_received_nothing_is_not_called_a_follower(pair: Lab) -> None:
    nodes = pair.databases
    nodes[EAST_DB2].promote()
    write_bulk(pair, EAST_DB1, "ahead")
    with pytest.raises(LabError, match=r"east\.db1 to replay"):
        prove_following(nodes[EAST_DB2], [nodes[EAST_DB1]], 1)


def test_what_cannot_be_read_is_not_given_up(pair: Lab) -> None:
    nodes = pair.databases
    nodes[EAST_DB2].promote()
    _order(pair, EAST_DB1, "unreadable")
    nodes[EAST_DB1].stop()
    pair.engine.run(EAST_DB1, ["mv", f"{HOME}/data/base", f"{HOME}/data/elsewhere"])
    arrow = Follows(EAST_DB1, EAST_DB2)
    with pytest.raises(LabError, match=r"what only east\.db1 has cannot be read"):
        nodes.follow(arrow, EAST_DB2, timeout=2)
    pair.engine.run(EAST_DB1, ["test", "-d", f"{HOME}/data/elsewhere"])
    how = nodes.follow(arrow, EAST_DB2, Keep(unread=True), timeout=2)
    assert "what only east.db1 has was abandoned unread" in how
    _assert_follows(pair, EAST_DB1, EAST_DB2)


def _order(lab: Lab, place: Place, key: str) -> None:
    with as_shop(lab, place) as session:
        session.execute("SET synchronous_commit = local")
        session.execute(PLACE, (key, "ann", 2, "east", 1))


def _kept(folder: Path) -> dict[str, set[str]]:
    """Keys of the orders that were written down, by what the file is named after."""
    return {
        path.stem.removeprefix("orphans-"): {
            each.order.key for each in from_csv(path.read_text(), str(path))
        }
        for path in folder.glob("orphans-*.csv")
    }


def _assert_follows(lab: Lab, standby: Place, primary: Place) -> None:
    """By a row that is written now: the strongest proof that there is."""
    key = f"proof-{standby.server_name}"
    write_row(lab, primary, key)
    wait_until(f"{standby} to have {key}", lambda: key in rows(lab, standby), 10)


def _assert_is_itself(lab: Lab, standby: Place, upstream: Place) -> None:
    node, name = lab.databases[standby], standby.server_name
    assert node.state().server_name == name
    assert node.query("SHOW primary_slot_name") == [(name,)]
    senders = lab.databases[upstream].query(
        "SELECT s.application_name, r.active FROM pg_stat_replication AS s"
        " JOIN pg_replication_slots AS r ON r.active_pid = s.pid WHERE r.slot_name = %s",
        (name,),
    )
    assert senders == [(name, True)]


def _outrun(lab: Lab, primary: Place, standby: Place) -> None:
    """Write more WAL than is kept for a standby that is away, until its slot is lost."""
    node = lab.databases[primary]
    with node.connect() as session:
        session.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        session.execute("ALTER SYSTEM SET wal_keep_size = 0")
        session.execute("SELECT pg_reload_conf()")
        for _ in range(4):
            session.execute("SELECT pg_logical_emit_message(true, 'bulk', 'x'), pg_switch_wal()")
    wait_until(
        "the slot to be lost",
        lambda: node.query("CHECKPOINT") == [] and standby.server_name not in node.state().slots,
        10,
    )
