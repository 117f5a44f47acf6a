"""The drills beside region loss and zone loss: each shows what it is there to show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import impatient
import pytest
from running import Cli, DrillRun

from lab.core.topology import WEST_DB1
from lab.testbed.lab import Lab

pytestmark = pytest.mark.drill
Run = Callable[[str], DrillRun]


def passed(run: DrillRun) -> DrillRun:
    assert run.not_passed() == [], run.look_here
    return run


def step(run: DrillRun, name: str) -> str:
    """What a step saw."""
    found = {row["name"]: row["evidence"] for row in run.result["steps"]}  # type: ignore[attr-defined]
    return str(found[name])


def operations(run: DrillRun) -> Iterator[dict[str, Any]]:
    """What the users wrote down."""
    for line in (run.folder / "history.jsonl").read_text().splitlines():
        found = json.loads(line)
        if found["record"] == "op":
            yield found


@pytest.mark.family("drills", row="split-brain")
def test_without_a_fence_two_primaries_acknowledge_orders(drilled: Run) -> None:
    run = passed(drilled("split-brain"))
    assert run.result["split_brain_writes"] > 0  # type: ignore[operator]
    assert run.result["split_brain_seconds"] > 1  # type: ignore[operator]
    assert run.result["lost"] == len(run.result["lost_ids"]) > 0  # type: ignore[arg-type]
    assert run.opinion("wal")["verdict"] == "pass", run.look_here


@pytest.mark.family("drills", row="split-brain-fenced")
def test_with_a_fence_only_one_does(drilled: Run) -> None:
    run = passed(drilled("split-brain-fenced"))
    assert run.result["split_brain_writes"] == 0
    assert "a session that was open got: " in step(run, "fence")
    assert "committed" not in step(run, "fence")


@pytest.mark.family("drills", row="cut-43s")
def test_a_cut_that_heals_leaves_orders_on_both_sides(drilled: Run) -> None:
    run = passed(drilled("cut-43s"))
    assert "links answer" in step(run, "heal")
    nodes = {op.get("node") for op in operations(run) if op["kind"] == "write"}
    assert {"east_db1", "west_db1"} <= nodes
    assert run.opinion("wal")["verdict"] == "pass", run.look_here


@pytest.mark.family("drills", row="lag-15s")
def test_a_copy_that_is_15_s_behind_loses_15_s_of_orders(drilled: Run, cli: Cli) -> None:
    run = passed(drilled("lag-15s"))
    lost = set(run.result["lost_ids"])  # type: ignore[call-overload]
    assert len(lost) == run.result["lost"] > 100, run.look_here  # type: ignore[operator]
    assert run.result["rpo_seconds"] > 12  # type: ignore[operator]
    assert run.opinion("wal")["verdict"] == "pass", run.look_here
    told = {op["key"]: op for op in operations(run) if op["kind"] == "write"}
    assert {told[key]["outcome"] for key in lost} == {"ok"}
    assert {told[key]["timeline"] for key in lost} == {1}
    ran = cli("reconcile", str(run.folder), "--json")
    assert ran.returncode == 0, ran.stderr
    states = {each["key"]: each["state"] for each in json.loads(ran.stdout)["orphans"]}
    assert {states[key] for key in lost} == {"ready"}


@pytest.mark.family("drills", row="unreachable-primary")
def test_no_database_is_promoted_while_the_old_primary_cannot_be_fenced(drilled: Run) -> None:
    run = passed(drilled("unreachable-primary"))
    assert "no database is promoted" in step(run, "stand-down")
    roles = {view["node"]: view["role"] for view in run.result["after"]}  # type: ignore[attr-defined]
    assert roles["west.db1"] == "standby"


@pytest.mark.family("drills", row="frozen-primary")
def test_a_primary_that_thaws_after_its_replacement_takes_no_order(drilled: Run) -> None:
    run = passed(drilled("frozen-primary"))
    assert "primary on timeline 1" in step(run, "thaw")
    assert "committed" not in step(run, "prove-fence")
    assert run.result["split_brain_writes"] == 0


@pytest.mark.family("drills", row="gray-failure")
def test_the_deep_check_sees_what_the_shallow_one_does_not(drilled: Run) -> None:
    run = passed(drilled("gray-failure"))
    assert "the shallow check is green, the deep one red" in step(run, "compare-checks")


@pytest.mark.family("drills", row="standby-loss")
def test_a_primary_that_loses_its_standby_runs_alone_until_it_is_back(drilled: Run) -> None:
    run = passed(drilled("standby-loss"))
    assert "committed without its standby" in step(run, "compare-checks")
    assert "'ANY 1 (east_db2)' → ''" in step(run, "go-async")
    assert "'' → 'ANY 1 (east_db2)'" in step(run, "go-sync")
    journal = json.loads((run.folder / "journal.json").read_text())
    struck = next(each["at"] for each in journal["events"] if each["name"] == "fault_started")
    alone = next(each["started"] for each in journal["steps"] if each["name"] == "go-async")
    # The machine is dead half a second after the strike begins, or much earlier.
    waited = (op for op in operations(run) if struck + 0.5 < op["start"] and op["end"] < alone)
    assert not [op for op in waited if op["kind"] == "write" and op["outcome"] == "ok"]
    waits = {view["node"]: view.get("sync") for view in run.result["after"]}  # type: ignore[attr-defined]
    assert waits["east.db2"] is True


@pytest.mark.family("drills", row="visible-then-gone")
def test_orders_that_users_read_are_gone_and_none_that_was_answered_ok(drilled: Run) -> None:
    run = passed(drilled("visible-then-gone"))
    gone = run.result["seen_then_gone"]
    assert len(gone) > 0, run.look_here  # type: ignore[arg-type]
    assert {row["outcome"] for row in gone} <= {"local", "unknown"}  # type: ignore[attr-defined]
    assert run.result["lost"] == 0
    assert run.opinion("wal")["verdict"] == "pass", run.look_here
    # Before the failover only east's users could find them: west reads its own copy.
    keys = {row["key"] for row in gone}  # type: ignore[attr-defined]
    found = (op for op in operations(run) if op["kind"] == "read" and op.get("found"))
    assert {op["node"] for op in found if op["key"] in keys} == {"east_db1"}
    assert "machine does not run" in step(run, "confirm")


@pytest.mark.family("drills", row="way-back")
def test_the_way_back_is_felt_once_and_costs_no_order(drilled: Run) -> None:
    run = passed(drilled("way-back"))
    assert run.result["winner"] == "east_db1", run.look_here
    assert "14 steps" in step(run, "run-runbook")
    assert "orders that only east.db1 has" in step(run, "export-orphans")


def served(run: DrillRun) -> int:
    """Orders of east's users that were acknowledged while their resolver was dead."""
    journal = json.loads((run.folder / "journal.json").read_text())
    since = next(mark["at"] for mark in journal["events"] if mark["name"] == "fault_started")
    until = next(s["started"] for s in journal["steps"] if s["name"] == "restart-resolver")
    return sum(
        since + 2.5 < op["start"] < until and op["outcome"] == "ok"
        for op in operations(run)
        if op["kind"] == "write" and op["population"] == "east"
    )


@pytest.mark.family("drills", row="dns-outage")
def test_who_knows_two_resolvers_is_served_while_one_of_them_is_dead(drilled: Run) -> None:
    one, two = passed(drilled("dns-outage")), passed(drilled("dns-outage-two"))
    assert one.result["lost"] == two.result["lost"] == 0
    # Who ignores TTLs still has the address: a tenth of the users.
    assert served(two) > 3 * served(one), two.look_here


@pytest.mark.family("drills", row="zone-loss-async")
def test_an_asynchronous_zone_loss_promotes_as_the_synchronous_one_does(drilled: Run) -> None:
    run = passed(drilled("zone-loss-async"))
    assert "as soon as an order is on its own disk" in step(run, "wait-for-no-standby")


@pytest.mark.family("drills", row="wan-partition")
def test_a_silent_partition_is_noticed_much_later_than_one_that_is_told(
    drilled: Callable[..., DrillRun], cli: Cli, lab: Lab
) -> None:
    run = passed(drilled(impatient.DRILL.name, PYTHONPATH=impatient.installed(cli.folder)))
    ended = {row["name"]: row["ended"] for row in run.result["steps"]}  # type: ignore[attr-defined]
    # Seconds since the fault. What is on its way when it strikes is still heard.
    assert ended["detect"] > impatient.SECONDS * 2 / 3, run.look_here
    assert "partition: west.db1 noticed after" in step(run, "time-notice")
    # What the shipped drill waits for: the limit as PostgreSQL comes.
    assert lab.databases[WEST_DB1].query("SHOW wal_receiver_timeout") == [("1min",)]
