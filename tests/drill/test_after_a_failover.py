"""After a failover, under load: the way back, a second loss, and what waiting or a lag costs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from running import Cli, DrillRun, succeeded

from lab.metrics.orphans import from_csv
from lab.runbooks import shipped

pytestmark = pytest.mark.drill

FELT = """\
felt:
  longest_gap_seconds: 30s
  longest_read_gap_seconds: 30s
  p99_before.east: 5s
  p99_before.west: 5s
"""
"""What users feel. Limits that a busy machine keeps, too: here it is that they are judged."""


def rehearsed(cli: Cli, book: str, where: str, *more: str) -> DrillRun:
    ran = cli("runbook", "run", book, "--scenario", where, "--json", *more, timeout=400)
    folder = max(cli.folder.glob(f"runs/*Z-runbook-*-{where}"), default=cli.folder)
    assert ran.returncode in {0, 1, 4} and ran.stdout, f"look first at {folder}\n{ran.stderr}"
    return DrillRun(ran.returncode, json.loads(ran.stdout), folder, ran.stderr)


def passed(run: DrillRun) -> Any:
    assert run.not_passed() == [], run.look_here
    return run.result


def saved(folder: Path) -> set[str]:
    """Orders that steps saved before they overwrote a node."""
    files = folder.glob("orphans-*.csv")
    return {each.order.key for path in files for each in from_csv(path.read_text(), str(path))}


def evidence(result: Any, step: str) -> str:
    return str({row["name"]: row["evidence"] for row in result["steps"]}[step])


def primaries(views: Any) -> list[str]:
    return [each["node"] for each in views if each["role"] == "primary"]


@pytest.mark.family("after-a-failover", row="west-to-east", always=True)
def test_west_is_lost_and_east_takes_over(cli: Cli) -> None:
    run = rehearsed(cli, "region-failover-west", "region-dead")
    found = passed(run)
    assert primaries(found["before"]) == ["west.db1"]
    assert found["winner"] == "east_db1"
    assert found["lost_earlier"] == 0
    assert {row["node"] for row in found["lost_writes"]} <= {"west_db1"}, run.look_here
    assert all(seconds > 0 for seconds in found["rto_seconds"].values()), run.look_here


@pytest.mark.family("after-a-failover", row="failback")
def test_the_way_back_loses_nothing_but_what_the_loss_had_cost(cli: Cli) -> None:
    (cli.folder / "felt.yaml").write_text(FELT)
    run = rehearsed(cli, "failback", "returned", "--targets", "felt.yaml")
    found = passed(run)
    assert (primaries(found["before"]), found["winner"]) == (["west.db1"], "east_db1")
    assert found["lost"] == found["split_brain_writes"] == 0
    assert {*found["lost_earlier_ids"]} <= saved(run.folder), run.look_here
    judged = {row["name"] for row in found["objectives"] if "target set felt" in row["why"]}
    assert len(judged) >= 4, found["objectives"]
    assert (run.folder / "journal-1-region-failover.json").is_file()


@pytest.mark.family("after-a-failover", row="zone-failback")
def test_the_old_primary_of_a_zone_takes_over_again(cli: Cli) -> None:
    found = passed(rehearsed(cli, "zone-failback", "zone-returned"))
    assert (primaries(found["before"]), found["winner"]) == (["east.db2"], "east_db1")
    assert found["lost"] == found["lost_earlier"] == 0


@pytest.mark.family("after-a-failover", row="survivor-lost")
def test_the_survivor_is_lost_while_the_first_region_is_being_restored(cli: Cli) -> None:
    run = rehearsed(cli, "region-failover-west", "survivor-lost")
    found = passed(run)
    assert (primaries(found["before"]), found["winner"]) == (["west.db1"], "east_db1")
    assert {row["node"] for row in found["lost_writes"]} <= {"west_db1"}, run.look_here
    assert {*found["lost_earlier_ids"]} <= saved(run.folder), run.look_here


@pytest.mark.family("after-a-failover", row="frozen-20s")
def test_a_frozen_primary_is_waited_for_or_replaced_and_both_have_a_price(cli: Cli) -> None:
    waited = rehearsed(cli, "sit-out-freeze", "primary-frozen")
    promoted = rehearsed(cli, "zone-failover", "primary-frozen")
    waiting, replacing = passed(waited), passed(promoted)
    assert waiting["lost"] == replacing["lost"] == 0
    assert waiting["rto_seconds"]["max"] > 19.0, waited.look_here
    assert primaries(waiting["after"]) == ["east.db1"]
    assert primaries(replacing["after"]) == ["east.db2"]
    names = str(waited.folder), str(promoted.folder)
    told = succeeded(cli("report", "--compare", *names)).stdout
    assert "RTO" in told


@pytest.mark.family("after-a-failover", row="standby-frozen")
def test_a_standby_that_freezes_after_the_promotion_is_named_and_no_fence_waits_for_it(
    cli: Cli,
) -> None:
    ran = cli("drill", "region-loss", "--with", "freeze node=west.db2 at=repoint", "--json")
    assert ran.returncode == 1, ran.stderr
    found = json.loads(ran.stdout)
    [ended] = [row for row in found["objectives"] if row["name"] == "runbook_finished"]
    assert ended["detail"].startswith("the runbook stopped at verify: "), ended
    held_up = "west.db1 acknowledges no order before west.db2 has it, and west.db2 does not answer"
    assert held_up in ended["detail"]
    steps = {row["name"]: row for row in found["steps"]}
    assert (steps["fence"]["outcome"], steps["promote"]["outcome"]) == ("done", "done")
    assert steps["fence"]["ended"] <= steps["promote"]["started"]
    assert found["rto_seconds"]["max"] is None


@pytest.mark.family("after-a-failover", row="lag-announced")
def test_a_loss_beyond_the_rpo_stops_the_runbook_and_is_what_was_announced(cli: Cli) -> None:
    shipped_one = shipped.find("region-failover").read_text()
    assert "rpo: 5m" in shipped_one
    book = shipped_one.replace("rpo: 5m", "rpo: 5s").replace("name: region-failover", "name: rpo")
    (cli.folder / "rpo.yaml").write_text(book)
    held = ("--with", "lag-hold amount=15s")
    stopped = rehearsed(cli, "rpo.yaml", "region-dead", *held)
    [ended] = [each for each in stopped.not_passed() if each.startswith("runbook_finished")]
    assert "the runbook stopped at check-lag" in ended
    assert "That is more than the RPO of 5.00 s" in ended
    assert primaries(stopped.result["after"]) == []  # nothing was promoted
    accepted = rehearsed(cli, "rpo.yaml", "region-dead", *held, "--accept-loss")
    found = passed(accepted)
    told = re.search(r"([\d.]+) s of orders would be lost", evidence(found, "check-lag"))
    assert told, accepted.look_here
    assert "That loss was accepted (accept_loss)" in evidence(found, "check-lag")
    assert abs(float(told[1]) - found["rpo_seconds"]) <= 1.0, accepted.look_here
    assert found["lost"] > 100
