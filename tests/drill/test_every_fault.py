"""Every fault of the catalogue on a lab that works: proven, listed, repeated, healed.

A fault that did nothing would turn its row red twice: before it, no probe may see its effect; and
after it, one must.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import LAB_NAME, Cli, succeeded

from lab.core.errors import LabError
from lab.core.topology import Link, link
from lab.faults import acting
from lab.faults.catalogue import aimed, fault, faults
from lab.faults.row import Aimed, Fault, Takes
from lab.testbed.lab import Lab

pytestmark = pytest.mark.drill


OTHER_WORK = tuple(
    (row, link(name))
    for row in faults() if row.takes is Takes.LINKS
    for name in ("east:west:app", "west:east:cache")
    if not row.purposes or link(name).purpose.name in row.purposes
)  # fmt: skip
"""Faults of links on links that speak HTTP and RESP; by default most are on a database's."""


@pytest.fixture(scope="module")
def whole(cli: Cli) -> Iterator[Lab]:
    """One lab for all rows: each of them leaves it as it was."""
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as attached:
        yield attached
        attached.reset()


def seen(lab: Lab, aimed: Aimed) -> str | None:
    try:
        return aimed.fault.seen(lab, aimed.aim)
    except LabError:
        return None


def gone(lab: Lab, aimed: Aimed) -> str | None:
    try:
        return aimed.fault.gone(lab, aimed.aim)
    except LabError:
        return None


def fail_over(cli: Cli) -> None:
    """East's standby next door takes over, and the old primary stays down."""
    succeeded(cli("fault", "inject", "crash"))
    succeeded(cli("runbook", "run", "zone-failover", "--yes", "--fresh"))


LEFT = ("wal-gone", "wal-recycled", "replay-paused", "second-primary")


@pytest.mark.family("what faults leave", always=("replay-paused",))
@pytest.mark.parametrize("name", LEFT)
def test_a_lab_comes_up_although_nobody_healed(name: str, whole: Lab, cli: Cli) -> None:
    row = fault(name)
    if row.after_failover:
        fail_over(cli)
    acting.inject(whole, row.at())
    succeeded(cli("up"))
    whole.wait_ready()
    left = [each.name for each in acting.in_force(whole)]
    assert left == (["wal-recycled"] if name == "wal-recycled" else [])
    whole.reset()
    assert acting.in_force(whole) == ()


@pytest.mark.family("faults", always=("partition",))
@pytest.mark.parametrize("row", faults(), ids=lambda row: row.name)
def test_a_fault_is_proven_listed_not_done_twice_and_healed(
    row: Fault, whole: Lab, cli: Cli
) -> None:
    one = row.at()
    if row.after_failover:
        fail_over(cli)
    if row.name == "engine-restart" and whole.engine.strangers():
        with pytest.raises(LabError, match="not this lab's"):
            acting.inject(whole, one)
        return
    assert seen(whole, one) is None, "its effect is seen although nothing was done"
    done = acting.inject(whole, one)
    try:
        assert done.evidence
        assert not done.already
        assert row.name in [each.name for each in acting.in_force(whole)]
        assert acting.inject(whole, one).already
        assert gone(whole, one) is None, "it is said to be gone while it is in force"
    finally:
        healed = acting.heal(whole, one)
    assert healed.evidence
    assert acting.in_force(whole) == ()
    assert seen(whole, one) is None, "its effect is seen although it was healed"
    assert acting.heal(whole, one).already
    if row.after_failover:
        whole.reset()


@pytest.mark.family("faults of links", always=("delay-east:west:app",))
@pytest.mark.parametrize(("row", "where"), OTHER_WORK, ids=lambda each: each.name)
def test_a_fault_of_links_is_proven_and_healed_whatever_the_link_carries(
    row: Fault, where: Link, whole: Lab
) -> None:
    one = aimed(row, [where])
    assert seen(whole, one) is None, "its effect is seen although nothing was done"
    try:
        assert acting.inject(whole, one).evidence
    finally:
        assert acting.heal(whole, one).evidence
    assert acting.in_force(whole) == ()
