"""The lab comes up from whatever there is, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import docker
import pytest
from running import LAB_NAME, Cli, Ran, advised, succeeded

from lab.core.topology import DATABASES, EAST, EAST_DB1, PLACES, WEST_DB1, Place
from lab.core.wait import wait_until
from lab.host.engine import client
from lab.infra.machines import Engine
from lab.testbed.lab import Lab

pytestmark = pytest.mark.drill
AN_ORDER: LiteralString = (
    "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)"
    " VALUES ('kept-by-up', 'a-guest', 1, 1, 500, 'west')"
)


def status(cli: Cli) -> dict[str, object]:
    found = json.loads(succeeded(cli("status", "--json")).stdout)
    assert isinstance(found, dict)
    return found


def test_up_may_be_repeated(cli: Cli, lab: Lab) -> None:
    succeeded(cli("up"))
    assert lab.databases[EAST_DB1].state().role == "primary"


def test_durability_is_on_everywhere(lab: Lab) -> None:
    for place in DATABASES:
        rows = lab.databases[place].query(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY 1"
        )
        # The tool's own session waits for no standby; what counts is what others get.
        default = lab.databases[place].query(
            "SELECT reset_val FROM pg_settings WHERE name = 'fsync'"
        )
        assert dict(rows)["fsync"] == dict(rows)["full_page_writes"] == "on"
        assert default == [("on",)]
        file = lab.databases[place].query(
            "SELECT setting FROM pg_file_settings WHERE name = 'synchronous_commit'"
        )
        assert file == [("on",)]


def test_passwords_are_scram_and_no_connection_is_trusted(lab: Lab) -> None:
    node = lab.databases[EAST_DB1]
    kept = node.query("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
    assert {name for name, _ in kept} == {"postgres", "replicator", "shop"}
    assert all(password.startswith("SCRAM-SHA-256$") for _, password in kept)
    rules = node.query("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert {method for (method,) in rules} == {"scram-sha-256", "peer"}


def test_ports_are_on_loopback_only(lab: Lab) -> None:
    engine = client()
    try:
        found = engine.containers.list(filters={"label": f"failover-lab={LAB_NAME}"})
        assert found
        for container in found:
            for binding in (container.attrs["NetworkSettings"]["Ports"] or {}).values():
                assert {each["HostIp"] for each in binding or ()} <= {"127.0.0.1"}
    finally:
        engine.close()


def test_a_machine_that_boots_does_not_start_a_database_that_was_primary(
    cli: Cli, lab: Lab
) -> None:
    lab.engine.kill([EAST_DB1])
    lab.engine.start([EAST_DB1])
    assert lab.engine.running(EAST_DB1)
    assert not lab.databases[EAST_DB1].answers()
    succeeded(cli("up"))
    assert lab.databases[EAST_DB1].state().role == "primary"


def test_up_keeps_the_orders_and_the_primary_of_a_lab_whose_standby_was_promoted(
    cli: Cli, lab: Lab
) -> None:
    lab.engine.kill([EAST_DB1])
    lab.databases[WEST_DB1].promote()
    lab.databases[WEST_DB1].query(AN_ORDER, database="shop")
    lab.engine.kill(PLACES)  # as a reboot does
    ran = succeeded(cli("up"))
    assert "east.db1 stays down: west.db1 was promoted" in ran.stderr
    assert advised("failback") in ran.stderr
    assert lab.databases.primaries() == (WEST_DB1,)
    assert not lab.databases[EAST_DB1].answers()
    kept = lab.databases[WEST_DB1].query("SELECT key FROM orders", database="shop")
    assert ("kept-by-up",) in kept
    refused = cli("reset")
    assert refused.returncode == 2
    assert "on west.db1 would remain only in a file" in refused.stderr
    assert lab.databases.primaries() == (WEST_DB1,)
    succeeded(cli("reset", "--yes"))
    assert lab.databases.primaries() == (EAST_DB1,)


def test_containers_that_died_are_brought_back_by_the_next_up(cli: Cli, lab: Lab) -> None:
    dead = [Place("east", "gateway"), Place("west", "dns"), Place("users", "east")]
    lab.engine.kill(dead)
    succeeded(cli("up"))
    assert all(lab.engine.running(place) for place in dead)
    found = status(cli)
    assert {link["open"] for link in found["links"]} == {True}  # type: ignore[attr-defined]


def test_status_proves_who_follows_whom(cli: Cli, lab: Lab) -> None:
    found = status(cli)
    nodes = found["nodes"]
    assert found["findings"] == []
    assert found["leads"]["west"]["writer.lab.test"] == "east.db1 through east.gateway"  # type: ignore[index]
    assert [node["state"]["in_recovery"] for node in nodes] == [False, True, True, True]  # type: ignore[attr-defined]
    for node in nodes[1:]:  # type: ignore[index]
        assert node["following"]["proof"] < 2
        assert node["profile"]["connections"] < node["profile"]["most"]
    assert {slot["active"] for slot in nodes[0]["profile"]["slots"]} == {True}  # type: ignore[index]


def test_dig_and_psql_and_logs_answer(cli: Cli, lab: Lab) -> None:
    assert "10." in succeeded(cli("dig", "writer")).stdout
    assert succeeded(cli("psql", "west.db1", "-Atc", "SELECT 6 * 7")).stdout.strip() == "42"
    assert "database system is ready" in succeeded(cli("logs", "east.db1", "--tail", "2000")).stdout


def test_reset_empties_the_shop(cli: Cli, lab: Lab) -> None:
    guest = lab.guests[EAST]
    assert guest.order(guest.token(), "before-the-reset").outcome == "ok"
    succeeded(cli("reset", "--yes"))
    assert lab.databases[EAST_DB1].query("SELECT count(*) FROM orders", database="shop") == [(0,)]


@dataclass(frozen=True)
class Interrupted:
    """A drill that ended by Ctrl-C while east was lost, and an `up` that met it at work."""

    process: int
    met: Ran
    code: int
    said: str


@pytest.fixture(scope="module")
def interrupted(cli: Cli, attached: Lab) -> Interrupted:
    """One drill for all tests of what it says to others, and of how it ends.

    A machine that is too busy for any load has nothing broken: then the drill begins once more, up
    to four times.
    """
    for _ in range(4):
        found = _interrupted(cli, attached)
        if not (found.code == 4 and "too busy" in found.said):
            break
    return found


def _interrupted(cli: Cli, attached: Lab) -> Interrupted:
    running = cli.start("drill", "region-loss")
    try:
        lock = cli.state / "labs" / f"{LAB_NAME}.lock"
        wait_until("the drill to hold the lab", lambda: lock.read_text(), timeout=20)
        met = cli("up")
        wait_until(
            "east to be lost, or the drill to end",
            lambda: running.poll() is not None or not attached.engine.running(EAST_DB1),
            timeout=120,
        )
    finally:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
        print(said)  # noqa: T201 - pytest shows it where one of the waits was in vain
    return Interrupted(running.pid, met, running.returncode, said)


def test_a_second_command_on_the_same_lab_is_told_who_holds_it(interrupted: Interrupted) -> None:
    assert interrupted.met.returncode == 4
    assert str(interrupted.process) in interrupted.met.stderr
    assert "Traceback" not in interrupted.met.stderr


def test_ctrl_c_in_the_middle_of_a_drill_heals_and_says_what_is_left(
    interrupted: Interrupted, lab: Lab
) -> None:
    assert interrupted.code == 130
    assert "lab down" in interrupted.said
    assert "Traceback" not in interrupted.said
    assert lab.engine.running(EAST_DB1)
    assert lab.databases[EAST_DB1].state().role == "primary"


@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="ends the engine: only where it is the tests' own"
)
def test_a_killed_engine_is_started_again_and_the_lab_comes_back(cli: Cli, lab: Lab) -> None:
    number = int(Path("/var/run/docker.pid").read_text())
    os.kill(number, signal.SIGKILL)
    wait_until("the engine to be gone", lambda: not Path(f"/proc/{number}/exe").exists(), 10)
    succeeded(cli("up"))
    assert lab.databases[EAST_DB1].state().role == "primary"


def test_disks_of_a_lab_whose_secrets_are_lost_are_removed_by_down_alone(
    cli: Cli, lab: Lab
) -> None:
    (cli.state / "labs" / f"{LAB_NAME}.json").unlink()
    refused = cli("up")
    assert refused.returncode == 3
    assert f"lab down --name {LAB_NAME}" in refused.stderr
    assert cli("down").returncode == 2  # no database tells what is on them
    succeeded(cli("down", "--yes"))
    succeeded(cli("up"))
    assert status(cli)["subnet"]


@pytest.mark.last
def test_down_leaves_nothing_but_what_the_engine_keeps_and_may_be_repeated(cli: Cli) -> None:
    """An engine may lose count of what is on a network, and keeps that until it restarts."""
    succeeded(cli("up"))
    for expected in ("removed", "nothing to remove"):
        ran = cli("down", "--yes")
        kept = _leftovers()
        if kept:
            assert [each for each in kept if not _is_kept(each)] == []
            assert ran.returncode == 3
            assert "it has lost count" in ran.stderr
        else:
            assert expected in succeeded(ran).stderr


def _leftovers() -> tuple[str, ...]:
    engine = Engine(LAB_NAME)
    try:
        return engine.leftovers()
    finally:
        engine.close()


def _is_kept(leftover: str) -> bool:
    """True for a network that has nothing on it and that the engine refuses to remove."""
    kind, name = leftover.split()
    network = client().networks.get(name) if kind == "network" else None
    if network is None or network.attrs["Containers"]:
        return False
    with pytest.raises(docker.errors.APIError, match="active endpoints"):
        network.remove()
    return True
