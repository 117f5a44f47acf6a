"""A server is stopped in one of two ways, and started as what it is; never as a second primary."""

from __future__ import annotations

import pytest
from made_up_servers import MadeUp

from lab.core.errors import Refused, UnknownName
from lab.core.lineage import Position
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1


def test_a_clean_stop_says_where_the_wal_ends() -> None:
    made = MadeUp()
    assert made.do("stop") == (
        "east.db1's server was stopped: clean (pg_ctl stop -m fast); it was shut down in good"
        " order, and its WAL ends at 0/5000"
    )
    assert made[EAST_DB1].did == ["checkpoint", "stop fast"]


def test_a_stop_at_once_says_that_the_end_is_not_told() -> None:
    made = MadeUp()
    told = made.do("stop", mode="immediate")
    assert "immediate (pg_ctl stop -m immediate); east.db1 was not shut down in good order" in told
    assert made[EAST_DB1].did == ["stop immediate"]


def test_a_server_that_was_stopped_is_not_stopped_again() -> None:
    made = MadeUp()
    made.do("stop")
    assert made.do("stop").startswith("east.db1's server does not run: nothing is left to stop")
    assert "its WAL ends at 0/5000" in made.do("stop")
    assert made[EAST_DB1].did.count("stop fast") == 1
    made.kill(EAST_DB1)
    assert made.do("stop") == "east.db1's machine does not run: nothing is left to stop"


def test_a_stopped_primary_starts_as_primary_where_no_other_one_is() -> None:
    made = MadeUp()
    made.do("stop")
    assert made.do("start") == "east.db1 runs as a primary on timeline 1"
    assert made.do("start") == (
        "east.db1 runs as a primary on timeline 1 already: nothing is left to start"
    )


def test_a_stopped_standby_starts_beside_any_primary() -> None:
    made = MadeUp()
    made[EAST_DB2].stop("fast")
    assert made.do("start", node="east.db2") == "east.db2 runs as a standby on timeline 1"
    made[WEST_DB1].stop("fast")
    assert made.do("start", node="new").startswith("west.db1 runs as a standby")


def test_no_second_primary_is_started_beside_one_that_answers() -> None:
    made = MadeUp()
    made.do("stop")
    made[WEST_DB1].primary, made[WEST_DB1].here = True, Position(2, 0x6000, {1: 0x5000})
    with pytest.raises(Refused, match=r"west\.db1 is primary now: both would acknowledge orders"):
        made.do("start")
    assert not made[EAST_DB1].runs


def test_one_that_was_replaced_stays_down_also_while_its_successor_is_stopped() -> None:
    made = MadeUp()
    made.do("stop")
    made[WEST_DB1].primary, made[WEST_DB1].here = True, Position(2, 0x6000, {1: 0x5000})
    made[WEST_DB1].stop("fast")
    with pytest.raises(Refused, match=r"west\.db1 was promoted in its place, on timeline 2"):
        made.do("start")


def test_a_primary_is_not_started_while_another_disk_cannot_be_read() -> None:
    """The machine that does not run may hold a newer primary."""
    made = MadeUp()
    made.do("stop")
    made.kill(WEST_DB1)
    with pytest.raises(Refused, match=r"cannot ask west\.db1"):
        made.do("start")


def test_a_disk_that_is_no_database_is_not_started() -> None:
    made = MadeUp()
    made[EAST_DB2].stop("fast")
    made[EAST_DB2].whole = False
    with pytest.raises(Refused, match="its disk is no database") as caught:
        made.do("start", node="east.db2")
    assert "rebuild" in caught.value.next_step
    with pytest.raises(UnknownName):
        made.do("start", node="north.db1")
