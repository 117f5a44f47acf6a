"""Faults of replication that servers betray: replay paused, WAL that is gone, a second primary."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from made_up_plights import SIZE, in_order

from lab.core.addresses import Addresses
from lab.core.errors import CommandFailed, LabError
from lab.core.topology import (
    DATABASES,
    DEFAULT_REPLICATION,
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Place,
)
from lab.faults import missingwal, replay, secondprimary
from lab.faults.catalogue import fault
from lab.faults.row import Aim
from lab.postgres import plights
from lab.postgres.plights import Plight, file_of, rewind_is_gone, second_primaries, starved
from lab.postgres.succession import Disk, Succession

ADDRESSES = Addresses("10.91")


def found(**changes: Plight) -> dict[Place, Plight]:
    said = dict(zip(DATABASES, in_order(ADDRESSES), strict=True))
    return said | {Place.parse(name): each for name, each in changes.items()}


HEALTHY = found()


def test_the_file_of_a_position_is_named_as_postgresql_names_it() -> None:
    assert file_of(0x1_2345_6789, 16 << 20) == "0000000100000023"
    assert file_of(0x1_2345_6789, SIZE) == "000000010000008D"
    assert file_of(0, SIZE) == "0" * 16


def test_where_every_upstream_has_what_is_wanted_no_standby_is_starved() -> None:
    assert starved(HEALTHY, ADDRESSES) == ()
    assert starved({}, ADDRESSES) == ()


@pytest.mark.parametrize(
    ("upstream", "wanting"),
    [(EAST_DB1, (EAST_DB2, WEST_DB1)), (WEST_DB1, (WEST_DB2,)), (EAST_DB2, ())],
)
def test_a_standby_is_starved_when_its_upstream_has_only_newer_wal(
    upstream: Place, wanting: tuple[Place, ...]
) -> None:
    newer = replace(HEALTHY[upstream], oldest=f"{6:016X}")
    assert starved({**HEALTHY, upstream: newer}, ADDRESSES) == wanting
    same = replace(HEALTHY[upstream], oldest=f"{5:016X}")
    assert starved({**HEALTHY, upstream: same}, ADDRESSES) == ()


def test_a_standby_whose_upstream_does_not_answer_is_not_called_starved() -> None:
    assert starved({WEST_DB2: HEALTHY[WEST_DB2]}, ADDRESSES) == ()


def test_behind_a_gateway_the_primary_is_asked_for() -> None:
    """Its standby next door may have less."""
    less = replace(HEALTHY[EAST_DB2], oldest=f"{6:016X}")
    assert WEST_DB1 not in starved({**HEALTHY, EAST_DB2: less}, ADDRESSES)


REPLACED = found(
    east_db1=replace(HEALTHY[EAST_DB1], started=300.0),
    west_db1=replace(HEALTHY[WEST_DB1], standby=False, timeline=2, promoted=200.0),
)


def test_a_primary_that_began_after_it_was_replaced_is_a_second_one() -> None:
    assert second_primaries(REPLACED) == (EAST_DB1,)
    assert second_primaries(HEALTHY) == ()


def test_a_primary_that_never_stopped_is_another_case() -> None:
    unfenced = {**REPLACED, EAST_DB1: HEALTHY[EAST_DB1]}
    assert second_primaries(unfenced) == ()


def test_of_two_on_one_timeline_none_is_the_second() -> None:
    rival = replace(REPLACED[EAST_DB1], timeline=2, promoted=250.0)
    assert second_primaries({**REPLACED, EAST_DB1: rival}) == ()


class Node:
    """A server that says this of itself, and notes what is done to it."""

    def __init__(self, place: Place, oldest: int = 0, forks: dict[int, int] | None = None) -> None:
        self.place, self.did = place, list[str]()
        self._oldest, self._forks = oldest, forks

    def __str__(self) -> str:
        return str(self.place)

    def asked(self, _script: str) -> list[str]:
        return [f"{self._oldest:016X}"] if self._oldest else []

    def forks(self) -> dict[int, int]:
        if self._forks is None:
            raise LabError("no answer")
        return self._forks

    def wal_file_size(self) -> int:
        return SIZE

    def stop(self, mode: str) -> None:
        self.did.append(f"stop {mode}")

    def start(self) -> None:
        self.did.append("start")

    def run_alone(self, script: str) -> str:
        self.did.append(script)
        return ""

    def state(self) -> Any:
        return SimpleNamespace(in_recovery=self.place != EAST_DB1)


@pytest.mark.parametrize(
    ("oldest", "forks", "gone"),
    [(6, {1: 5 * SIZE}, True), (5, {1: 5 * SIZE}, False), (6, {}, False), (6, None, False),
     (0, {1: 5 * SIZE}, False)],
)  # fmt: skip
def test_a_rewind_needs_the_log_back_to_the_fork(
    oldest: int, forks: dict[int, int] | None, gone: bool
) -> None:
    old: Any = Node(EAST_DB1, oldest)
    heir: Any = Node(WEST_DB1, forks=forks)
    assert rewind_is_gone(old, heir, 1) is gone


# ── as faults ────────────────────────────────────────────────────────────────────────────────


def sight(**changes: Any) -> Any:
    given = {"plights": HEALTHY, "starved": (), "beyond_rewind": (), **changes}
    return SimpleNamespace(**given)


def test_each_is_in_force_where_servers_say_so_and_nowhere_else() -> None:
    names = ("replay-paused", "wal-gone", "wal-recycled", "second-primary")
    assert [fault(each).present(sight()) for each in names] == [()] * 4
    paused = {**HEALTHY, WEST_DB2: replace(HEALTHY[WEST_DB2], paused=True)}
    assert fault("replay-paused").present(sight(plights=paused)) == (Aim(node=WEST_DB2),)
    assert fault("wal-gone").present(sight(starved=(WEST_DB1,))) == (Aim(node=WEST_DB1),)
    gone = sight(beyond_rewind=(EAST_DB1,))
    assert fault("wal-recycled").present(gone) == (Aim(node=EAST_DB1),)
    assert fault("second-primary").present(sight(plights=REPLACED)) == (Aim(node=EAST_DB1),)


class FakeLab:
    """A lab in its default topology, or one whose old primary was replaced."""

    def __init__(self, *, replaced: bool = False) -> None:
        self.settings = SimpleNamespace(addresses=ADDRESSES)
        self.nodes = {place: Node(place) for place in DATABASES}
        self.databases: Any = self
        self.started = list[Place]()
        self.engine = SimpleNamespace(
            start=self.started.extend, running=lambda _place: True, each=self.each,
            state=lambda _place: SimpleNamespace(frozen=False),
        )  # fmt: skip
        disks = {place: Disk(place != EAST_DB1, 1) for place in DATABASES}
        disks |= {WEST_DB1: Disk(False, 2)} if replaced else {}
        running = frozenset({WEST_DB1 if replaced else EAST_DB1})
        self.succession = Succession(disks, running)

    def __getitem__(self, place: Place) -> Node:
        return self.nodes[place]

    @staticmethod
    def each(several: Any, act: Any) -> list[Any]:
        return [act(each) for each in several]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missingwal.succession, "read", lambda _engine, lab: lab.succession)


@pytest.mark.parametrize("name", ["second-primary", "wal-recycled"])
def test_what_only_a_failover_leaves_is_refused_before_one(name: str, asked: None) -> None:
    lab: Any = FakeLab()
    with pytest.raises(LabError, match="no primary that was replaced") as caught:
        fault(name).at().arm(lab)
    assert "fail over first" in caught.value.next_step
    assert all(node.did == [] for node in lab.nodes.values())


def test_a_replaced_primary_is_started_by_hand_and_only_it_is_stopped(
    asked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab: Any = FakeLab(replaced=True)
    fault("second-primary").at().arm(lab)()
    assert lab[EAST_DB1].did == ["start"]
    monkeypatch.setattr(secondprimary.plights, "read", lambda _lab: REPLACED)
    secondprimary._stop(lab, Aim(node=WEST_DB1))
    assert lab[WEST_DB1].did == []
    assert secondprimary._is_stopped(lab, Aim(node=EAST_DB1)) is None
    secondprimary._stop(lab, Aim(node=EAST_DB1))
    assert lab[EAST_DB1].did == ["start", "stop immediate"]
    monkeypatch.setattr(secondprimary.plights, "read", lambda _lab: HEALTHY)
    assert secondprimary._is_stopped(lab, Aim(node=EAST_DB1))


def test_a_standby_is_left_behind_by_the_primary_that_it_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab: Any = FakeLab()
    lab.nodes[EAST_DB1].followers = lambda: (WEST_DB1,)
    monkeypatch.setattr(missingwal, "_topology", lambda _lab: DEFAULT_REPLICATION)
    monkeypatch.setattr(missingwal, "current_primary", lambda _lab: EAST_DB1)
    fault("wal-gone").at().arm(lab)()
    assert lab[WEST_DB1].did == ["stop fast", "start"]
    [script] = lab[EAST_DB1].did
    assert "max_slot_wal_keep_size" in script
    assert script.count("ALTER SYSTEM SET") == script.count("ALTER SYSTEM RESET") == 2
    assert "slot_name = 'west_db1'" in script
    with pytest.raises(LabError, match=r"west\.db2 does not follow the primary") as caught:
        fault("wal-gone").at(Aim(node=WEST_DB2)).arm(lab)
    assert "--node west.db1" in caught.value.next_step


def test_a_standby_that_was_stopped_for_it_is_started_whatever_went_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab: Any = FakeLab()

    def fails(script: str) -> str:
        raise CommandFailed("east.db1", script, 1, "no room")

    lab.nodes[EAST_DB1].run_alone = fails
    monkeypatch.setattr(missingwal, "_topology", lambda _lab: DEFAULT_REPLICATION)
    monkeypatch.setattr(missingwal, "current_primary", lambda _lab: EAST_DB1)
    with pytest.raises(CommandFailed):
        fault("wal-gone").at().arm(lab)()
    assert lab[WEST_DB1].did == ["stop fast", "start"]


def test_a_primary_replays_nothing_that_could_be_paused() -> None:
    lab: Any = FakeLab()
    with pytest.raises(LabError, match=r"east\.db1 is primary: it replays nothing"):
        replay._pause(lab, Aim(node=EAST_DB1))


def test_what_a_server_says_is_read_in_the_order_of_its_statement() -> None:
    row = (True, 2, 7 * SIZE, True, "host=10.91.1.11 port=5432", SIZE, "0" * 16, 10.0, 5.0)
    said = plights.said(row)
    assert (said.standby, said.timeline, said.paused, said.promoted) == (True, 2, True, 5.0)
    assert (said.host, said.wants) == ("10.91.1.11", f"{7:016X}")
