"""What we promise of our runbooks, as ten tests. Copy this folder, and change it.

Run them with `pytest` (docs/pytest.md). Three tests need no lab. The others share one lab, and four
runs of it.
"""

import pytest

RUNBOOKS = (
    "runbooks/east-is-lost.yaml",
    "runbooks/zone-is-lost.yaml",
    "runbooks/planned-move.yaml",
)


# ── without a lab: what a runbook would do to users ──────────────────────────────────────────


def test_no_runbook_of_ours_can_lose_orders_by_its_sequence_of_steps(lab_check):
    for runbook in RUNBOOKS:
        assert lab_check(runbook).unsafe == ()


def test_promote_never_comes_before_fence(lab_check):
    for situation in ("region-dead", "partition", "unreachable"):
        found = lab_check("runbooks/east-is-lost.yaml", situation)
        assert found.steps.index("fence") < found.steps.index("promote")
        assert [line for line in found.unsafe if "promote" in line] == []


def test_a_runbook_without_a_fence_would_be_found_out(lab_check):
    found = lab_check("split-brain", "partition")  # it comes with the lab
    assert found.level == "unsafe"
    assert any("promote" in line for line in found.unsafe)


# ── a zone is lost: one run for all that is said about it ────────────────────────────────────


@pytest.fixture(scope="module")
def zone_loss(lab_up):
    """The primary's machine dies under load, and our runbook is run."""
    with lab_up("a zone is lost") as lab:
        lab.load(writes=50)
        lab.inject("zone-loss", node="east.db1")
        lab.run_runbook("runbooks/zone-is-lost.yaml")
        return lab.record()


def test_our_runbook_loses_nothing_in_a_zone_loss(zone_loss):
    assert zone_loss.lost == ()


def test_users_are_back_within_our_rto_after_a_zone_loss(zone_loss):
    assert zone_loss.rto <= 30


# ── a region is lost ─────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def region_loss(lab_up):
    """Everything in east dies under load, and our runbook is run."""
    with lab_up("east is lost") as lab:
        lab.load(writes=50)
        lab.inject("region-loss", region="east")
        lab.run_runbook("runbooks/east-is-lost.yaml")
        return lab.record()


def test_users_of_both_regions_are_back_within_our_rto(region_loss):
    assert region_loss.figure("rto_seconds.east") <= 30
    assert region_loss.figure("rto_seconds.west") <= 30


def test_a_lost_region_costs_at_most_five_seconds_of_orders(region_loss):
    assert region_loss.rpo <= 5
    for order in region_loss.result.lost_writes:
        assert order.found_on, f"no machine has order {order.key} any more"


def test_two_primaries_never_take_orders_at_once(region_loss):
    assert region_loss.split_brain_writes == 0
    assert region_loss.steps.index("fence") < region_loss.steps.index("promote")


# ── a run for each test ──────────────────────────────────────────────────────────────────────


def test_a_planned_move_loses_nothing_and_stops_orders_for_a_moment_only(lab):
    lab.load(writes=50)
    lab.run_runbook("runbooks/planned-move.yaml")
    record = lab.record()
    assert record.lost == ()
    assert record.figure("longest_gap_seconds") <= 15


def test_no_user_notices_when_replication_between_the_regions_is_cut(lab):
    lab.load(writes=50)
    lab.inject("refused", link="west:east:replication")
    lab.wait(5)
    record = lab.record()
    assert record.lost == ()
    assert record.figure("longest_gap_seconds") <= 2
