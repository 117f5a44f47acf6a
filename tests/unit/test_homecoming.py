"""The node whose data counts is read, whatever a runbook that stopped half-way left of it."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab import finalread, homecoming
from lab.classify import Row
from lab.errors import LabError, MachineDown
from lab.steps import Takeover
from lab.topology import DATABASES, EAST_DB1, EAST_DB2, WEST, Place, Replication

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = Takeover(
    lost=(EAST_DB1, EAST_DB2), old=EAST_DB1, witness=WEST, symptoms=("down",),
    after=Replication(EAST_DB2, None, ()),
)  # fmt: skip
ROWS = {"east-1": Row(1)}


class Dead:
    """A database on a machine that is dead until it boots; its disk is a standby's or not."""

    def __init__(self, place: Place, *, standby: bool = False, thaws: bool = False) -> None:
        self.place, self.standby, self.thaws = place, standby, thaws
        self.booted = False

    def state(self) -> Any:
        raise MachineDown(self.place, "exited")

    def answers(self) -> bool:
        return self.thaws and self.booted

    def primary_on_disk(self) -> int | None:
        if not self.booted:
            raise MachineDown(self.place, "exited")
        return None if self.standby else 2


class Machines:
    """Nodes on machines of one status, and what was done to them."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *nodes: Dead, status: str = "exited"
    ) -> None:
        self.nodes, self.copied = {each.place: each for each in nodes}, list[Place]()
        engine = SimpleNamespace(state=lambda _place: SimpleNamespace(status=status))
        self.lab = cast("Any", SimpleNamespace(engine=engine, databases=self.nodes))
        monkeypatch.setattr(finalread, "boot", lambda _engine, place: self._boot(place))
        monkeypatch.setattr(finalread, "_autopsy", self._autopsy)
        monkeypatch.setattr(finalread, "read_living", lambda _node: {"in place": Row(1)})
        monkeypatch.setattr(finalread, "_orders", lambda _ask: ROWS)

    def _boot(self, place: Place) -> None:
        self.nodes[place].booted = True

    @contextmanager
    def _autopsy(self, _engine: object, place: Place) -> Iterator[object]:
        self.copied.append(place)
        yield None


def rested() -> Future[dict[str, int]]:
    done = Future[dict[str, int]]()
    done.set_result({})
    return done


def test_the_old_primary_that_died_is_read_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1))
    assert homecoming._kept(machines.lab, EAST_DB1, rested()) == ROWS
    assert machines.copied == [EAST_DB1]


def test_one_that_was_only_frozen_is_read_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1, thaws=True))
    assert homecoming._kept(machines.lab, EAST_DB1, rested()) == {"in place": Row(1)}
    assert machines.copied == []


def test_what_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1))

    def fails(*_: object) -> None:
        raise LabError("the engine is gone")

    monkeypatch.setattr(finalread, "boot", fails)
    assert "gone" in str(homecoming._kept(machines.lab, EAST_DB1, rested()))


@pytest.mark.parametrize(
    ("standby", "status", "winner"),
    [
        (True, "exited", EAST_DB1),  # it died before it was promoted
        (False, "exited", EAST_DB2),
        (True, "paused", EAST_DB2),  # a frozen one is not asked: it would go on
    ],
)
def test_of_two_dead_nodes_the_disk_says_which_one_counts(
    monkeypatch: pytest.MonkeyPatch, standby: bool, status: str, winner: Place
) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1), Dead(EAST_DB2, standby=standby), status=status)
    assert homecoming.winner_of(machines.lab, PLAN) == winner
    assert winner in DATABASES
