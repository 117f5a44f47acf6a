"""The node whose data counts is read, whatever a runbook that stopped half-way left of it."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.core.errors import LabError, MachineDown
from lab.core.topology import DATABASES, EAST_DB1, EAST_DB2, Place
from lab.drills import evidence
from lab.metrics.placing import Row
from lab.postgres import finalread
from lab.runbooks.runbook import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = Plan(EAST_DB1, EAST_DB2)
ROWS = {"east-1": Row(1)}


class Dead:
    """A database on a machine that is dead until it boots; its disk is a standby's or not."""

    def __init__(self, place: Place, *, standby: bool = False) -> None:
        self.place, self.standby = place, standby

    def state(self) -> Any:
        raise MachineDown(self.place, "exited")

    def answers(self) -> bool:
        return False

    def is_standby_on_disk(self) -> bool:
        return self.standby


class Machines:
    """Nodes on machines that do not run, and what was done to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *nodes: Dead) -> None:
        self.booted, self.copied = list[Place](), list[Place]()
        databases = {each.place: each for each in nodes}
        self.lab = cast("Any", SimpleNamespace(engine=None, databases=databases))
        monkeypatch.setattr(finalread, "boot", lambda _engine, place: self.booted.append(place))
        monkeypatch.setattr(finalread, "_autopsy", self._autopsy)
        monkeypatch.setattr(finalread, "_orders", lambda _ask: ROWS)

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
    assert evidence._kept(machines.lab, EAST_DB1, rested()) == ROWS
    assert machines.booted == machines.copied == [EAST_DB1]


def test_what_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1))

    def fails(*_: object) -> None:
        raise LabError("the engine is gone")

    monkeypatch.setattr(finalread, "boot", fails)
    assert "gone" in str(evidence._kept(machines.lab, EAST_DB1, rested()))


@pytest.mark.parametrize(
    ("standby", "winner"),
    [
        (True, EAST_DB1),  # it died or froze before it was promoted
        (False, EAST_DB2),
    ],
)
def test_of_two_dead_nodes_the_disk_says_which_one_counts(
    monkeypatch: pytest.MonkeyPatch, standby: bool, winner: Place
) -> None:
    machines = Machines(monkeypatch, Dead(EAST_DB1), Dead(EAST_DB2, standby=standby))
    assert evidence.winner_of(machines.lab, PLAN) == winner
    assert winner in DATABASES
