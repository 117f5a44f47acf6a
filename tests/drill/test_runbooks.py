"""Runbooks on a real lab: what was predicted is what users see, and there is a way back."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running import LAB_NAME, Cli, advised, succeeded

from lab.core.errors import LabError
from lab.core.topology import DATABASES, DEFAULT_REPLICATION, EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2
from lab.core.wait import wait_until
from lab.drills import runner
from lab.faults import acting
from lab.metrics.orphans import from_csv
from lab.runbooks import permutations, runbookfile, shipped
from lab.runbooks.runbook import Runbook
from lab.steps.catalogue import looks, vocabulary
from lab.testbed import runbookprogress
from lab.testbed.lab import Lab
from lab.testbed.runbookprogress import Progress

pytestmark = pytest.mark.drill


def roles(lab: Lab) -> dict[str, str]:
    return {str(place): lab.databases[place].state().role for place in DATABASES}


@pytest.fixture(scope="module")
def matrix_cli(cli: Cli) -> Iterator[Cli]:
    """For matrices: the lab that they make beside the ordinary one is gone at the end."""
    yield cli
    cli("down", "--yes", "--name", f"{LAB_NAME}-m1")


COVERING = [(order, where) for where in permutations.SCENARIOS for order in permutations.covering()]
"""Orders that have every pair of steps both ways, in each situation."""


@pytest.mark.family("orders", always=("PSTWR-partition",))
@pytest.mark.parametrize(("order", "where"), COVERING)
def test_orders_that_have_every_pair_both_ways_do_what_was_predicted(
    matrix_cli: Cli, order: str, where: str
) -> None:
    ran = matrix_cli(
        "matrix", "--order", order, "--scenario", where, "--labs", "1", "--json", timeout=300
    )
    folder = max(matrix_cli.folder.glob("runs/*-matrix-*"), default=matrix_cli.folder)
    assert ran.stdout, ran.stderr
    [row] = json.loads(ran.stdout)["rows"]
    assert (row["scenario"], row["order"]) == (where, order)
    told = f"{row['problem']}; look first at {folder}"
    assert row["predicted"] == row["observed"], told
    assert ran.returncode == 0, told
    assert (order, where) != ("PSTWR", "partition") or len(row["lost"]) > 0
    assert (Path(folder) / "matrix.html").stat().st_size > 10_000


def recognised(cli: Cli) -> dict[str, list[str]]:
    """What `lab status` finds, and the next commands in it."""
    found = json.loads(succeeded(cli("status", "--json")).stdout)["findings"]
    return {each["name"]: [way["command"] for way in each["next"]] for each in found}


@pytest.mark.family("runbooks", row="lost-and-back", always=True)
def test_a_region_is_lost_taken_over_and_back_where_it_was(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("fault", "inject", "region-loss"))
    told = recognised(cli)
    assert advised("region-failover") in told["no-primary"]
    assert "machine-down" in told
    succeeded(cli("runbook", "run", "region-failover"))
    told = recognised(cli)
    assert "no-primary" not in told
    assert advised("failback") in told["machine-down"]
    a_second_fault = ("stop-clean", "--node", "west.db2")
    succeeded(cli("fault", "inject", *a_second_fault))
    healed = succeeded(cli("fault", "heal", *a_second_fault))
    assert "still in force: region-loss east" in healed.stderr
    for command in (("fault", "heal", "--all"), ("up",)):
        done = succeeded(cli(*command))
        assert "east.db1 stays down: west.db1 was promoted" in done.stderr
        assert advised("failback") in done.stderr
    told = recognised(cli)
    assert told["waits-for-the-way-back"] == [advised("failback")]
    assert "server-down" not in told
    with Lab.attached(LAB_NAME) as lab:
        assert acting.in_force(lab) == ()
        assert lab.databases[WEST_DB1].state().role == "primary"
        market, guest = WEST_DB1.site, lab.guests[EAST_DB1.region]
        assert wait_until(
            "a read in east", lambda: guest.catalogue(market), 20, ignoring=(LabError,)
        )
        assert "a customer's order" in succeeded(cli("runbook", "run", "failback")).stderr
        assert roles(lab)[str(EAST_DB1)] == "primary"
        assert list(roles(lab).values()).count("primary") == 1
        lab.databases.prove(DEFAULT_REPLICATION)
        assert acting.in_force(lab) == ()
    page = Path(succeeded(cli("report")).stdout.strip())
    assert "East is back, and takes over again" in (cli.folder / page).read_text()
    succeeded(cli("reset", "--yes"))


def test_a_failover_from_what_works_is_refused_without_a_terminal(cli: Cli) -> None:
    succeeded(cli("up"))
    ran = cli("runbook", "run", "region-failover")
    assert ran.returncode == 2
    assert "nothing is wrong" in ran.stderr
    assert "--yes" in ran.stderr
    insisted = cli("runbook", "run", "region-failover", "--yes", timeout=60)
    assert insisted.returncode == 1
    assert "the runbook stopped at detect (1 of 14): nothing is lost" in insisted.stderr


@pytest.mark.family("runbooks", row="switchover")
def test_a_switchover_there_and_back_changes_nothing_but_the_primary(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("runbook", "run", "switchover"))
    with Lab.attached(LAB_NAME) as lab:
        before = roles(lab)
        assert [place for place, role in before.items() if role == "primary"] == ["west.db1"]
        assert "!" not in succeeded(cli("up")).stderr
        assert roles(lab) == before
    succeeded(cli("reset", "--yes"))


def _cut(lab: Lab, book: Runbook, done: int) -> Progress:
    """A note of a run that was cut just now, after so many steps."""
    anew, _ = runner.unfinished(lab, book, fresh=True)
    return replace(anew, done=done, mark=runbookprogress.mark_of(book, done, looks()))


@pytest.mark.family("runbooks", row="hand-over-cut")
def test_a_hand_over_that_was_cut_without_a_primary_goes_on(cli: Cli) -> None:
    succeeded(cli("up"))
    book = runbookfile.read(shipped.find("switchover"), vocabulary())
    at = [call.step for call in book.steps].index("switch-over")
    with Lab.attached(LAB_NAME) as lab:
        runbookprogress.keep(LAB_NAME, _cut(lab, book, at))
        lab.databases[EAST_DB1].stop("fast")
        assert "continuing after" in succeeded(cli("runbook", "run", "switchover")).stderr
        assert [place for place, role in roles(lab).items() if role == "primary"] == ["west.db1"]
        # And once more from a cut between the promotion and the names: all the rest is done again.
        runbookprogress.keep(LAB_NAME, _cut(lab, book, at))
        lab.rename(EAST_DB1)
        succeeded(cli("runbook", "run", "switchover"))
        assert lab.guests[WEST_DB1.region].ready()[0]
    succeeded(cli("reset", "--yes"))


@pytest.mark.family("runbooks", row="failback-from-home")
def test_a_way_back_without_a_lost_node_harms_no_user(cli: Cli) -> None:
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as lab:
        before = lab.databases[EAST_DB1].state().timeline
        succeeded(cli("runbook", "run", "failback"))
        assert lab.databases[EAST_DB1].state().role == "primary"
        assert lab.databases[EAST_DB1].state().timeline == before
        assert all(guest.ready()[0] for guest in lab.guests.values())
        # Nor does it end well for customers whom another run refuses.
        lab.guests[WEST_DB1.region].set_read_only(True, "another-run")
        ran = cli("runbook", "run", "failback")
        assert ran.returncode == 1
        assert "west's shop refuses customers' orders since" in ran.stderr
        [told] = json.loads(succeeded(cli("status", "--json")).stdout)["in_force"]
        assert told["by"] == "another-run"
        succeeded(cli("runbook", "run", "reopen", "--fresh"))
        assert all(guest.ready()[0] for guest in lab.guests.values())


@pytest.mark.family("runbooks", row="frozen")
def test_a_frozen_primary_never_takes_an_order_beside_its_successor(cli: Cli) -> None:
    succeeded(cli("up"))
    for fault in ("partition", "freeze"):
        succeeded(cli("fault", "inject", fault))
    ran = succeeded(cli("runbook", "run", "five-steps", "--yes", "--json"))
    assert "its machine was killed" in ran.stdout
    healed = succeeded(cli("fault", "heal", "freeze"))
    assert "east.db1 stays down: west.db1 was promoted" in healed.stderr
    assert "still in force: partition" in healed.stderr
    with Lab.attached(LAB_NAME) as lab:
        assert lab.databases.primaries() == (WEST_DB1,)
    succeeded(cli("reset", "--yes"))


@pytest.mark.family("runbooks", row="zone-failover")
def test_a_failover_next_door_takes_the_other_region_along_and_loses_nothing(cli: Cli) -> None:
    """Its standby was away: orders that were acknowledged meanwhile are in the west alone."""
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as lab:
        lab.databases[EAST_DB2].stop()
        lab.databases[EAST_DB1].set_synchronous(None)
        keys = _ordered(lab, 5)
        lab.databases[WEST_DB2].wait_for_catchup(lab.databases[EAST_DB1].mark(), 20)
        succeeded(cli("fault", "inject", "zone-loss"))
        lab.databases[EAST_DB2].start()
        ran = cli("runbook", "run", "zone-failover")
        assert (ran.returncode, "west.db1 has" in ran.stderr) == (1, True), ran.stderr
        assert "more than east.db2" in " ".join(ran.stderr.split())
        assert not lab.databases[EAST_DB2].is_primary()
        succeeded(cli("runbook", "run", "zone-failover", "--accept-loss"))
        mark = lab.databases[EAST_DB2].mark()
        for place in (WEST_DB1, WEST_DB2):
            lab.databases[place].wait_for_catchup(mark, 20, timeline=2)
        assert advised("zone-failback") in succeeded(cli("fault", "heal", "--all")).stderr
        succeeded(cli("runbook", "run", "zone-failback"))
        lab.databases.prove(DEFAULT_REPLICATION)
    folder = max(cli.folder.glob("runs/*-runbook-zone-failover*"))
    for name in ("west_db1", "west_db2"):
        [file] = folder.glob(f"orphans-{name}-*.csv")
        assert keys <= {each.order.key for each in from_csv(file.read_text(), str(file))}
    succeeded(cli("reset", "--yes"))


def _ordered(lab: Lab, number: int) -> set[str]:
    """Orders of a client that is none of the lab's users, acknowledged one after the other."""
    guest = lab.guests[WEST_DB1.region]
    keys = {f"mine-{uuid.uuid4().hex}" for _ in range(number)}

    def ordered(key: str) -> bool:
        """A shop may refuse a while on a busy machine. The key is the same each time."""
        return guest.order(guest.token(), key).outcome == "ok"

    for key in keys:
        wait_until("an order to be taken", lambda key=key: ordered(key), 60, ignoring=(LabError,))  # type: ignore[misc]
    return keys


def test_a_reset_ends_what_was_cut_and_keeps_what_people_ordered(cli: Cli) -> None:
    runbookprogress.keep(LAB_NAME, Progress("of-another-day", "mark", 5, ("fence",) * 6))
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as lab:
        [key] = _ordered(lab, 1)
    said = " ".join(succeeded(cli("reset", "--yes")).stderr.split())
    assert "1 order that no drill placed: " in said
    files = (cli.state / "orphans" / LAB_NAME).glob("orphans-before-reset*.csv")
    assert any(key in file.read_text() for file in files)
    assert runbookprogress.kept(LAB_NAME) is None


@pytest.mark.family("runbooks", row="killed")
def test_a_runbook_that_was_killed_goes_on_where_it_was(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("fault", "inject", "blackout"))
    running = cli.start("runbook", "run", "region-failover")
    wait_until("five steps to be done", lambda: _done() >= 5, 60, every=0.005)
    running.send_signal(signal.SIGKILL)  # while the sixth promotes
    running.communicate(timeout=10)
    assert 5 <= _done() < 14
    again = succeeded(cli("runbook", "run", "region-failover"))
    assert "continuing after" in again.stderr
    with Lab.attached(LAB_NAME) as lab:
        assert lab.databases[WEST_DB1].state().role == "primary"
        assert lab.databases[WEST_DB1].state().timeline == 2
        assert lab.guests[WEST_DB1.region].ready()[0]
    assert runbookprogress.kept(LAB_NAME) is None
    succeeded(cli("reset", "--yes"))


def _done() -> int:
    found = runbookprogress.kept(LAB_NAME)
    return found.done if found else 0


def rehearsed(cli: Cli, book: str) -> dict[str, Any]:
    ran = cli("runbook", "run", book, "--scenario", "healthy", "--json")
    assert ran.stdout, ran.stderr
    return dict(json.loads(ran.stdout))


UNDECIDED = """\
name: undecided
title: East is lost, and a script of the team is to decide
why: to stop half-way
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [region-dead]
steps:
  - detect
  - confirm
  - run: ["false"]
  - promote
"""


@pytest.mark.family("runbooks", row="stopped")
def test_a_rehearsal_that_stops_half_way_fails_with_figures(cli: Cli) -> None:
    (cli.folder / "undecided.yaml").write_text(UNDECIDED)
    ran = cli("runbook", "run", "undecided.yaml", "--scenario", "region-dead", "--json")
    assert ran.returncode == 1, ran.stderr
    found = json.loads(ran.stdout)
    [ended] = [row for row in found["objectives"] if row["name"] == "runbook_finished"]
    assert ended["detail"].startswith("the runbook stopped at run: ")
    assert (found["winner"], found["lost"]) == ("east_db1", 0)
    assert found["acknowledged"] > 100


@pytest.mark.family("runbooks", row="switchover-under-load")
def test_a_switchover_under_load_loses_nothing(cli: Cli) -> None:
    found = rehearsed(cli, "switchover")
    assert found["lost"] == found["split_brain_writes"] == 0
    assert {step["outcome"] for step in found["steps"]} == {"done"}
    assert found["acknowledged"] > 100


HEAD = """\
why: to see users move
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [healthy]
planned: true
promotes: false
steps:
"""
# How many fail while half of the users move is a matter of this machine; here it is who moves.
STAGES = f"""\
name: in-stages
title: A tenth of the users, then half, then all
{HEAD}
  - warm-caches
  - shift-traffic: {{share: 10}}
  - gate: {{seconds: 6, errors: 50}}
  - shift-traffic: {{share: 60}}
  - gate: {{seconds: 6, errors: 50}}
  - shift-traffic
  - gate: {{seconds: 6, errors: 50}}
"""


@pytest.mark.family("runbooks", row="in-stages")
def test_users_are_sent_on_in_stages_and_each_stage_sends_more(cli: Cli) -> None:
    (cli.folder / "stages.yaml").write_text(STAGES)
    found = rehearsed(cli, "stages.yaml")
    gates = [step for step in found["steps"] if step["name"] == "gate"]
    assert [step["outcome"] for step in gates] == ["done"] * 3
    # Of all operations half are of west's own users; east's follow as their look-ups say.
    shares = [int(step["evidence"].partition("(")[2].partition("%")[0]) for step in gates]
    assert shares == sorted(shares)
    assert shares[0] < 70 < 85 < shares[2]
    assert found["lost"] == 0


STOPPED = f"""\
name: into-a-wall
title: A tenth of the users is sent where no order is taken
{HEAD}
  - stop-writes: {{where: target}}
  - shift-traffic: {{share: 10}}
  - gate
  - shift-traffic
"""


@pytest.mark.family("runbooks", row="gate")
def test_a_gate_sends_those_back_who_are_not_served(cli: Cli) -> None:
    (cli.folder / "wall.yaml").write_text(STOPPED)
    found = rehearsed(cli, "wall.yaml")
    last = found["steps"][-1]
    assert (last["name"], last["outcome"]) == ("gate", "failed")
    assert "users were sent back" in last["evidence"]
