"""The Compose files give every machine the addresses and ports of the one plan in lab/core."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.core.addresses import Addresses
from lab.core.topology import (
    PLACES,
    REGIONS,
    STOPWATCH,
    USERS,
    Place,
    Region,
    links,
    port_of,
)
from lab.infra import settings

FOLDER = Path(__file__).parent.parent.parent / "compose"
ADDRESSES = Addresses("10.91")


def filled(name: str, variables: dict[str, str]) -> dict[str, Any]:
    """The services of a Compose file, with variables as Compose puts them in."""

    def value(found: re.Match[str]) -> str:
        wanted, _, default = found[1].partition(":-")
        return variables.get(wanted, default)

    text = re.sub(r"\$\{([^}]+)\}", value, (FOLDER / name).read_text())
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


@pytest.fixture
def services() -> dict[Place, dict[str, Any]]:
    """Every machine as Compose is told to make it."""
    lab = settings.create("lab", ADDRESSES.subnet)
    found = {
        Place(each.name, service): told
        for each in REGIONS
        for service, told in filled("region.yaml", lab.region_environment(each, {})).items()
    }
    for service, told in filled("world.yaml", lab.environment({})).items():
        found[Place("users", service.removeprefix("users-"))] = told
    return found


def told_networks(place: Place, told: dict[str, Any]) -> dict[str, str]:
    """Networks by the names of the topology, and the addresses there."""
    names = {"internet": "internet"}
    if place not in (*USERS, STOPWATCH):
        of = place.region
        names |= {"home": of.name, "away": of.other.name, "control": of.control}
    return {names[name]: each["ipv4_address"] for name, each in told["networks"].items()}


def test_every_machine_has_the_addresses_of_the_plan(
    services: dict[Place, dict[str, Any]],
) -> None:
    told = {place: told_networks(place, each) for place, each in services.items()}
    assert told == {place: ADDRESSES.of(place) for place in PLACES}


def test_programs_are_told_the_addresses_and_ports_of_the_plan(
    services: dict[Place, dict[str, Any]],
) -> None:
    gateways = {each.name: ADDRESSES.internet(Place(each.name, "gateway")) for each in REGIONS}
    for region in REGIONS:
        home = {
            service: ADDRESSES.inside(Place(region.name, service)) for service in ("dns", "cache")
        }
        app, steering, gateway = (
            services[Place(region.name, each)] for each in ("app", "steering", "gateway")
        )
        assert app["dns"] == gateway["dns"] == [home["dns"]]
        assert app["environment"]["RESOLVER"] == home["dns"]
        assert app["environment"]["CACHE_HOST"] == home["cache"]
        assert steering["environment"]["RESOLVER"] == home["dns"]
        assert steering["environment"]["ANSWERS"] == listed(gateways)
        port = port_of(f"checks-{region.name}")
        targets = {name: f"http://{address}:{port}" for name, address in gateways.items()}
        assert steering["environment"]["TARGETS"] == listed(targets)
        assert gateway["command"] == ["-host", ADDRESSES.control(region)]
        assert f"127.0.0.1::{port_of('guest')}" in gateway["ports"]
        population = services[Place("users", region.name)]["environment"]
        assert population["APP_PORT"] == str(port_of(f"users-{region.name}"))
        assert population["RESOLVERS"].split(",") == [resolver(region), resolver(region.other)]
    doors = {name: f"{address}:{port_of('guest')}" for name, address in gateways.items()}
    assert services[STOPWATCH]["environment"]["GATEWAYS"] == listed(doors)


def listed(values: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())


def resolver(of: Region) -> str:
    return ADDRESSES.internet(Place(of.name, "dns"))


def test_a_port_belongs_to_one_origin() -> None:
    origins = {each.purpose.origin for each in links()} - {"region"}
    assert len({port_of(each) for each in origins}) == len(origins)
    with pytest.raises(ValueError, match="not enough values"):
        port_of("nobody")
