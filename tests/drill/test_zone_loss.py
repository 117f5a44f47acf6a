"""Losing the primary's zone: nothing that was answered ok is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from running import DrillRun

pytestmark = [pytest.mark.drill, pytest.mark.family("drills", row="zone-loss")]


def test_nothing_answered_ok_is_lost_and_west_follows_the_new_primary(
    drilled: Callable[[str], DrillRun],
) -> None:
    run = drilled("zone-loss")
    assert run.not_passed() == [], run.look_here
    assert run.opinion("wal")["verdict"] == "pass", run.look_here
    assert run.result["lost"] == 0
    assert run.result["acknowledged"] > 0  # type: ignore[operator]
    after = {view["node"]: view for view in run.result["after"]}  # type: ignore[attr-defined]
    assert after["east.db2"]["role"] == "primary", run.look_here
    assert after["east.db2"]["timeline"] == 2
    assert after["west.db1"]["follows"] == "east.db2"
    assert after["west.db2"]["follows"] == "west.db1"
    steps = {step["name"]: step for step in run.result["steps"]}  # type: ignore[attr-defined]
    assert "fresh WAL reaches west.db1, west.db2" in steps["refollow"]["evidence"]
