"""Runbooks on a real lab: what was predicted is what users see, and there is a way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import LAB_NAME, Cli, succeeded

from lab.cluster import Lab
from lab.faults import acting
from lab.topology import DATABASES, DEFAULT_REPLICATION, EAST_DB1, WEST_DB1

pytestmark = pytest.mark.drill


def roles(lab: Lab) -> dict[str, str]:
    return {str(place): lab.databases[place].state().role for place in DATABASES}


def test_orders_that_have_every_pair_both_ways_do_what_was_predicted(cli: Cli) -> None:
    ran = cli("matrix", "--covering", "--labs", "1", "--json", timeout=900)
    folder = max(cli.folder.glob("runs/*-matrix-*"), default=cli.folder)
    cli("down", "--name", f"{LAB_NAME}-m1")
    found = json.loads(ran.stdout)
    differing = [
        (row["scenario"], row["order"], row["predicted"], row["observed"], row["problem"])
        for row in found["rows"]
        if row["predicted"] != row["observed"]
    ]
    assert not differing, f"look first at {folder}"
    assert ran.returncode == 0
    lost = {(row["scenario"], row["order"]): len(row["lost"]) for row in found["rows"]}
    assert lost["partition", "PSTWR"] > 0
    assert (Path(folder) / "matrix.html").stat().st_size > 10_000


def test_a_region_is_lost_taken_over_and_back_where_it_was(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("fault", "inject", "region-loss"))
    succeeded(cli("runbook", "run", "region-failover"))
    with Lab.attached(LAB_NAME) as lab:
        assert lab.databases[WEST_DB1].state().role == "primary"
        succeeded(cli("runbook", "run", "failback"))
        assert roles(lab)[str(EAST_DB1)] == "primary"
        assert list(roles(lab).values()).count("primary") == 1
        lab.databases.prove(DEFAULT_REPLICATION)
        assert acting.in_force(lab) == ()
    succeeded(cli("reset"))


def test_a_failover_from_what_works_is_refused_where_nobody_can_be_asked(cli: Cli) -> None:
    succeeded(cli("up"))
    ran = cli("runbook", "run", "region-failover")
    assert ran.returncode == 2
    assert "nothing is wrong" in ran.stderr
    assert "--yes" in ran.stderr


def test_a_switchover_there_and_back_changes_nothing_but_the_primary(cli: Cli) -> None:
    succeeded(cli("up"))
    succeeded(cli("runbook", "run", "switchover"))
    with Lab.attached(LAB_NAME) as lab:
        assert [place for place, role in roles(lab).items() if role == "primary"] == ["west.db1"]
    succeeded(cli("reset"))
