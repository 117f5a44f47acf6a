"""The new node has all that the old primary wrote, and no other standby has more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_up_servers import MadeUp

from lab.core.errors import LabError, Refused
from lab.core.lineage import Position
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2, Place
from lab.metrics.measure import Fork
from lab.metrics.waldump import Commit
from lab.postgres import finalread
from lab.runbooks.runbook import Plan

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
Logs = dict[Place, tuple[tuple[Commit, ...], int]]


def commits(*lsns: int, apart: float = 1.0) -> tuple[Commit, ...]:
    return tuple(
        Commit(1, each, lsn, BEGAN + timedelta(seconds=each * apart))
        for each, lsn in enumerate(lsns)
    )


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    """What stands in each node's log after a fork: commits, and its end."""
    found: Logs = {}

    def rest(_engine: object, place: Place, _fork: Fork) -> Any:
        if place not in found:
            raise LabError(f"{place}: no log")
        return found[place]

    monkeypatch.setattr(finalread, "read_rest", rest)
    monkeypatch.setattr(finalread, "read_commits", lambda *given: rest(*given)[0])
    monkeypatch.setattr(finalread, "forks_on_disk", lambda _e, node, _t: node.here.forks)
    return found


# ── with the old primary ─────────────────────────────────────────────────────────────────────


def test_a_primary_that_runs_says_itself_what_it_has_flushed() -> None:
    assert MadeUp().do("compare", within=0) == (
        "east.db1's WAL ends at 0/5000 on timeline 1 (its server runs, and said so at the"
        " beginning); west.db1 has received WAL up to 0/5000 on timeline 1: nothing of it is"
        " missing"
    )


@pytest.mark.usefixtures("logs")
def test_after_a_clean_shutdown_the_end_stands_in_the_control_file() -> None:
    made = MadeUp()
    made.do("stop")
    assert "ends at 0/5000 on timeline 1 (there its clean shutdown is on record)" in made.do(
        "compare", within=0
    )


def test_after_a_stop_at_once_the_log_is_read_on_its_disk(logs: Logs) -> None:
    made = MadeUp()
    made.do("stop", mode="immediate")
    logs[EAST_DB1] = (), 0x5000
    assert "(its log, read on its disk)" in made.do("compare", within=0)
    logs[EAST_DB1] = commits(0x5100, 0x5200, 0x5300), 0x5400
    with pytest.raises(Refused) as caught:
        made.do("compare", within=0)
    assert caught.value.message == (
        "east.db1's WAL ends at 0/5400 on timeline 1 (its log, read on its disk); west.db1 has"
        " received WAL up to 0/5000 on timeline 1: east.db1 has 1.0 KiB (up to 3 orders) more"
    )
    assert "check-lag" in caught.value.next_step


def test_orders_stay_unsaid_where_the_log_cannot_be_read(logs: Logs) -> None:
    made = MadeUp()
    made[EAST_DB1].here = Position(1, 0x5400)
    logs.clear()
    with pytest.raises(Refused, match=r"east\.db1 has 1\.0 KiB more"):
        made.do("compare", within=0)


def test_what_is_on_its_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeUp()
    made[EAST_DB1].here = Position(1, 0x5400)
    new, asked = made[WEST_DB1], list[int]()

    def stand() -> Any:
        asked.append(1)
        if len(asked) > 2:
            new.here = Position(1, 0x5400)
        return new.state(), new.here

    monkeypatch.setattr(new, "stand", stand)
    assert "west.db1 has received WAL up to 0/5400" in made.do("compare", within=5)
    assert len(asked) == 3


def test_the_same_lsn_on_another_timeline_is_not_the_same_wal(logs: Logs) -> None:
    made = MadeUp()
    made[EAST_DB1].here = Position(2, 0x5000, {1: 0x4800})
    logs.clear()
    with pytest.raises(Refused, match=r"on timeline 2 .* on timeline 1: east\.db1 has 2\.0 KiB"):
        made.do("compare", within=0)


def test_a_new_node_that_was_promoted_with_everything_has_everything() -> None:
    made = MadeUp()
    made[WEST_DB1].primary, made[WEST_DB1].here = True, Position(2, 0x6000, {1: 0x5000})
    assert "west.db1 is primary and has WAL up to 0/6000 on timeline 2" in made.do("compare")


@pytest.mark.usefixtures("logs")
def test_what_cannot_be_read_cannot_be_compared() -> None:
    made = MadeUp()
    made.do("stop", mode="immediate")
    with pytest.raises(Refused, match=r"east\.db1 cannot be compared: east\.db1: no log") as caught:
        made.do("compare")
    assert "check-lag" in caught.value.next_step
    made.kill(EAST_DB1)
    with pytest.raises(Refused, match=r"cannot be compared: east\.db1's machine does not run"):
        made.do("compare")


# ── with each other ──────────────────────────────────────────────────────────────────────────


def test_the_most_advanced_is_said_with_how_far_the_others_are_behind() -> None:
    made = MadeUp()
    made[WEST_DB2].here = Position(1, 0x4C00)
    assert made.do("choose") == (
        "west.db1 has received WAL up to 0/5000 on timeline 1: no standby has more; east.db2 has"
        " the same, west.db2 is 1.0 KiB behind"
    )


def test_a_better_standby_is_named(logs: Logs) -> None:
    made = MadeUp()
    made[EAST_DB2].here = Position(1, 0x5400)
    logs[EAST_DB2] = commits(0x5100, 0x5200), 0x5400
    with pytest.raises(Refused) as caught:
        made.do("choose")
    assert caught.value.message == (
        "refused: east.db2 has 1.0 KiB (up to 2 orders) more than west.db1"
    )
    assert caught.value.next_step.startswith("run a runbook with `to: east.db2`")
    assert "--accept-loss" in caught.value.next_step
    assert "that loss was accepted (accept_loss)" in made.do("choose", accept_loss=True)


def test_the_last_moment_of_the_old_primary_makes_no_standby_better(logs: Logs) -> None:
    made = MadeUp()
    made[EAST_DB2].here = Position(1, 0x5400)
    logs[EAST_DB2] = commits(0x5100, 0x5200, apart=0.005), 0x5400
    told = made.do("choose")
    assert "east.db2 has 1.0 KiB (up to 2 orders) more, all from east.db1's last moment" in told
    assert told.endswith("west.db2 has the same")


def test_the_timeline_counts_before_the_lsn(logs: Logs) -> None:
    made = MadeUp()
    made[EAST_DB2].here, made[WEST_DB2].here = Position(2, 0x5000, {1: 0x4C00}), Position(1, 0x5000)
    logs.clear()
    with pytest.raises(Refused, match=r"east\.db2 has 1\.0 KiB more than west\.db1"):
        made.do("choose")
    made.kill(WEST_DB1)
    with pytest.raises(Refused, match=r"west\.db1 does not answer as a standby") as caught:
        made.do("choose")
    assert caught.value.next_step.startswith("east.db2 is the most advanced that answers")


def test_the_old_primary_is_no_choice_and_a_primary_needs_none() -> None:
    made = MadeUp()
    made[EAST_DB1].primary, made[EAST_DB1].here = False, Position(1, 0x9000)
    assert "no standby has more" in made.do("choose")
    assert made.do("choose", Plan(EAST_DB1, EAST_DB2)).startswith("east.db2 has received")
    for place in (EAST_DB2, WEST_DB2):
        made.kill(place)
    assert made.do("choose").endswith("no standby has more; no other standby answers")
    made[WEST_DB1].primary = True
    assert made.do("choose") == "west.db1 is primary already: nothing is left to choose"
    made.kill(WEST_DB1)
    with pytest.raises(Refused) as caught:
        made.do("choose")
    assert caught.value.next_step == "no other standby answers: lab status"
