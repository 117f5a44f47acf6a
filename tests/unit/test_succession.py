"""Who may be primary, told by what stands on four disks."""

from __future__ import annotations

import pytest
from made_up_disks import (
    ADDRESSES,
    BEHIND_EAST,
    BEHIND_WEST,
    DEFAULT,
    PRIMARY,
    REGION_LOST,
    SWITCHED_OVER,
    standby,
)

from lab.core.errors import LabError
from lab.core.topology import (
    DATABASES,
    DEFAULT_REPLICATION,
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
)
from lab.postgres.succession import Disk, Succession
from lab.testbed.wayback import left_down, way


def found(disks: dict[Place, Disk], *running: Place) -> Succession:
    return Succession(disks, frozenset(running))


@pytest.mark.parametrize(
    ("disks", "heir"),
    [(DEFAULT, EAST_DB1), (SWITCHED_OVER, WEST_DB1), (REGION_LOST, WEST_DB1)],
    ids=["default", "switched-over", "region-lost"],
)
def test_the_heir_is_known_whether_it_runs_or_all_has_stopped(
    disks: dict[Place, Disk], heir: Place
) -> None:
    assert found(disks).heir == found(disks, heir).heir == heir


def test_an_old_primary_is_replaced_by_the_one_that_was_promoted() -> None:
    after = found(REGION_LOST, WEST_DB1)
    assert after.replaced == {EAST_DB1: WEST_DB1}
    assert after.told(EAST_DB1) == (
        "east.db1 stays down: west.db1 was promoted in its place, on timeline 2"
    )
    assert found(DEFAULT).replaced == found(SWITCHED_OVER).replaced == {}
    assert found(DEFAULT).problem == ""


def test_three_databases_are_told_as_a_list() -> None:
    three = found(DEFAULT, EAST_DB1, WEST_DB1, WEST_DB2)
    assert three.problem == "east.db1, west.db1 and west.db2 run as primary at the same time"
    assert "ask east.db2, west.db1 and west.db2, whose" in found({EAST_DB1: PRIMARY}).problem


def test_an_old_primary_is_known_as_replaced_also_while_another_disk_cannot_be_read() -> None:
    disks = {place: disk for place, disk in REGION_LOST.items() if place != EAST_DB2}
    assert found(disks).replaced == {EAST_DB1: WEST_DB1}


@pytest.mark.parametrize(
    ("disks", "running", "problem"),
    [
        (
            REGION_LOST, [EAST_DB1, WEST_DB1],
            "east.db1 and west.db1 run as primary at the same time",
        ),
        (
            REGION_LOST, [EAST_DB1],
            "east.db1 runs as primary, although west.db1 was promoted in its place, on timeline 2",
        ),
        (
            {**DEFAULT, EAST_DB2: PRIMARY}, [],
            "east.db1 and east.db2 were both primary on timeline 1",
        ),
        ({**DEFAULT, EAST_DB1: standby("")}, [], "no database was primary when it stopped"),
        (
            {EAST_DB1: standby("")}, [],
            "no database was primary when it stopped; the machine of east.db2, west.db1 and"
            " west.db2 does not run",
        ),
        (
            {**DEFAULT, WEST_DB2: standby("", 2)}, [],
            "east.db1 was primary on timeline 1, and west.db2 knows of timeline 2",
        ),
        (
            {EAST_DB1: PRIMARY, WEST_DB2: standby("", 2)}, [EAST_DB1],
            "east.db1 was primary on timeline 1, and west.db2 knows of timeline 2; the machine of"
            " east.db2 and west.db1 does not run",
        ),
        (
            {EAST_DB1: PRIMARY, EAST_DB2: standby("")}, [],
            "east.db1 was primary and is not started: the lab cannot ask west.db1 and west.db2,"
            " whose machine does not run, whether it was promoted meanwhile",
        ),
    ],
)  # fmt: skip
def test_no_database_is_the_heir_while_another_one_may_be(
    disks: dict[Place, Disk], running: list[Place], problem: str
) -> None:
    doubtful = found(disks, *running)
    assert doubtful.heir is None
    assert doubtful.problem == problem
    with pytest.raises(LabError, match="lab status"):
        doubtful.refuse_doubt()


def test_a_primary_that_runs_needs_no_word_of_machines_that_do_not() -> None:
    assert found({EAST_DB1: PRIMARY}, EAST_DB1).heir == EAST_DB1
    rival = {**REGION_LOST, EAST_DB2: Disk(False, 2)}
    assert found(rival, WEST_DB1).heir == WEST_DB1
    assert found(rival).heir is None
    assert set(found(rival).left_down) == {EAST_DB1}
    assert set(found(rival, WEST_DB1).left_down) == {EAST_DB1, EAST_DB2}
    assert found(rival, WEST_DB1).told(EAST_DB2) == (
        "east.db2 stays down: west.db1 runs, and both were promoted to timeline 2"
    )


def test_what_a_cut_rewind_left_is_started_by_no_command_and_in_no_ones_way() -> None:
    cut = {**REGION_LOST, EAST_DB1: Disk(False, 2, whole=False)}
    for after in (found(cut), found(cut, WEST_DB1)):
        assert after.heir == WEST_DB1
        assert after.left_down == (EAST_DB1,)
        assert "its disk holds no database" in after.told(EAST_DB1)
    given_up = found({**DEFAULT, EAST_DB2: Disk(True, 2, ADDRESSES.inside(EAST_DB1), whole=False)})
    assert (given_up.heir, given_up.left_down) == (EAST_DB1, (EAST_DB2,))
    assert given_up.topology(ADDRESSES).members == {EAST_DB1, WEST_DB1, WEST_DB2}


def test_of_each_that_stays_down_it_is_told_what_leads_out() -> None:
    cut = {**REGION_LOST, EAST_DB2: Disk(True, 1, whole=False)}
    assert left_down(found(cut, WEST_DB1)) == (
        "east.db1 stays down: west.db1 was promoted in its place, on timeline 2; orders"
        " that exist only there stay on its disk. The failback: lab runbook run failback",
        "east.db2 stays down: a copy or rewind of it was interrupted, and its disk holds no"
        " database. The runbook that began it ends it: run it again",
    )
    assert way(WEST_DB2, EAST_DB1) == (
        "No shipped runbook makes east.db1 follow west.db2 again: write one with the steps of"
        " failback (lab runbook show failback)"
    )


@pytest.mark.parametrize(
    ("lines", "disk"),
    [
        (["timeline 1"], PRIMARY),
        (["standby", "follows 10.91.1.11", "timeline 1"], standby("10.91.1.11")),
        # A promotion that came to no checkpoint: its history is there already.
        (["timeline 1", "00000002", "0000001F"], Disk(False, 31)),
        # A copy that was cut, and a rewind: it has brought the new timeline's history.
        (["standby", "follows 10.91.1.11"], Disk(True, 0, "10.91.1.11", whole=False)),
        (["torn", "timeline 1", "00000002"], Disk(False, 2, whole=False)),
        ([], Disk(False, 0, whole=False)),
    ],
)
def test_a_disk_is_read_from_what_its_machine_says(lines: list[str], disk: Disk) -> None:
    assert Disk.said_by(lines) == disk


def test_the_topology_is_the_one_that_the_nodes_settings_describe() -> None:
    default = found(DEFAULT).topology(ADDRESSES)
    assert (default.primary, set(default.follows)) == (EAST_DB1, {*DEFAULT_REPLICATION.follows})
    over = found(SWITCHED_OVER).topology(ADDRESSES)
    assert over.primary == WEST_DB1
    assert set(over.follows) == {
        Follows(WEST_DB2, WEST_DB1), Follows(EAST_DB1, WEST_DB1), Follows(EAST_DB2, EAST_DB1),
    }  # fmt: skip
    assert over.head_of(EAST) == EAST_DB1


def test_behind_the_gateway_is_the_node_that_brings_wal_into_that_region() -> None:
    across = {
        EAST_DB1: standby(ADDRESSES.inside(EAST_DB2)),
        EAST_DB2: standby(BEHIND_WEST),
        WEST_DB1: PRIMARY,
        WEST_DB2: standby(BEHIND_EAST),
    }
    assert set(found(across).topology(ADDRESSES).follows) == {
        Follows(EAST_DB1, EAST_DB2), Follows(EAST_DB2, WEST_DB1), Follows(WEST_DB2, EAST_DB2),
    }  # fmt: skip


def test_what_follows_no_node_of_the_topology_is_left_out() -> None:
    lost = found(REGION_LOST).topology(ADDRESSES)
    assert lost.members == {WEST_DB1, WEST_DB2}
    assert lost.head_of(EAST) == WEST_DB1
    circle = {
        **SWITCHED_OVER,
        EAST_DB1: standby(ADDRESSES.inside(EAST_DB2), 2),
    }
    assert found(circle).topology(ADDRESSES).members == {WEST_DB1, WEST_DB2}
    assert set(DATABASES) > found(circle).topology(ADDRESSES).members
