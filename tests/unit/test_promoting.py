"""A standby is not promoted past a copy that has more, and all that are ahead are mended."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contexts import context

from lab.core.errors import LabError, Refused
from lab.core.lineage import Position
from lab.core.topology import (
    DATABASES,
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Replication,
)
from lab.metrics.measure import Fork
from lab.metrics.waldump import Commit
from lab.postgres import finalread
from lab.postgres.salvage import Keep
from lab.runbooks.runbook import Plan
from lab.runbooks.scenarios import topology_with
from lab.steps import promoting
from lab.steps.catalogue import step
from lab.steps.context import Context

ZONE = Plan(EAST_DB1, EAST_DB2)
AWAY = Plan(EAST_DB1, WEST_DB1)
BEHIND = (Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1))
DONE = (
    "east.db2 waits for no standby (synchronous_standby_names = ''); promoted;"
    " all replication slots that it needs exist"
)
AFTER = Replication(EAST_DB2, None, BEHIND)
STALE, FRESH = Position(1, 0x200E2E0), Position(1, 0x2097D60)
BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def commits(number: int, apart: float) -> tuple[Commit, ...]:
    """So many, each `apart` seconds after the one before."""
    return tuple(
        Commit(1, each, 0x200E2E0 + each, BEGAN + timedelta(seconds=each * apart))
        for each in range(number)
    )


class Named(SimpleNamespace):
    """What is known by its place."""

    def __init__(self, place: Place, **more: Any) -> None:
        super().__init__(**more)
        self.place = place

    def __str__(self) -> str:
        return str(self.place)


class Databases:
    """Nodes that answer as standbys; those that are not in `stands` are dead."""

    def __init__(self, stands: dict[Place, Position], primary: Place | None = None) -> None:
        self.stands, self.primary, self.did = stands, primary, list[str]()
        self.missing = list[str]()

    def __getitem__(self, place: Place) -> Any:
        return Named(
            place,
            stand=lambda: self._stand(place),
            position=lambda: self._stand(place)[1],
            state=lambda: self._stand(place)[0],
            set_synchronous=lambda standby, _upstream=None: self._waits(standby),
            ensure_slots=lambda _standbys: self.missing,
            answers=lambda: place in self.stands,
            kept_open=nullcontext,
        )

    def _waits(self, standby: Place | None) -> str:
        self.did.append(f"waits for {standby}")
        return str(standby or "")

    def _stand(self, place: Place) -> tuple[Any, Position]:
        if place not in self.stands:
            raise LabError(f"{place} does not run")
        recovers = place != self.primary
        role = "standby" if recovers else "primary"
        return SimpleNamespace(in_recovery=recovers, role=role), self.stands[place]

    def follow_all(self, arrows: Any, primary: Place, keep: Keep) -> list[str]:
        return [f"{each.standby} behind {each.upstream} kept in {keep.folder}" for each in arrows]

    def prove(self, after: Replication) -> dict[Place, float]:
        return dict.fromkeys((each.standby for each in after.follows), 0.1)


@pytest.fixture
def waldump(monkeypatch: pytest.MonkeyPatch) -> dict[Place, tuple[Commit, ...]]:
    """What is in the WAL of each node; the steps of a promotion are done without a word."""
    found: dict[Place, tuple[Commit, ...]] = {}

    def read(_engine: object, place: Place, fork: Fork) -> tuple[Commit, ...]:
        if place not in found:
            raise LabError("could not find file")
        assert fork == Fork(1, STALE.end)
        return found[place]

    monkeypatch.setattr(finalread, "read_commits", read)
    monkeypatch.setattr(promoting, "_promoted", lambda _node, _looks: "promoted")
    return found


def deed(
    databases: Databases, plan: Plan = ZONE, after: Replication = AFTER, *, force: bool = False,
    **options: Any,
) -> Context:  # fmt: skip
    running = SimpleNamespace(frozen=False)
    engine = SimpleNamespace(
        each=lambda several, act: list(map(act, several)),
        state=lambda _place: running,
        alive=lambda places: tuple(each for each in places if each != plan.old),
    )
    row = step("refollow" if "accept_unread" in options else "promote")
    return context(
        SimpleNamespace(engine=engine, databases=databases), plan, after,
        SimpleNamespace(folder=Path("runs/1")), options=row.chosen(options), force=force,
    )  # fmt: skip


def promoted(found: Context) -> str:
    return promoting._promote(found)


def test_a_standby_that_others_are_ahead_of_is_not_promoted(
    waldump: dict[Place, tuple[Commit, ...]],
) -> None:
    waldump[WEST_DB1] = waldump[WEST_DB2] = commits(800, 0.02)
    stands = {EAST_DB2: STALE, WEST_DB1: FRESH, WEST_DB2: FRESH}
    with pytest.raises(Refused) as caught:
        promoted(deed(Databases(stands)))
    assert caught.value.message == (
        "refused: west.db1 has 550.6 KiB (up to 800 orders) more than east.db2, and so has west.db2"
    )
    assert "west.db1 can be promoted instead" in caught.value.next_step
    assert "--accept-loss" in caught.value.next_step


def test_with_a_named_yes_it_is_promoted_and_the_journal_has_the_amount(
    waldump: dict[Place, tuple[Commit, ...]],
) -> None:
    waldump[WEST_DB1] = commits(800, 0.02)
    stands = {EAST_DB2: STALE, WEST_DB1: FRESH, WEST_DB2: STALE}
    assert promoted(deed(Databases(stands), accept_loss=True)) == (
        "west.db1 has 550.6 KiB (up to 800 orders) more; that loss was accepted"
        f" (accept_loss); {DONE}"
    )
    assert "that loss was accepted (force)" in promoted(deed(Databases(stands), force=True))


@pytest.mark.usefixtures("waldump")
def test_orders_stay_unsaid_where_the_wal_does_not_tell_them() -> None:
    with pytest.raises(Refused, match=r"west\.db1 has 550\.6 KiB more than east\.db2"):
        promoted(deed(Databases({EAST_DB2: STALE, WEST_DB1: FRESH})))


def test_a_copy_on_a_later_timeline_is_ahead_though_its_position_is_not(
    waldump: dict[Place, tuple[Commit, ...]],
) -> None:
    """Compared is what each has beyond the last that both share, never two bare positions."""
    later, other = Position(2, STALE.end, {1: STALE.end - 900}), Position(1, STALE.end + 10)
    waldump.clear()
    with pytest.raises(Refused, match=r"west\.db1 has 900 B more than east\.db2"):
        promoted(deed(Databases({EAST_DB2: other, WEST_DB1: later})))


def test_the_last_moment_of_a_primary_that_died_is_no_reason_to_wait_for_a_person(
    waldump: dict[Place, tuple[Commit, ...]],
) -> None:
    ahead = Position(1, STALE.end + 700)
    stands = {EAST_DB2: STALE, WEST_DB1: ahead}
    waldump[WEST_DB1] = commits(2, 0.005)
    assert "700 B (up to 2 orders) more, all from east.db1's last moment" in promoted(
        deed(Databases(stands))
    )
    waldump[WEST_DB1] = commits(2, 0.5)
    with pytest.raises(Refused):
        promoted(deed(Databases(stands)))
    waldump[WEST_DB1] = commits(1, 0)  # one commit may hold any number of orders
    with pytest.raises(Refused):
        promoted(deed(Databases({EAST_DB2: STALE, WEST_DB1: FRESH})))


@pytest.mark.usefixtures("waldump")
def test_who_has_everything_is_promoted_without_a_word() -> None:
    for stands in (
        {EAST_DB2: FRESH, WEST_DB1: STALE, WEST_DB2: STALE},
        {EAST_DB2: FRESH, WEST_DB1: FRESH},
        {EAST_DB2: FRESH},
    ):
        assert promoted(deed(Databases(stands))) == DONE


@pytest.mark.usefixtures("waldump")
def test_a_standby_on_a_timeline_that_was_left_is_no_better_one() -> None:
    """It has orders that an earlier failover gave up, and none of those that came after it."""
    restored = Position(2, STALE.end, {1: STALE.end - 100})
    assert promoted(deed(Databases({EAST_DB2: restored, WEST_DB1: FRESH}))) == DONE
    newer = Position(2, FRESH.end, restored.forks)
    with pytest.raises(Refused, match=r"west\.db1 has .* more than east\.db2"):
        promoted(deed(Databases({EAST_DB2: restored, WEST_DB1: newer})))


@pytest.mark.usefixtures("waldump")
def test_replication_slots_that_were_missing_are_named() -> None:
    found = Databases({EAST_DB2: FRESH})
    found.missing = ["west_db1"]
    assert promoted(deed(found)).endswith("; made the replication slot west_db1")
    found.missing.append("west_db2")
    assert promoted(deed(found)).endswith("; made the replication slots west_db1 and west_db2")


@pytest.mark.usefixtures("waldump")
def test_a_region_that_is_given_up_is_compared_only_as_long_as_it_can_be_reached() -> None:
    stands = {EAST_DB2: FRESH, WEST_DB1: STALE, WEST_DB2: STALE}
    apart = Replication(WEST_DB1, WEST_DB2, (Follows(WEST_DB2, WEST_DB1),))
    assert promoted(deed(Databases(stands), AWAY, apart)).startswith("west.db1: synchronous")
    with pytest.raises(Refused, match=r"east\.db2 has 550\.6 KiB more than west\.db1"):
        promoted(deed(Databases(stands), AWAY, topology_with(WEST_DB1)))


@pytest.mark.usefixtures("waldump")
def test_a_primary_is_promoted_again_whatever_others_have() -> None:
    stands = {EAST_DB2: STALE, WEST_DB1: FRESH}
    found = Databases(stands, primary=EAST_DB2)
    assert promoted(deed(found)) == DONE


@pytest.mark.usefixtures("waldump")
def test_a_third_that_is_primary_is_told_before_all_else() -> None:
    stands = dict.fromkeys(DATABASES[1:], STALE)
    with pytest.raises(Refused, match=r"refused: west\.db1 is primary"):
        promoted(deed(Databases(stands, primary=WEST_DB1)))


def test_all_of_the_topology_follows_in_one_step_also_who_stands_behind_another() -> None:
    """The one behind a standby that was ahead of the fork is ahead of it too."""
    told = promoting._refollow(deed(Databases({}), accept_unread=False))
    assert told == (
        "west.db1 behind east.db2 kept in runs/1; west.db2 behind west.db1 kept in runs/1;"
        " fresh WAL reaches west.db1, west.db2"
    )


def test_a_standby_that_could_follow_and_does_not_is_a_failure() -> None:
    alone = Replication(EAST_DB2, None, ())
    databases = Databases({EAST_DB2: STALE, WEST_DB1: STALE}, primary=EAST_DB2)
    with pytest.raises(LabError, match=r"no standby follows east\.db2, and west\.db1"):
        promoting._refollow(deed(databases, after=alone, plan=ZONE, accept_unread=False))
    left = Databases({EAST_DB2: STALE}, primary=EAST_DB2)
    told = promoting._refollow(deed(left, after=alone, plan=ZONE, accept_unread=False))
    assert told == "no other database answers: east.db2 has no standby"
