"""A drill's thresholds of steering: set, proven to be in force, told, and put back."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context
from steering.decide import Thresholds

from chaos.region_loss import DRILL
from lab.core import steering
from lab.core.errors import LabError, WaitExpired
from lab.core.steering import Steering
from lab.core.topology import EAST, REGIONS, WEST
from lab.drills import evaluate
from lab.drills.drill import Course
from lab.infra.clients import SteeringState
from lab.steps import reopening
from lab.testbed import inforce, resetting, tuning

PATIENT = Steering(interval=2, fall=5, alone=10)


class Program:
    """A steering that takes thresholds, unless it is `dead` or `deaf`."""

    def __init__(self) -> None:
        self.used: dict[str, float] = asdict(Steering())
        self.other_route = ""
        self.dead = self.deaf = False
        self.told = 0

    def tune(self, wanted: Steering) -> None:
        if self.dead:
            raise LabError("no answer")
        self.told += 1
        if not self.deaf:
            self.used = asdict(wanted)

    def state(self) -> SteeringState:
        if self.dead:
            raise LabError("no answer")
        return SteeringState(
            boot_id="boot", monotonic=1.0, region="east", view={}, answer=(), ttl=2,
            thresholds=self.used, other_route=self.other_route,
        )  # fmt: skip

    def follow(self, route: dict[str, object]) -> bool:
        assert route == {"policy": None}
        self.other_route = ""
        return True

    def unpin(self) -> None:
        pass


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tuning, "_TOLD_SECONDS", 0.0)
    return SimpleNamespace(steerings={each: Program() for each in REGIONS})


def test_the_tool_and_the_program_have_the_same_defaults() -> None:
    assert asdict(Steering()) == asdict(Thresholds())


def test_each_field_has_a_limit() -> None:
    assert [*steering.FIELDS] == [*asdict(Steering())]


def test_what_differs_is_told_beside_the_default() -> None:
    assert PATIENT.changed == {"interval": 2, "fall": 5, "alone": 10}
    assert steering.told(PATIENT.changed) == (
        "interval 2 s (default 0.5 s), fall 5 (default 3) and alone 10 s (default 1 s)"
    )
    assert Steering().changed == {}
    assert steering.differing({"of a newer program": 1.0}) == {}
    assert [*steering.differing({"fall": 5, "interval": 2})] == ["interval", "fall"]


def test_both_steerings_use_a_drills_thresholds(lab: Any) -> None:
    tuning.tune(lab, PATIENT)
    assert {name: each.state().thresholds for name, each in lab.steerings.items()} == {
        each: asdict(PATIENT) for each in REGIONS
    }


@pytest.mark.parametrize("how", ["deaf", "dead"])
def test_a_steering_that_does_not_take_them_stops_the_drill(lab: Any, how: str) -> None:
    setattr(lab.steerings[WEST], how, True)
    with pytest.raises(WaitExpired, match="west's steering to use the drill's thresholds"):
        tuning.tune(lab, PATIENT)


def test_the_default_is_put_back_where_it_differs(lab: Any) -> None:
    lab.steerings[EAST].tune(PATIENT)
    assert tuning.restore(lab) == (EAST,)
    assert [each.used for each in lab.steerings.values()] == [asdict(Steering())] * 2
    assert tuning.restore(lab) == ()
    assert lab.steerings[WEST].told == 0
    lab.steerings[EAST].tune(PATIENT)
    lab.steerings[EAST].dead = True
    assert tuning.restore(lab) == ()


def test_a_reset_puts_the_default_back(lab: Any) -> None:
    lab.steerings[EAST].tune(PATIENT)
    resetting._steer(lab.steerings[EAST])
    assert lab.steerings[EAST].used == asdict(Steering())


def test_thresholds_that_a_killed_drill_left_are_in_force(lab: Any) -> None:
    assert inforce._steered(lab) == []
    lab.steerings[WEST].tune(Steering(fall=7))
    assert [str(each) for each in inforce._steered(lab)] == [
        "west's steering has other thresholds: fall 7 (default 3)"
    ]


def test_another_routing_policy_is_in_force_until_the_default_is_put_back(lab: Any) -> None:
    lab.steerings[WEST].other_route = "failover primary=east"
    assert [str(each) for each in inforce._steered(lab)] == [
        "west's steering has another policy: failover primary=east"
    ]
    assert tuning.restore(lab) == (WEST,)
    assert inforce._steered(lab) == []
    assert [each.told for each in lab.steerings.values()] == [0, 0]
    lab.steerings[EAST].other_route = "latency"
    resetting._steer(lab.steerings[EAST])
    assert lab.steerings[EAST].other_route == ""


def test_reopening_ends_them_and_says_so(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.steerings[EAST].tune(PATIENT)
    monkeypatch.setattr(reopening, "_refuse_without_one_primary", lambda _lab: None)
    monkeypatch.setattr(reopening, "tell_shops", lambda *_, **__: "shops told")
    east = lab.steerings[EAST]
    east.other_route, led = "failover primary=west", list[str]()
    # Users are led home by the default policy, so that must be in force again by then.
    monkeypatch.setattr(
        reopening, "go_home", lambda _context: led.append(east.other_route) or "home"
    )
    monkeypatch.setattr(reopening.ttls, "restore", lambda _context: "ttl")
    monkeypatch.setattr(reopening.inforce, "modes", lambda _lab: {EAST: None})
    monkeypatch.setattr(reopening.gates, "tried", lambda *_: "ordered")
    said = reopening._reopen(context(lab))
    assert (
        said
        == "shops told; home; ttl; east's steering has the default policy and thresholds; ordered"
    )
    assert led == [""]


def test_a_drill_sets_its_thresholds_and_says_so(lab: Any) -> None:
    said = list[str]()
    course = Course.__new__(Course)
    course._chosen = replace(DRILL, steering=PATIENT)
    course.context = cast(
        "Any", SimpleNamespace(whole=lab, recorder=SimpleNamespace(say=said.append))
    )
    course._tune_steerings()
    assert lab.steerings[EAST].used == asdict(PATIENT)
    assert said == [f"both steerings use {steering.told(PATIENT.changed)}"]


def test_the_result_names_those_that_differ_from_the_default() -> None:
    assert evaluate._thresholds(PATIENT) == {
        "steering_interval_seconds": 2,
        "steering_fall": 5,
        "steering_alone_seconds": 10,
    }
    assert evaluate._thresholds(Steering()) == {}
