"""Shops on trial, on a real pair of regions: the lab's own, and one in another language."""

from __future__ import annotations

from collections.abc import Iterator

import exampleshop
import pytest
from world import World

from lab.commands.shop.check import beside
from lab.core.topology import EAST, Place
from lab.infra.shopcontract import Finding, State, broken, examine
from lab.infra.shoptrial import Trial
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def in_node(world: World) -> Iterator[str]:
    """The example's image, in the place of east's shop."""
    own, example = world.images["shop"], exampleshop.image()
    world.use(example, EAST)
    yield example
    world.use(own, EAST)


def tried(lab: Lab) -> dict[str, Finding]:
    url = f"http://127.0.0.1:{lab.engine.port(Place('east', 'gateway'), 8000)}"
    found = examine(Trial(url, lab.settings.jwt_key, beside=beside(lab)))
    return {each.clause.name: each for each in found}


def test_the_labs_own_shop_keeps_every_clause(serving: Lab) -> None:
    found = tried(serving)
    assert {name: each.reasons for name, each in found.items() if each.reasons} == {}
    assert {each.state for each in found.values()} == {State.KEPT}


def test_a_shop_in_another_language_takes_its_place(in_node: str, serving: Lab) -> None:
    assert serving.engine.image(Place("east", "app")) == in_node
    found = tried(serving)
    assert broken(found.values()) == (), found
    assert {each.state for each in found.values()} == {State.KEPT, State.MISSING}
    lacking = {name for name, each in found.items() if each.state is State.MISSING}
    assert lacking == {"read-only", "capacity", "deadline", "writer"}


def test_what_ends_is_told_from_an_image_without_the_labs_programs(serving: Lab) -> None:
    shop = Place("east", "app")
    code, said = serving.engine.run_code(shop, ["/bin/no-such-program"])
    assert code != 0
    assert "no such file or directory" in said
    assert not serving.engine.ending(shop)
