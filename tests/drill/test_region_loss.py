"""Losing a region, for real: what is lost is listed by key, and on no machine that is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Cli, DrillRun

from lab.cluster import Lab
from lab.topology import DATABASES, PLACES

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def run(cli: Cli) -> Iterator[DrillRun]:
    """One run, looked at by all tests of this file."""
    ran = cli("drill", "region-loss", "--json", timeout=300)
    folder = max(cli.folder.glob("runs/*-region-loss*"), default=cli.folder)
    assert ran.returncode in {0, 1, 4}, f"look first at {folder}\n{ran.stderr}"
    yield DrillRun(ran.returncode, json.loads(ran.stdout), folder, ran.stderr)


def writes(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines())
    return {op["key"]: op for op in lines if op["record"] == "op" and op["kind"] == "write"}


def test_the_drill_passes_its_objectives(run: DrillRun) -> None:
    assert run.result["verdict"] == "pass", run.look_here
    assert run.code == 0


def test_some_acknowledged_orders_are_lost_and_each_one_is_listed_by_its_key(run: DrillRun) -> None:
    lost = run.result["lost_ids"]
    assert isinstance(lost, list)
    assert len(lost) == run.result["lost"] > 0, run.look_here
    told = writes(run.folder)
    for key in lost:
        assert told[key]["outcome"] == "ok"
        assert told[key]["node"] == "east_db1"
        assert told[key]["timeline"] == 1


def test_a_lost_order_is_found_in_no_surviving_database_but_on_the_dead_one(run: DrillRun) -> None:
    for row in run.result["lost_writes"]:  # type: ignore[attr-defined]
        assert "east_db1" in row["found_on"], run.look_here
        assert not {"west_db1", "west_db2"} & set(row["found_on"])


def test_users_of_both_populations_came_back_within_the_objective(run: DrillRun) -> None:
    rto = run.result["rto_seconds"]
    assert isinstance(rto, dict)
    assert set(rto) == {"east", "west", "max"}
    assert all(seconds is not None and seconds <= 10 for seconds in rto.values()), run.look_here


def test_no_order_was_taken_by_two_primaries_or_twice(run: DrillRun) -> None:
    assert run.result["split_brain_writes"] == 0
    assert run.result["duplicated"] == 0
    assert run.result["unexpected"] == 0


def test_the_fault_was_proven_before_anything_was_done_about_it(run: DrillRun) -> None:
    journal = json.loads((run.folder / "journal.json").read_text())
    at = {event["name"]: event["at"] for event in journal["events"]}
    promoted = next(step for step in journal["steps"] if step["name"] == "promote")
    assert at["fault_started"] < at["fault_proven"] < promoted["started"]
    assert all(step["evidence"] for step in journal["steps"])


def test_new_acknowledgements_name_the_new_node_and_timeline(run: DrillRun) -> None:
    journal = json.loads((run.folder / "journal.json").read_text())
    back = next(e["at"] for e in journal["events"] if e["name"] == "restored")
    late = [op for op in writes(run.folder).values() if op["start"] > back and op["node"]]
    assert late
    assert {(op["node"], op["timeline"], op["region"]) for op in late} == {("west_db1", 2, "west")}


def test_the_run_folder_holds_everything(run: DrillRun) -> None:
    for name in ("history.jsonl", "journal.json", "result.json", "report.html"):
        assert (run.folder / name).stat().st_size > 0
    assert {path.stem for path in (run.folder / "logs").iterdir()} == {p.container for p in PLACES}


def test_the_lab_is_healed_afterwards(run: DrillRun, lab: Lab) -> None:
    assert all(lab.engine.running(place) for place in PLACES), run.look_here
    roles = {str(place): lab.databases[place].state().role for place in DATABASES}
    assert roles == {
        "east.db1": "primary", "east.db2": "standby", "west.db1": "standby", "west.db2": "standby",
    }  # fmt: skip
