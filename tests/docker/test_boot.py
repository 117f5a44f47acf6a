"""Machines that boot, servers that crash, and reading what a dead one holds."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace

import pytest
from docker import DockerClient
from sql import as_shop

from lab.core.errors import LabError
from lab.core.topology import EAST_DB1, EAST_DB2, PLACES, Follows, Place
from lab.core.wait import wait_until
from lab.postgres.finalread import read_dead, read_living
from lab.postgres.following import prove_following
from lab.postgres.node import QUARANTINE
from lab.postgres.processes import HOME
from lab.testbed.health import server_is_stopped
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
ORDER = (
    "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)"
    " VALUES (%s, 'customer', 1, 1, 500, 'east')"
)


def test_a_machine_that_was_primary_boots_without_its_database(pair: Lab) -> None:
    _reboot(pair, EAST_DB1)
    assert not _server_runs(pair, EAST_DB1)
    pair.databases[EAST_DB1].start()  # only a caller that has asked may
    assert pair.databases[EAST_DB1].state().role == "primary"


def test_a_machine_that_was_a_standby_boots_and_follows(kept_pair: Lab) -> None:
    _reboot(kept_pair, EAST_DB2)
    nodes = kept_pair.databases
    prove_following(nodes[EAST_DB1], [nodes[EAST_DB2]], 15)


def test_what_is_done_to_a_machine_that_boots_waits_for_what_it_starts_itself(pair: Lab) -> None:
    node, upstream = pair.databases[EAST_DB2], pair.databases.upstream(Follows(EAST_DB2, EAST_DB1))
    for _ in range(4):
        pair.engine.kill([EAST_DB2])
        pair.engine.start([EAST_DB2])
        node.restore_golden(
            upstream, None
        )  # stops it, or would take the files of a server that is starting
        assert node.answers()
    assert "Is another postmaster" not in pair.engine.logs(EAST_DB2, tail=2000)


def test_what_a_killed_server_left_behind_is_not_in_the_way_of_the_next(pair: Lab) -> None:
    assert any(_left_with_a_number_of_the_next_boot(pair) for _ in range(6))
    pair.databases[EAST_DB1].start()
    assert pair.databases[EAST_DB1].answers()


def test_one_look_at_all_machines_finds_what_asking_each_of_them_finds(pair: Lab) -> None:
    pair.engine.kill([EAST_DB1])
    pair.engine.freeze([EAST_DB2])
    wait_until("the engine to be done", lambda: not pair.engine.running(EAST_DB1), 20)
    # Of a machine that runs, a list does not tell when it was booted.
    looked = {place: replace(each, booted="") for place, each in pair.engine.look().items()}
    assert looked == {place: replace(pair.engine.state(place), booted="") for place in PLACES}
    seen = pair.as_seen_now()
    pair.engine.start([EAST_DB2])
    assert seen.engine.state(EAST_DB2).status == "paused"
    assert pair.engine.look()[EAST_DB2].status == "running"


def _left_with_a_number_of_the_next_boot(pair: Lab) -> bool:
    """Reboot with the lock of a server whose number another process then has, as boots give it."""
    _reboot(pair, EAST_DB1)
    number = _number_of_tail(pair)
    lines = f"{number}\\n{HOME}/data\\n0\\n5432\\n/var/run/postgresql\\n"
    write = f"printf '{lines}' > /var/run/postgresql/.s.PGSQL.5432.lock"
    pair.engine.run(EAST_DB1, ["sh", "-c", write])
    _reboot(pair, EAST_DB1)
    return _number_of_tail(pair) == number


def _number_of_tail(pair: Lab) -> str:
    return wait_until(
        "the machine to have booted",
        lambda: pair.engine.run_code(EAST_DB1, ["pgrep", "-x", "tail"])[1].strip(),
        10,
    )


def test_a_strike_ends_with_dead_machines_and_the_engine_says_so_at_once(pair: Lab) -> None:
    assert pair.engine.alive([EAST_DB1, EAST_DB2]) == (EAST_DB1, EAST_DB2)
    pair.engine.armed_to_kill([EAST_DB1])()
    assert pair.engine.alive([EAST_DB1, EAST_DB2]) == (EAST_DB2,)
    pair.engine.start([EAST_DB1])
    assert pair.engine.alive([EAST_DB1, EAST_DB2]) == (EAST_DB1, EAST_DB2)
    pair.engine.kill([EAST_DB1])
    pair.engine.armed_to_kill([EAST_DB1])()  # what is dead already stays dead


def test_a_machine_in_quarantine_starts_nothing(pair: Lab) -> None:
    pair.engine.write_files(EAST_DB2, f"{HOME}/identity", {QUARANTINE: "for a test\n"})
    _reboot(pair, EAST_DB2)
    assert not _server_runs(pair, EAST_DB2)


def test_a_promoted_node_counts_as_primary_when_it_boots(pair: Lab) -> None:
    pair.engine.kill([EAST_DB1])
    pair.databases[EAST_DB2].promote()
    _reboot(pair, EAST_DB2)
    assert not _server_runs(pair, EAST_DB2)


def test_a_crashed_server_leaves_its_machine_up_and_can_be_started(pair: Lab) -> None:
    node = pair.databases[EAST_DB1]
    booted = _booted(pair, EAST_DB1)
    with as_shop(pair, EAST_DB1) as session:
        session.execute(ORDER, ("before-the-crash",))
    node.kill9()
    node.start()  # at once: what is left of the crashed one must not be in the way
    assert _booted(pair, EAST_DB1) == booted
    assert "before-the-crash" in read_living(node)
    prove_following(node, [pair.databases[EAST_DB2]], 15)


def test_a_crash_is_seen_as_a_server_that_does_not_answer(pair: Lab) -> None:
    pair.databases[EAST_DB1].kill9()
    assert not pair.databases[EAST_DB1].answers()
    assert pair.engine.running(EAST_DB1)


@pytest.mark.parametrize("files", ["postmaster.pid", "*"])
def test_a_server_whose_files_were_deleted_runs_until_it_is_stopped(pair: Lab, files: str) -> None:
    node = pair.databases[EAST_DB1]
    # A server that misses its files may end by itself at any moment: it stands still meanwhile.
    pair.engine.run(
        EAST_DB1, ["sh", "-c", f"pkill -STOP -x postgres && rm -rf {HOME}/data/{files}"]
    )
    assert not server_is_stopped(pair, EAST_DB1)
    pair.engine.run(EAST_DB1, ["pkill", "-CONT", "-x", "postgres"])
    node.stop("immediate")
    assert server_is_stopped(pair, EAST_DB1)


def test_stopping_and_starting_twice_is_fine(kept_pair: Lab) -> None:
    node = kept_pair.databases[EAST_DB1]
    node.stop()
    node.stop()
    assert not node.answers()
    node.start()
    node.start()
    assert node.answers()


def test_the_rows_of_a_dead_primary_are_read_without_changing_what_died(
    pair: Lab, docker_client: DockerClient
) -> None:
    with as_shop(pair, EAST_DB1) as session:
        session.execute(ORDER, ("replicated",))
        pair.databases[EAST_DB2].stop()
        session.execute("SET synchronous_commit = local")
        session.execute(ORDER, ("orphaned",))
    pair.engine.kill([EAST_DB1])
    before = _fingerprint(pair, docker_client, EAST_DB1)
    found = read_dead(pair.engine, EAST_DB1)
    assert {key: row.copies for key, row in found.items()} == {"replicated": 1, "orphaned": 1}
    assert _fingerprint(pair, docker_client, EAST_DB1) == before
    assert not _server_runs(pair, EAST_DB1)
    # On a busy machine the engine's library loses output that comes with the engine's first answer.
    listed = wait_until(
        "ls to tell something", lambda: pair.engine.run(EAST_DB1, ["ls", HOME]).split(), 10
    )
    assert listed == ["data", "golden", "identity", "log"]


def test_a_dead_standby_is_read_too_and_twice_the_same_but_not_without_its_database(
    pair: Lab,
) -> None:
    with as_shop(pair, EAST_DB1) as session:
        session.execute(ORDER, ("replicated",))
    pair.engine.kill([EAST_DB2])
    first = read_dead(pair.engine, EAST_DB2)
    assert set(first) == {"replicated"}
    assert read_dead(pair.engine, EAST_DB2) == first
    pair.engine.run(EAST_DB2, ["sh", "-c", f"rm -rf {HOME}/data/base"])
    pair.engine.kill([EAST_DB2])
    with pytest.raises(LabError):
        read_dead(pair.engine, EAST_DB2)


def _reboot(lab: Lab, place: Place) -> None:
    """Power off and on; returns when the machine has done all that it does by itself."""
    lab.engine.kill([place])
    assert not lab.engine.running(place)
    lab.engine.start([place])
    # The last thing that a booting machine starts is what follows its log.
    wait_until(f"{place} to have booted", lambda: "tail" in _programs(lab, place), 10)


def _programs(lab: Lab, place: Place) -> list[str]:
    return lab.engine.run(
        place, ["sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null; true"]
    ).splitlines()


def _server_runs(lab: Lab, place: Place) -> bool:
    return "postgres" in _programs(lab, place)


def _booted(lab: Lab, place: Place) -> str:
    return lab.engine.run(place, ["stat", "-c", "%Z", "/proc/1"])


def _fingerprint(lab: Lab, docker_client: DockerClient, place: Place) -> dict[str, str]:
    """SHA-256 of every file of WAL and of the control file, running or not."""
    container = docker_client.containers.get(lab.engine.container_name(place))
    found: dict[str, str] = {}
    for path in ("pg_wal", "global/pg_control"):
        chunks, _ = container.get_archive(f"{HOME}/data/{path}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            for member in tar.getmembers():
                file = tar.extractfile(member)
                if file:
                    found[member.name] = hashlib.sha256(file.read()).hexdigest()
    assert len(found) > 1
    return found
