"""A lab that was put back sends users of each region home, without the wait that is for users."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.addresses import Addresses
from lab.core.topology import EAST, WEST, Place, Region
from lab.testbed.lab import Lab
from lab.testbed.resetting import leads_home

ADDRESSES = Addresses("10.91")
HOME = (ADDRESSES.internet(Place("east", "gateway")),)
AWAY = (ADDRESSES.internet(Place("west", "gateway")),)


class Steering:
    """East's, whose users were sent west."""

    def __init__(self) -> None:
        self.answer, self.pinned, self.view = AWAY, cast("str | None", None), "live"
        self.told: list[str | None] = []

    def state(self) -> Any:
        view = {"east": SimpleNamespace(state=self.view)}
        return SimpleNamespace(answer=self.answer, pinned=self.pinned, view=view)

    def pin(self, region: Region, _by: str) -> None:
        self.pinned = region.name
        self.told.append(self.pinned)
        self.answer = HOME if region is EAST else self.answer

    def unpin(self) -> None:
        self.pinned = None
        self.told.append(None)


@pytest.fixture
def steering() -> Steering:
    return Steering()


@pytest.fixture
def lab(steering: Steering) -> Lab:
    made: Any = object.__new__(Lab)
    made.settings = SimpleNamespace(addresses=ADDRESSES)
    made.steerings = {EAST: steering}
    made.names = SimpleNamespace(ask=lambda _viewer, _name: steering.answer)
    return cast("Lab", made)


def test_a_steering_that_sees_its_region_ready_is_told_to_and_then_left_alone(
    lab: Lab, steering: Steering
) -> None:
    sent = set[Region]()
    assert not leads_home(lab, EAST, sent)
    assert not steering.told  # it would send users to a region that takes no orders
    steering.view = "ready"
    answers = [leads_home(lab, EAST, sent) for _ in range(3)]
    assert answers == [False, False, True]
    assert steering.told == ["east", None]


def test_a_steering_that_is_at_home_is_told_nothing(lab: Lab, steering: Steering) -> None:
    steering.answer = HOME
    assert leads_home(lab, EAST, set())
    assert not steering.told


def test_what_an_operator_pinned_stays_pinned_and_is_not_waited_for(
    lab: Lab, steering: Steering
) -> None:
    steering.pinned, steering.view = WEST.name, "ready"
    assert leads_home(lab, EAST, set())
    assert not steering.told
    steering.pin(EAST, "an operator")
    assert leads_home(lab, EAST, set())
    assert steering.told == ["east"]
