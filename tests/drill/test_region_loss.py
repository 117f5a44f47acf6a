"""Losing a region, for real: what is lost is listed by key, and on no machine that is left."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import Cli, DrillRun

from lab.core.topology import DATABASES, PLACES
from lab.testbed.lab import Lab

pytestmark = [
    pytest.mark.drill,
    pytest.mark.family("drills", row="region-loss", always=True),
]


@pytest.fixture(scope="module")
def run(drilled: Callable[[str], DrillRun]) -> DrillRun:
    """One run, looked at by all tests of this file."""
    return drilled("region-loss")


def writes(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines())
    return {op["key"]: op for op in lines if op["record"] == "op" and op["kind"] == "write"}


def test_the_drill_passes_its_objectives(run: DrillRun) -> None:
    assert run.not_passed() == [], run.look_here
    assert run.code == {"pass": 0, "fail": 1, "unknown": 4}[str(run.result["verdict"])]


def test_the_record_has_as_many_operations_as_its_users_wrote_down(run: DrillRun) -> None:
    told = json.loads((run.folder / "inputs.json").read_text())["written"]
    lines = (json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines())
    recorded = Counter(op["population"] for op in lines if op["record"] == "op")
    assert set(told) == {"east", "west"}, run.look_here
    assert dict(recorded) == told, run.look_here


def test_every_lost_order_is_listed_by_its_key_and_was_acknowledged(run: DrillRun) -> None:
    """How many there are is for one link delay to decide; lag-15s is where they are certain."""
    lost = run.result["lost_ids"]
    assert isinstance(lost, list)
    assert len(lost) == run.result["lost"], run.look_here
    told = writes(run.folder)
    for key in lost:
        assert told[key]["outcome"] == "ok"
        assert told[key]["node"] == "east_db1"
        assert told[key]["timeline"] == 1


def test_a_lost_order_is_found_in_no_surviving_database_but_on_the_dead_one(run: DrillRun) -> None:
    for row in run.result["lost_writes"]:  # type: ignore[attr-defined]
        assert "east_db1" in row["found_on"], run.look_here
        assert not {"west_db1", "west_db2"} & set(row["found_on"])


def test_users_of_both_populations_came_back_for_good(run: DrillRun) -> None:
    rto = run.result["rto_seconds"]
    assert isinstance(rto, dict)
    assert set(rto) == {"east", "west", "max"}
    assert all(seconds is not None and seconds > 0 for seconds in rto.values()), run.look_here


def test_no_order_was_taken_by_two_primaries_or_twice(run: DrillRun) -> None:
    assert run.result["split_brain_writes"] == 0
    assert run.result["duplicated"] == 0
    assert run.result["unexpected"] == 0


def test_the_old_primary_was_known_to_be_dead_before_another_one_was_promoted(
    run: DrillRun,
) -> None:
    journal = json.loads((run.folder / "journal.json").read_text())
    at = {event["name"]: event["at"] for event in journal["events"]}
    steps = {step["name"]: step for step in journal["steps"]}
    assert all(step["evidence"] for step in journal["steps"])
    assert "east.db1's machine does not run" in steps["confirm"]["evidence"]
    assert at["fault_started"] < steps["confirm"]["ended"] <= steps["promote"]["started"]
    # The lab's own proof, of the whole region, may come later.
    assert at["fault_started"] < at["fault_proven"]


def test_new_acknowledgements_name_the_new_node_and_timeline(run: DrillRun) -> None:
    journal = json.loads((run.folder / "journal.json").read_text())
    back = next(e["at"] for e in journal["events"] if e["name"] == "restored")
    late = [op for op in writes(run.folder).values() if op["start"] > back and "node" in op]
    assert late
    assert {(op["node"], op["timeline"], op["region"]) for op in late} == {("west_db1", 2, "west")}


def test_the_run_folder_holds_everything(run: DrillRun) -> None:
    for name in ("history.jsonl", "journal.json", "result.json", "report.html", "stopwatch.jsonl"):
        assert (run.folder / name).stat().st_size > 0
    reads = {path.stem for path in (run.folder / "reads").iterdir()}
    assert reads == {place.server_name for place in DATABASES}
    assert {path.stem for path in (run.folder / "logs").iterdir()} == {p.container for p in PLACES}


def test_the_dead_primarys_own_log_holds_the_same_lost_writes(run: DrillRun) -> None:
    opinion = run.opinion("wal")
    assert opinion["verdict"] == "pass", run.look_here
    assert opinion["values"]["lost"] == run.result["lost"]
    assert opinion["values"]["disagreements"] == 0


def test_the_stopwatch_has_an_opinion_that_follows_from_its_figures(run: DrillRun) -> None:
    """Whether both agree within 50 ms is a question of timing, and for `make bench`."""
    opinion = run.opinion("stopwatch")
    apart = opinion["values"].get("apart", float("inf"))
    assert (opinion["verdict"] == "pass") == (apart <= opinion["tolerance"]), run.look_here


def test_every_lost_order_is_an_orphan_that_can_be_carried_over(run: DrillRun, cli: Cli) -> None:
    with (run.folder / "orphans.csv").open(newline="") as file:
        keys = {row["key"] for row in csv.DictReader(file)}
    assert set(run.result["lost_ids"]) <= keys  # type: ignore[call-overload]
    ran = cli("reconcile", str(run.folder), "--json")
    assert ran.returncode == 0, ran.stderr
    states = {each["key"]: each["state"] for each in json.loads(ran.stdout)["orphans"]}
    assert {states[key] for key in run.result["lost_ids"]} <= {"ready"}  # type: ignore[attr-defined]


def test_the_time_axis_shows_roles_lag_and_answers(run: DrillRun) -> None:
    samples = run.result["samples"]
    assert isinstance(samples, list)
    roles = {node["role"] for sample in samples for node in sample["nodes"]}
    assert {"primary", "standby"} < roles
    assert samples[0]["answers"].keys() == {"east", "west"}
    assert any(sample["answers"]["east"] is None for sample in samples), "east's resolver died"
    moved = [row for row in run.result["movements"] if row["honours_ttl"]]  # type: ignore[attr-defined]
    assert sum(row["users"] for row in moved) > 0


def test_the_lab_is_healed_afterwards(run: DrillRun, lab: Lab) -> None:
    assert all(lab.engine.running(place) for place in PLACES), run.look_here
    roles = {str(place): lab.databases[place].state().role for place in DATABASES}
    assert roles == {
        "east.db1": "primary", "east.db2": "standby", "west.db1": "standby", "west.db2": "standby",
    }  # fmt: skip
