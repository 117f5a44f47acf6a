"""Who follows whom once a plan's new node is primary, and whom that waits for."""

from __future__ import annotations

import pytest

from lab.core.errors import UsageError
from lab.core.load import Load
from lab.core.lsn import format_lsn, parse_lsn
from lab.core.topology import (
    DATABASES,
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Replication,
)
from lab.runbooks.runbook import Plan
from lab.runbooks.takeover import topology_after

OVER = Plan(EAST_DB1, WEST_DB1)
NEAR = Plan(EAST_DB1, EAST_DB2)
TWIN = Follows(WEST_DB2, WEST_DB1)


@pytest.mark.parametrize(
    ("plan", "alive", "behind", "joined", "after"),
    [
        (OVER, DATABASES, {WEST_DB2}, True,
         Replication(WEST_DB1, WEST_DB2, (TWIN, Follows(EAST_DB2, WEST_DB1)))),
        (OVER, DATABASES, {WEST_DB2}, False, Replication(WEST_DB1, WEST_DB2, (TWIN,))),
        (OVER, {WEST_DB1, WEST_DB2}, set(), True, Replication(WEST_DB1, None, (TWIN,))),
        (OVER, {WEST_DB1}, {WEST_DB2}, True, Replication(WEST_DB1, None, ())),
        (OVER, {WEST_DB1, EAST_DB2}, {EAST_DB2}, True,
         Replication(WEST_DB1, None, (Follows(EAST_DB2, WEST_DB1),))),
        (NEAR, DATABASES, {EAST_DB1}, True,
         Replication(EAST_DB2, None, (Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1)))),
        (NEAR, {EAST_DB2, WEST_DB2}, set(), True,
         Replication(EAST_DB2, None, (Follows(WEST_DB2, EAST_DB2),))),
    ],
)  # fmt: skip
def test_the_new_primary_waits_for_its_twin_and_the_far_pair_is_a_chain(
    plan: Plan, alive: set[Place], behind: set[Place], joined: bool, after: Replication
) -> None:
    assert topology_after(plan, alive, behind, joined=joined) == after


def test_a_busier_load_has_both_rates_multiplied_and_nothing_else() -> None:
    assert Load(50.0, 10.0, 7, 0.2).times(0.5) == Load(25.0, 5.0, 7, 0.2)


@pytest.mark.parametrize(
    ("text", "lsn"), [("16/B374D848", 0x16B374D848), ("0/1", 1), ("1/FFFFFFFF", 0x1FFFFFFFF)]
)
def test_a_position_in_the_log_is_written_as_it_was_read(text: str, lsn: int) -> None:
    assert parse_lsn(text) == lsn
    assert format_lsn(lsn) == text


@pytest.mark.parametrize("text", ["16B374D848", "", "1/", "/1", "x/1"])
def test_what_is_no_position_in_the_log_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no LSN"):
        parse_lsn(text)


def test_a_load_counts_its_writes_and_its_reads() -> None:
    assert Load(50.0, 10.0).operations_per_second == 60.0
