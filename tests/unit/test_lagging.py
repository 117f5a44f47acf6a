"""What a promotion would lose: what was flushed and not received, and never the age of a commit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from contexts import context

from lab.core.errors import LabError, Refused
from lab.core.lineage import Position
from lab.core.topology import DATABASES, EAST_DB1, EAST_DB2, WEST, WEST_DB1, WEST_DB2, Place
from lab.metrics import waldump
from lab.metrics.shortfall import Ages, Beyond, Shortfall, shortfall
from lab.metrics.waldump import Commit
from lab.postgres import finalread
from lab.postgres.server import NodeState
from lab.steps.lagging import _check_lag

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
OLD = "east.db1"


def commits(*seconds: float) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(seconds=each) for each in seconds)


# --- What follows from what is known -----------------------------------------------------------


def test_what_the_old_primary_has_beyond_is_what_would_be_lost() -> None:
    old = Beyond(OLD, 25_312, commits(0, 7, 15.1), orders=2)
    found = shortfall(OLD, old, (), Ages(received=75.9, heard=60.0, by="west's steering"))
    assert found.seconds == 15.1
    assert (
        found.told
        == "east.db1 has 25,312 B beyond that: 3 commits over 15.1 s, 2 orders among them"
    )


def test_a_node_that_has_all_of_it_loses_nothing_however_old_its_last_commit_is() -> None:
    found = shortfall(OLD, Beyond(OLD, 0), (), Ages(received=32.4))
    assert (found.seconds, found.told) == (0.0, "east.db1 has no WAL beyond that")


@pytest.mark.parametrize("later", [0.0, 60.0])
def test_without_the_old_primary_the_time_that_passes_meanwhile_is_no_loss(later: float) -> None:
    ages = Ages(received=21.1 + later, heard=6.0 + later, by="west's steering")
    found = shortfall(OLD, None, (Beyond("west.db2", 0),), ages)
    assert found.seconds == pytest.approx(15.1)
    assert found.told.startswith(
        "east.db1 cannot be asked. west.db2 has no WAL beyond that. The last received commit is"
        " 15.1 s older than the last sign of a working primary"
    )
    assert found.told.endswith("What east.db1 took after that is unknown")


def test_bytes_that_the_old_primary_named_and_that_did_not_arrive_are_told() -> None:
    found = shortfall(OLD, None, (), Ages(3.0, 1.0, "its receiver"), announced=4096)
    assert "east.db1 had announced 4,096 B that did not arrive" in found.told


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        (Ages(), "The time of the last received commit is unknown"),
        (
            Ages(heard=1.0, by="its receiver"),
            "The time of the last received commit is unknown",
        ),
        (
            Ages(received=9.0),
            "The last received commit is 9.00 s old. No sign of a primary is known",
        ),
    ],
)
def test_what_cannot_be_known_is_unknown_and_more_than_any_limit(ages: Ages, said: str) -> None:
    found = shortfall(OLD, None, (Beyond("west.db2", 0),), ages)
    assert (found.seconds, found.exceeds(1e9)) == (None, True)
    assert found.told == (
        f"east.db1 cannot be asked. west.db2 has no WAL beyond that. {said}."
        " What east.db1 took after that is unknown"
    )


@pytest.mark.parametrize("ages", [Ages(), Ages(received=9.0), Ages(heard=1.0)])
@pytest.mark.parametrize("old", [None, Beyond(OLD, 900)])
def test_a_copy_that_has_more_makes_an_unknown_loss_no_smaller(
    old: Beyond | None, ages: Ages
) -> None:
    """The old primary may have gone on for long after what that copy has."""
    ahead = Beyond("east.db2", 900, commits(0, 4))
    found = shortfall(OLD, old, (ahead,), ages)
    assert (found.seconds, found.exceeds(1e9)) == (None, True)
    assert "east.db2 has 900 B beyond that: 2 commits over 4.00 s" in found.told


def test_an_old_primary_whose_log_cannot_be_read_is_told_with_that_alone() -> None:
    found = shortfall(OLD, Beyond(OLD, 900), (), Ages(received=9.0))
    assert found == Shortfall(
        None, "east.db1 has 900 B beyond that, and the commits in it cannot be read"
    )


def test_wal_without_a_commit_is_no_order() -> None:
    assert str(Beyond(OLD, 600, ())) == "east.db1 has 600 B beyond that: no commits over 0 s"
    assert Beyond(OLD, 600, ()).seconds == 0.0


def test_another_copy_that_has_more_is_told_and_counts_as_lost() -> None:
    ahead = Beyond("east.db2", 900, commits(0, 4), orders=2)
    found = shortfall(OLD, None, (ahead, Beyond("west.db2", 0)), Ages(1.0, 1.0, "its receiver"))
    assert found.seconds == 4.0
    assert found.told == (
        "east.db1 cannot be asked. east.db2 has 900 B beyond that: 2 commits over 4.00 s, 2 orders"
        " among them. The last received commit is 0 s older than the last sign of a working"
        " primary; its receiver saw that sign 1.00 s ago"
    )


def test_a_log_that_cannot_be_read_leaves_the_time_between_two_signs() -> None:
    found = shortfall(OLD, Beyond(OLD, 900), (), Ages(9.0, 2.0, "west's steering"))
    assert found.seconds == 7.0
    assert found.told == (
        "east.db1 has 900 B beyond that, and the commits in it cannot be read. The last received"
        " commit is 7.00 s older than the last sign of a working primary; west's steering saw that"
        " sign 2.00 s ago"
    )


@pytest.mark.parametrize("limit", [0.0, 0.4])
def test_a_guess_never_shows_that_less_is_lost_than_a_primary_takes_between_two_looks(
    limit: float,
) -> None:
    guessed = shortfall(OLD, None, (), Ages(2.0, 2.0, "west's steering"))
    assert (guessed.seconds, guessed.exceeds(limit), guessed.exceeds(0.5)) == (0.0, True, False)
    known = shortfall(OLD, Beyond(OLD, 0), (), Ages())
    assert not known.exceeds(0.0)


def test_the_end_of_a_log_is_the_position_that_the_error_names_last() -> None:
    ended = (
        "pg_waldump: error: error in WAL record at 0/5A00108: invalid record length at 0/5A00140"
    )
    assert waldump.end(f"{ended}: expected at least 24, got 0") == 0x5A00140
    assert waldump.end("pg_waldump: error: could not find a valid record after 0/7") == 7
    with pytest.raises(LabError):
        waldump.end("no such directory")


# --- What is asked -----------------------------------------------------------------------------


def state(place: Place, received: int, timeline: int = 1, **changes: Any) -> NodeState:
    said: dict[str, Any] = {
        "node": place, "server_name": place.server_name, "in_recovery": place != EAST_DB1,
        "timeline": timeline, "received": received, "replayed": received, "replay_age": 90.0,
        "receiver": "", "synchronous_names": "", "slots": (),
    }  # fmt: skip
    return NodeState(**{**said, **changes})


class Server:
    """A database of which only what is asked of it here is there; None does not answer."""

    def __init__(self, place: Place, said: NodeState | None) -> None:
        self.place, self.said = place, said
        self.forks: dict[int, int] = {}
        self.heard: tuple[float | None, ...] = (NOON.timestamp(), None, None, None)

    def __str__(self) -> str:
        return str(self.place)

    def kept_open(self) -> AbstractContextManager[None]:
        return nullcontext()

    def stand(self) -> tuple[NodeState, Position]:
        if self.said is None:
            raise LabError(f"{self.place}: no connection")
        return self.said, Position(self.said.timeline, self.said.received, self.forks)

    def query(self, sql: str, *_rest: object, **_more: object) -> list[tuple[Any, ...]]:
        return [(1,)] if "FROM orders" in sql else [self.heard]


class World:
    """East is lost at 1,000 bytes of timeline 1, 600 s ago by west's steering."""

    def __init__(self) -> None:
        said = {EAST_DB1: None, EAST_DB2: None}
        west = {each: state(each, 1000) for each in (WEST_DB1, WEST_DB2)}
        self.databases = {each: Server(each, {**said, **west}[each]) for each in DATABASES}
        self.dead, self.frozen = set[Place](), set[Place]()
        self.engine = SimpleNamespace(
            each=lambda places, act: [act(each) for each in places],
            alive=lambda places: tuple(each for each in places if each not in self.dead),
            state=lambda place: SimpleNamespace(frozen=place in self.frozen),
        )
        self.logs: dict[Place, tuple[tuple[Commit, ...], int]] = {}
        view = {"east": SimpleNamespace(proven=400.0), "west": SimpleNamespace(proven=None)}
        self.steerings = {
            WEST: SimpleNamespace(state=lambda: SimpleNamespace(view=view, monotonic=480.0))
        }

    def rest(self, _engine: object, place: Place, _fork: object) -> tuple[Any, int]:
        if place not in self.logs:
            raise LabError(f"{place} does not run")
        return self.logs[place]

    def log(self, place: Place, end: int, *seconds: float) -> None:
        found = tuple(Commit(1, n, end - 1, at) for n, at in enumerate(commits(*seconds)))
        self.logs[place] = found, end

    def checked(self, rpo: int = 300, *, accept: bool = False) -> str:
        options = {"rpo": rpo, "accept_loss": accept}
        return _check_lag(context(self, options=options))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    rest: Callable[..., Any] = made.rest
    monkeypatch.setattr(finalread, "read_rest", rest)
    monkeypatch.setattr(finalread, "read_commits", lambda *given: rest(*given)[0])
    return made


def test_an_old_primary_that_answers_is_asked(world: World) -> None:
    world.databases[EAST_DB1].said = state(EAST_DB1, 1000)
    assert world.checked().endswith(
        "east.db1 has no WAL beyond that. west.db2 has no WAL beyond that. 0 s of orders would be"
        " lost. The RPO is 5 min 0 s"
    )
    world.databases[EAST_DB1].said = state(EAST_DB1, 3000)
    world.log(EAST_DB1, 3000, 0.0, 15.1)
    with pytest.raises(
        Refused, match=r"2,000 B beyond that: 2 commits over 15\.1 s, 1 order among them"
    ):
        world.checked(rpo=10)


def test_one_whose_server_was_fenced_is_read_where_its_log_lies(world: World) -> None:
    world.log(EAST_DB1, 1000)
    assert "east.db1 has no WAL beyond that" in world.checked(rpo=0)
    world.log(EAST_DB1, 1600, 0.0, 2.0)
    assert "east.db1 has 600 B beyond that: 2 commits over 2.00 s, and each may be an order" in (
        world.checked()
    )


def test_nothing_is_asked_of_a_machine_that_has_just_died(world: World) -> None:
    """The engine would answer only when it has taken that machine's networks apart."""
    world.dead = {EAST_DB1, EAST_DB2}
    world.databases[EAST_DB1].said = state(EAST_DB1, 3000)
    world.log(EAST_DB1, 3000, 0.0, 15.1)
    assert "east.db1 cannot be asked" in world.checked()


def test_what_an_earlier_failover_gave_up_is_no_loss_of_this_one(world: World) -> None:
    """The copy was not rewound yet: it has orders of a timeline that nobody follows any more."""
    world.databases[WEST_DB1].said = state(WEST_DB1, 1000, timeline=2)
    world.databases[WEST_DB1].forks = {1: 900}
    world.databases[WEST_DB2].said = state(WEST_DB2, 990, timeline=1)
    world.log(WEST_DB2, 990, 0.0, 15.0)
    assert "west.db2" not in world.checked()
    world.databases[WEST_DB2].said = state(WEST_DB2, 1090, timeline=2)
    world.databases[WEST_DB2].forks = {1: 900}
    assert "west.db2 has 90 B beyond that" in world.checked()


def test_nothing_is_asked_of_a_frozen_machine(world: World) -> None:
    """It would keep the question until its time-out, and users wait for the promotion."""
    world.frozen = {WEST_DB2}
    assert "west.db2" not in world.checked()


def test_of_one_that_cannot_be_asked_the_last_sign_counts(world: World) -> None:
    told = world.checked()
    assert "last received commit is 10.0 s older than the last sign of a working primary" in told
    assert "saw that sign 80.0 s ago" in told
    with pytest.raises(Refused, match=r"About 10\.0 s of orders .*That is more than the RPO"):
        world.checked(rpo=5)


def test_what_was_received_and_is_not_replayed_is_not_lost(world: World) -> None:
    """Replay is paused: the last commit that it shows is old, the last that it has is not."""
    world.databases[WEST_DB1].said = state(WEST_DB1, 1000, replayed=400)
    world.log(WEST_DB1, 1000, -100.0, -80.5)
    assert ". About 0.50 s of orders would be lost" in world.checked()


def test_a_loss_of_unknown_size_needs_a_person(world: World) -> None:
    world.databases[WEST_DB1].said = state(WEST_DB1, 1000, replay_age=None)
    with pytest.raises(Refused, match="How much would be lost is unknown") as caught:
        world.checked()
    assert "--accept-loss" in caught.value.next_step
    assert "That loss was accepted" in world.checked(accept=True)


def test_a_copy_of_a_newer_timeline_is_compared_from_where_it_left_the_older_one(
    world: World,
) -> None:
    world.databases[WEST_DB2].said = state(WEST_DB2, 1500, timeline=2)
    world.databases[WEST_DB2].forks = {1: 900}
    assert "west.db2 has 600 B beyond that" in world.checked()
