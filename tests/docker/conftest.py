"""One throw-away lab for the whole folder, put back between the tests that break it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# Before testcontainers is imported: its reaper is an image that cannot be pulled everywhere.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

from docker import DockerClient
from world import Order, World, throw_away_world

from lab.core.errors import LabError
from lab.core.topology import EAST, WEST, Region
from lab.core.wait import wait_until
from lab.host.engine import client
from lab.testbed.lab import Lab

FOLDER = Path(__file__).parent
_open = ExitStack()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both regions without users and steerings; gone afterwards, whatever happened."""
    with _open:
        yield _open.enter_context(throw_away_world(tmp_path_factory.mktemp("compose")))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Gone after the last test of this folder: the tests of the whole lab want the machine."""
    if nextitem is not None and FOLDER not in nextitem.path.parents:
        _open.close()


@pytest.fixture
def steady(world: World) -> Lab:
    """The lab in its default topology, for tests that leave it so (they may add rows)."""
    world.put_back()
    return world.lab


@pytest.fixture
def breakable(world: World) -> Lab:
    """The lab in its default topology, for tests that break it."""
    world.put_back()
    world.order = Order.BROKEN
    return world.lab


@pytest.fixture
def edges(world: World) -> Lab:
    """The lab in its default topology, for tests that break everything but the databases."""
    world.put_back()
    world.order = Order.DATABASES
    return world.lab


@pytest.fixture
def pair(world: World) -> Lab:
    """East's two databases in their default topology, to be broken; west's may not run."""
    world.put_pair_back()
    world.order = Order.BROKEN
    return world.lab


@pytest.fixture
def kept_pair(world: World) -> Lab:
    """East's two databases as they are after `pair`, for tests that leave them so."""
    world.put_pair_back()
    return world.lab


@pytest.fixture
def serving(steady: Lab) -> Lab:
    """A steady lab both of whose shops take orders."""
    return _serving(steady, EAST, WEST)


@pytest.fixture
def serving_edges(edges: Lab) -> Lab:
    """The same, for tests that break everything but the databases."""
    return _serving(edges, EAST, WEST)


@pytest.fixture
def serving_pair(pair: Lab) -> Lab:
    """East's pair, to be broken, behind a shop that takes orders."""
    return _serving(pair, EAST)


def _serving(lab: Lab, *regions: Region) -> Lab:
    for each in regions:
        wait_until(
            f"{each.name}'s shop to take an order",
            lambda guest=lab.guests[each]: guest.ready()[0],
            20,
            ignoring=(LabError,),
        )
    return lab


@pytest.fixture
def docker_client() -> Iterator[DockerClient]:
    """For what the lab's own adapter cannot do, such as reading a dead machine's disk."""
    made = client()
    yield made
    made.close()
