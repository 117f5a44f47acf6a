"""The stopwatch writes real orders through both gateways, and says truly which were taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from testcontainers.core.container import DockerContainer
from world import World

from lab.core.load import WATCH_PREFIX
from lab.core.topology import EAST_DB1, REGIONS, Place
from lab.core.wait import wait_until
from lab.postgres.databases import DATABASE
from lab.records import stopwatchrecord
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker


@pytest.fixture
def url(world: World) -> Iterator[str]:
    """The control port of a stopwatch that watches this world's gateways."""
    addresses = world.lab.settings.addresses
    doors = {each.name: addresses.internet(Place(each.name, "gateway")) for each in REGIONS}
    container = DockerContainer(world.images["apps"], command=["python3", "-m", "stopwatch"])
    container.with_kwargs(network=f"{world.lab.name}-internet")
    container.with_envs(
        GATEWAYS=",".join(f"{name}={host}:8000" for name, host in doors.items()),
        TLS_AUTHORITY=world.lab.settings.environment({})["SHOP_AUTHORITY"],
    )
    container.ports["8070/tcp"] = ("127.0.0.1",)
    with container:
        found = f"http://127.0.0.1:{container.get_exposed_port(8070)}"
        wait_until(
            "the stopwatch to answer",
            lambda: requests.get(f"{found}/livez", timeout=2).ok,
            15,
            ignoring=(requests.ConnectionError,),
        )
        yield found
    container.get_docker_client().client.close()  # testcontainers leaves its sockets open


def test_what_it_was_told_is_in_the_database_and_came_through_both_gateways(
    serving: Lab, url: str
) -> None:
    assert requests.post(f"{url}/start", timeout=20).json()["running"]
    wait_until(
        "a hundred attempts",
        lambda: requests.get(f"{url}/record", timeout=5).content.count(b"\n") > 100,
        30,
    )
    requests.post(f"{url}/stop", timeout=10)
    record = stopwatchrecord.read(requests.get(f"{url}/record", timeout=5).content)
    taken = {item.key for item in record.attempts if item.outcome == "ok"}
    assert {item.gateway for item in record.attempts if item.outcome == "ok"} == {"east", "west"}
    assert {item.timeline for item in record.attempts if item.outcome == "ok"} == {1}
    pattern = f"{WATCH_PREFIX}%"
    rows = serving.databases[EAST_DB1].query(
        "SELECT key FROM orders WHERE key LIKE %s", (pattern,), database=DATABASE
    )
    there = {str(key) for (key,) in rows}
    assert taken <= there <= {item.key for item in record.attempts}
