"""Steering: `app.lab.test` leads to a region that takes orders, also after a resolver forgot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inside import ask_udp_times
from world import World

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, EAST, WEST, Place, links_into
from lab.core.wait import wait_until
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
STEERING = Place("east", "steering")
LOOK_UPS = 100


@pytest.fixture(scope="module")
def idle_afterwards(world: World) -> Iterator[None]:
    """The machine is for probes alone again, after the last test."""
    yield
    world.compose(EAST, "steering", idle=True).start()


@pytest.fixture
def steered(world: World, idle_afterwards: None, serving_edges: Lab) -> Iterator[Lab]:
    """A lab whose east is steered, until the test is over."""
    world.compose(EAST, "steering").start()
    yield serving_edges
    serving_edges.engine.kill([STEERING])


def test_the_app_is_published_and_published_again_after_the_resolver_forgot(steered: Lab) -> None:
    _wait_for_answer(steered, "east")
    dns = Place("east", "dns")
    steered.engine.kill([dns])
    steered.engine.start([dns])
    _wait_for_answer(steered, "east")
    state = steered.steerings[EAST].state()
    assert state.answer == (_gateway(steered, "east"),)
    assert {name: view.state for name, view in state.view.items()} == {
        "east": "ready",
        "west": "ready",
    }


def test_users_are_led_to_the_region_that_takes_orders(steered: Lab) -> None:
    _wait_for_answer(steered, "east")
    steered.guests[EAST].set_read_only(True)
    _wait_for_answer(steered, "west")
    assert steered.steerings[EAST].state().view["east"].state == "live"
    steered.guests[EAST].set_read_only(False)
    _wait_for_answer(steered, "east")


def test_a_steering_whose_link_is_cut_leads_users_away(steered: Lab) -> None:
    _wait_for_answer(steered, "east")
    steered.links.armed_to_close(links_into(EAST))()
    _wait_for_answer(steered, "west")
    assert steered.steerings[EAST].state().view["east"].state == "down"
    assert steered.names.ask(WEST, APP_NAME) == ()  # the other region's resolver is not its own


def test_a_share_of_look_ups_leads_elsewhere(steered: Lab) -> None:
    _wait_for_answer(steered, "east")
    steered.steerings[EAST].pin(WEST, "a test", 20)
    both = tuple(sorted(_gateway(steered, each) for each in ("east", "west")))
    wait_until("both addresses", lambda: steered.names.ask(EAST, APP_NAME) == both, 5)

    def led() -> float:
        first = [answer[0] for answer in ask_udp_times(steered, EAST, APP_NAME, LOOK_UPS)]
        return first.count(_gateway(steered, "west")) / LOOK_UPS

    # The resolver reads weights once a second; 20 of 100 are 5 to 35 but for one in 10,000 times.
    wait_until("a fifth of the look-ups to lead west", lambda: 0.05 <= led() <= 0.35, 5)
    steered.steerings[EAST].pin(WEST, "a test", 90)
    wait_until("nine tenths of the look-ups to lead west", lambda: led() >= 0.78, 5)
    assert steered.steerings[EAST].state().share == 90
    steered.steerings[EAST].unpin()
    _wait_for_answer(steered, "east")


def _gateway(lab: Lab, region: str) -> str:
    return lab.settings.addresses.internet(Place(region, "gateway"))


def _wait_for_answer(lab: Lab, region: str) -> None:
    wait_until(
        f"{APP_NAME} to lead to {region}",
        lambda: lab.names.ask(EAST, APP_NAME) == (_gateway(lab, region),),
        15,
        ignoring=(LabError,),
    )
