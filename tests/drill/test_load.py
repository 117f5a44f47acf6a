"""Users at work while a person breaks the lab and runs a runbook: measured like a drill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import LAB_NAME, Cli, at_a_terminal, succeeded

from lab.core.wait import wait_until
from lab.records import journalfile
from lab.records.journalfile import Journal, MarkName
from lab.records.runfiles import JOURNAL, RESULT
from lab.testbed import underway

pytestmark = pytest.mark.drill


def measured(cli: Cli, *arguments: str) -> dict[str, Any]:
    """The result that a command prints; a machine that is too busy makes its verdict unknown."""
    ran = cli(*arguments, "--json")
    assert ran.returncode in {0, 4}, ran.stderr
    return dict(json.loads(ran.stdout))


@pytest.mark.family("load", row="by-hand", always=True)
def test_a_person_breaks_the_lab_and_reads_from_a_report_what_was_lost(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("load", "start", "--rate", "30"))
    try:
        again = cli("load", "start")
        assert (again.returncode, "users are at work since" in again.stderr) == (2, True)
        succeeded(cli("fault", "inject", "region-loss"))
        succeeded(cli("runbook", "run", "region-failover", "--yes"))
        succeeded(cli("psql", "west.db1", "-c", "SELECT count(*) FROM orders"))
        so_far = measured(cli, "report", "--live")
        assert "users are at work since" in succeeded(cli("load", "status")).stdout
        found = measured(cli, "load", "stop")
    finally:
        cli("load", "stop", "--discard")
        succeeded(cli("reset", "--yes"))
    assert (found["winner"], found["split_brain_writes"], found["unaccounted"]) == (
        "west_db1",
        0,
        0,
    )
    assert found["acknowledged"] >= so_far["acknowledged"] > 100
    [happened] = found["incidents"]
    assert happened["what"].startswith("region-loss")
    assert 0 < happened["rto_seconds"]["max"] < 60
    steps = [each["name"] for each in found["steps"]]
    assert steps[0] == "detect"
    assert steps[-2:] == ["announce", "psql at west.db1"]
    opinions = {each["name"]: each["verdict"] for each in found["opinions"]}
    assert opinions["wal"] == "pass"
    assert underway.kept(LAB_NAME) is None
    folder = max(cli.folder.glob("runs/*Z-load"))
    assert succeeded(cli("report", "--recompute", str(folder))).stdout.startswith("all ")
    assert "What happened" in (Path(folder) / "report.html").read_text()


@pytest.mark.family("load", row="reset")
def test_a_reset_measures_the_users_first_and_lets_them_begin_anew(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("load", "start", "--rate", "20"))
    try:
        first = underway.need(LAB_NAME)
        succeeded(cli("reset", "--yes"))
        assert underway.need(LAB_NAME).folder != first.folder
        assert json.loads((first.folder / "result.json").read_text())["lost"] == 0
        found = measured(cli, "load", "stop")
    finally:
        cli("load", "stop", "--discard")
    assert (found["lost"], found["unrecorded"]) == (0, 0)


@pytest.mark.family("load", row="drill")
def test_a_drill_ends_the_users_work_and_says_so(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("load", "start", "--rate", "20"))
    first = underway.need(LAB_NAME)
    ran = cli("drill", "dns-outage", "--json")
    assert ran.returncode in {0, 4}, ran.stderr
    assert "their record ends first" in ran.stderr
    assert (first.folder / "result.json").is_file()
    assert underway.kept(LAB_NAME) is None


WAITS = """\
name: waits
title: Two steps that wait
why: a fault that ends in the middle ends between two steps
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [healthy]
promotes: false
steps:
  - wait: {seconds: 8}
  - wait: {seconds: 8}
"""


@pytest.mark.family("load", row="fault-in-the-middle")
def test_a_fault_that_lasts_for_a_time_keeps_no_runbook_out_and_ends_in_its_middle(
    cli: Cli,
) -> None:
    succeeded(cli("up"))
    (cli.folder / "waits.yaml").write_text(WAITS)
    journal = underway_journal(cli)
    with cli.start("fault", "inject", "partition", "--for", "5s") as injecting:
        wait_until("the fault", lambda: journal().at(MarkName.FAULT_PROVEN) is not None, 60)
        succeeded(cli("runbook", "run", "waits.yaml", "--yes"))
        _, said = injecting.communicate(timeout=60)
    assert injecting.returncode == 0, said
    cli("load", "stop", "--discard")
    steps = [(each.name, each.started) for each in sorted(journal().steps, key=lambda s: s.started)]
    assert [name for name, _ in steps] == ["wait", "heal", "wait"]


def underway_journal(cli: Cli) -> Callable[[], Journal]:
    """The journal of a load that begins now."""
    succeeded(cli("load", "start", "--rate", "10"))
    path = underway.need(LAB_NAME).folder / JOURNAL
    return lambda: journalfile.from_file(path)


@pytest.mark.family("load", row="by-hand-drill")
def test_a_person_acts_in_a_drill_and_other_commands_are_in_its_record(cli: Cli) -> None:
    succeeded(cli("up"))
    with at_a_terminal(cli, "drill", "region-loss", "--manual") as person:
        person.reads_up_to("by hand> ", 120)
        assert "region-loss" in succeeded(cli("load", "status")).stdout
        refused = cli("reset", "--yes")
        assert (refused.returncode, "to run region-loss" in refused.stderr) == (4, True)
        person.types("step")
        person.reads_up_to("by hand> ", 60)
        succeeded(cli("runbook", "run", "region-failover", "--yes"))
        person.types("done")
        assert person.ends(180) in {0, 4}, person.seen
    found = json.loads((max(cli.folder.glob("runs/*-region-loss-by-hand")) / RESULT).read_text())
    steps = [each["name"] for each in sorted(found["steps"], key=lambda each: each["ended"])]
    assert steps[0] == "detect"
    assert steps[-2:] == ["announce", "by-hand"]
    assert steps.count("promote") == 1
    [happened] = found["incidents"]
    assert happened["what"].startswith("region-loss")
    assert (found["title"], found["winner"]) == ("Losing a region (by hand)", "west_db1")
    assert "--manual" in found["command"]
