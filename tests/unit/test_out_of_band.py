"""The management network: what it does not reach, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.topology import EAST, EAST_DB1, EAST_DB2, WEST_DB1, Place
from lab.infra import managementnet
from lab.infra.managementnet import OutOfBandLost
from lab.runbooks.runbook import Plan
from lab.steps import context


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))


def test_nothing_is_cut_at_first() -> None:
    assert managementnet.cut("lab") == frozenset()


def test_cuts_add_up_and_are_regained_one_by_one_or_all_at_once() -> None:
    managementnet.lose("lab", [EAST_DB1])
    managementnet.lose("lab", [EAST_DB1, EAST_DB2, WEST_DB1])
    assert managementnet.cut("lab") == {EAST_DB1, EAST_DB2, WEST_DB1}
    managementnet.regain("lab", [EAST_DB1])
    assert managementnet.cut("lab") == {EAST_DB2, WEST_DB1}
    managementnet.regain("lab")
    assert managementnet.cut("lab") == frozenset()
    managementnet.regain("lab")


def test_one_labs_cut_is_not_anothers() -> None:
    managementnet.lose("lab", [EAST_DB1])
    assert managementnet.cut("second") == frozenset()


class OutOfReach:
    """A lab in which the management network does not lead to east."""

    def __init__(self) -> None:
        self.engine = self
        node = SimpleNamespace(answers=lambda: True, followers=lambda: ())
        self.databases = dict.fromkeys((EAST_DB2, WEST_DB1, WEST_DB1.twin), node)

    def each(self, places: Iterable[Place], act: Callable[[Place], object]) -> list[object]:
        return [act(place) for place in places]

    def running(self, place: Place) -> bool:
        if place.region is EAST:
            raise OutOfBandLost(place)
        return True


@pytest.mark.parametrize("linked", [True, False])
def test_a_promotion_needs_no_answer_of_machines_that_nothing_reaches(
    linked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "reachable", lambda _lab, _link: linked)
    ending = context.Ending(cast("Any", OutOfReach()), Plan(EAST_DB1, WEST_DB1))
    assert ending().members == {WEST_DB1, WEST_DB1.twin}
