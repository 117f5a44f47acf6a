"""Databases follow the primary again, and it waits for one only once that has caught up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from made_up_servers import MadeUp, Server

from lab.core.errors import LabError, Refused
from lab.core.lineage import Position
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2
from lab.records.journalfile import MarkName
from lab.runbooks.runbook import Plan
from lab.steps import demoting, synchronous


@pytest.fixture(autouse=True)
def _proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh WAL reaches each standby that is not late."""

    def prove(primary: Server, standbys: Iterable[Server], timeout: float) -> dict[Any, float]:
        for each in standbys:
            if each.late:
                raise LabError(f"waited {timeout:g} s for {each} to replay it")
        return {each.place: 0.1 for each in standbys}

    monkeypatch.setattr(demoting, "prove_following", prove)
    monkeypatch.setattr(synchronous, "prove_following", prove)


@pytest.fixture
def promoted() -> MadeUp:
    """West.db1 is primary, and east.db1's server is stopped."""
    made = MadeUp()
    made[WEST_DB1].primary, made[WEST_DB1].here = True, Position(2, 0x6000, {1: 0x5000})
    made[WEST_DB1].receiver = ""
    made[EAST_DB1].stop("fast")
    return made


# ── demote ───────────────────────────────────────────────────────────────────────────────────


def test_the_old_primary_follows_and_what_it_alone_has_is_kept(promoted: MadeUp) -> None:
    assert promoted.do("demote") == (
        "east.db1 now follows west.db1 (re-pointed); fresh WAL of west.db1 reaches it"
    )


def test_one_that_follows_is_left_alone(promoted: MadeUp) -> None:
    old = promoted[EAST_DB1]
    old.primary, old.runs, old.receiver = False, True, "10.91.0.12:5433 streaming"
    assert promoted.do("demote") == "east.db1 follows west.db1 already: nothing is left to do"
    old.late = True  # its words are not believed: it may stream in a loop of failures
    assert "now follows" in promoted.do("demote")


def test_nothing_is_demoted_to_follow_a_standby() -> None:
    with pytest.raises(Refused, match=r"west\.db1 is not primary"):
        MadeUp().do("demote")


# ── rebuild ──────────────────────────────────────────────────────────────────────────────────


def test_the_neighbour_of_the_present_primary_is_rebuilt(promoted: MadeUp) -> None:
    promoted[WEST_DB2].late = True
    told = "west.db2 is a new base backup of west.db1 (rebuilt) and follows west.db1"
    assert promoted.do("rebuild") == told
    assert promoted[WEST_DB2].did == ["rebuilt behind west.db1, kept in runs/1"]


def test_a_standby_that_follows_is_rebuilt_only_if_that_is_said() -> None:
    made = MadeUp()
    assert (
        made.do("rebuild")
        == "fresh WAL of east.db1 reaches east.db2 already: nothing is left to rebuild"
    )
    made[EAST_DB1].waits = "ANY 1 (east_db2)"
    told = made.do("rebuild", anyway=True)
    assert told.endswith("orders waited for it meanwhile, because east.db1 is synchronous")


def test_the_other_region_is_rebuilt_from_the_primary_and_keeps_its_line() -> None:
    made = MadeUp()
    told = made.do("rebuild", node="west.db2", anyway=True)
    assert told == "west.db2 is a new base backup of east.db1 (rebuilt) and follows west.db1"
    kept = "kept in runs/1"
    assert made[WEST_DB2].did == [
        f"rebuilt behind east.db1, {kept}", f"re-pointed behind west.db1, {kept}",
    ]  # fmt: skip
    assert made[EAST_DB1].did == ["no slot for west.db2"]
    made[WEST_DB1].late = True  # no head to follow
    made.do("rebuild", node="west.db2", anyway=True)
    assert made[WEST_DB2].did[2:] == [f"rebuilt behind east.db1, {kept}"]


def test_a_standby_behind_the_rebuilt_one_is_led_along_or_named() -> None:
    made = MadeUp()
    made[WEST_DB1].late = True
    assert made.do("rebuild", node="west.db1").endswith("; west.db2 follows it as before")
    assert [each.partition(",")[0] for each in made[WEST_DB2].did] == [
        "re-pointed behind east.db1", "re-pointed behind west.db1",
    ]  # fmt: skip
    assert made[EAST_DB1].did[-1] == "no slot for west.db2"
    made[WEST_DB2].stuck = True
    told = made.do("rebuild", node="west.db1", anyway=True)
    assert "west.db2 does not follow it (west.db2 cannot be made to follow): rebuild that" in told


def test_a_primary_is_no_standby_to_rebuild() -> None:
    made = MadeUp()
    with pytest.raises(Refused, match=r"east\.db1 is the primary") as caught:
        made.do("rebuild", node="east.db1")
    assert caught.value.next_step.endswith("- rebuild: {node: east.db2}")
    made.kill(EAST_DB1)
    with pytest.raises(Refused, match=r"neither west\.db1 nor east\.db1 answers as primary"):
        made.do("rebuild")


# ── whether orders wait ──────────────────────────────────────────────────────────────────────


def test_to_wait_for_no_standby_is_a_decision_on_record() -> None:
    made = MadeUp()
    made[EAST_DB1].waits = "ANY 1 (east_db2)"
    assert "synchronous_standby_names = 'ANY 1 (east_db2)' → ''" in made.do("go-async")
    assert made.marks == [(MarkName.DECIDED, "east.db1 waits for no standby (automatic)")]
    assert made.do("go-async") == "east.db1 waits for no standby already: nothing is left to do"
    assert len(made.marks) == 1


def test_the_primary_waits_again_only_for_a_standby_that_has_caught_up(promoted: MadeUp) -> None:
    primary, twin = promoted[WEST_DB1], promoted[WEST_DB2]
    with pytest.raises(Refused, match=r"west\.db2 does not stream from west\.db1"):
        promoted.do("go-sync")
    primary.streaming, twin.late = [WEST_DB2], True
    with pytest.raises(Refused, match=r"west\.db2 has not caught up") as caught:
        promoted.do("go-sync")
    assert "rebuild" in caught.value.next_step
    assert primary.waits == ""
    twin.late = False
    assert promoted.do("go-sync") == (
        "fresh WAL reaches west.db2 (0.10 s); west.db1: synchronous_standby_names = '' →"
        " 'ANY 1 (west_db2)'"
    )
    assert promoted.do("go-sync") == "west.db1 waits for west.db2 already: nothing is left to do"


def test_the_present_primary_is_meant_on_whichever_side_it_is() -> None:
    made = MadeUp()
    made[EAST_DB1].waits = "ANY 1 (east_db2)"
    made.do("go-async", Plan(WEST_DB1, EAST_DB1))
    made[EAST_DB1].waits = "ANY 1 (east_db2)"
    made.do("go-async", Plan(EAST_DB1, EAST_DB2))
    assert made[EAST_DB1].did == ["waits for None", "waits for None"]
