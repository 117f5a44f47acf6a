"""Who can reach what, tried from inside: users reach no database, regions only gateways."""

from __future__ import annotations

import json

import pytest
from tries import taken

from lab.core.topology import (
    DATABASES,
    EAST,
    MACHINES,
    PLACES,
    REGIONS,
    STOPWATCH,
    USERS,
    WEST,
    Place,
    Region,
)
from lab.testbed.lab import Lab

pytestmark = pytest.mark.drill
PORTS = {"db1": 5432, "db2": 5432, "cache": 6379, "app": 8080, "dns": 53, "steering": 8090}
_TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def tried(target):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        return False
    return True

with ThreadPoolExecutor(len(sys.argv)) as pool:
    found = zip(sys.argv[1:], pool.map(tried, sys.argv[1:]))
    print(json.dumps([target for target, reached in found if reached]))
"""

_UNROUTED = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def tried(target):
    host, _, port = target.rpartition(":")
    for _, name in socket.if_nameindex():
        with socket.socket() as asking:
            asking.settimeout(2)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
            try:
                asking.connect((host, int(port)))
            except OSError:
                continue
            return True
    return False

with ThreadPoolExecutor(len(sys.argv)) as pool:
    found = zip(sys.argv[1:], pool.map(tried, sys.argv[1:]))
    print(json.dumps([target for target, reached in found if reached]))
"""
"""The same past all routes: a neighbour on the same network is asked for every address."""

_POST = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], b"{}", timeout=5).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


def reached(lab: Lab, origin: Place, targets: list[str], how: str = _TRY) -> list[str]:
    """Those of the `host:port` that take a TCP connection from inside a machine."""
    return list(json.loads(lab.engine.run(origin, ["python3", "-c", how, *targets])))


def databases(lab: Lab) -> list[str]:
    """Each database by its own address."""
    return [f"{lab.settings.addresses.inside(place)}:5432" for place in DATABASES]


def published(lab: Lab, network: int) -> list[str]:
    """Each database by its published port, at the engine's own address in a network."""
    host = f"{lab.settings.subnet}.{network}.1"
    return [f"{host}:{lab.engine.port(place, 5432)}" for place in DATABASES]


def machines(lab: Lab, region: Region) -> list[str]:
    """Everything that listens inside a region, but for its gateway."""
    places = [Place(region.name, machine.service) for machine in MACHINES]
    return [
        f"{lab.settings.addresses.inside(place)}:{PORTS[place.service]}"
        for place in places
        if place.service in PORTS
    ]


def gateway(lab: Lab, region: Region) -> str:
    """A region's gateway, as users see it."""
    return lab.settings.addresses.internet(Place(region.name, "gateway"))


@pytest.mark.family("ways in", always=("users.east",))
@pytest.mark.parametrize("origin", [*USERS, STOPWATCH], ids=str)
def test_users_reach_the_shops_by_the_gateways_and_no_database(lab: Lab, origin: Place) -> None:
    allowed = [f"{gateway(lab, each)}:{port}" for each in REGIONS for port in (8001, 8002)]
    listeners = [f"{gateway(lab, each)}:{port}" for each in REGIONS for port in (5432, 5433, 6379)]
    inside = [target for each in REGIONS for target in machines(lab, each)]
    forbidden = [*databases(lab), *published(lab, 0), *listeners, *inside]
    assert reached(lab, origin, [*allowed, *forbidden]) == allowed


@pytest.mark.family("ways between regions", always=("east",))
@pytest.mark.parametrize("region", REGIONS, ids=lambda each: each.name)
def test_a_region_reaches_the_other_one_by_its_gateway_and_nothing_behind_it(
    lab: Lab, region: Region
) -> None:
    addresses = lab.settings.addresses
    own = [f"{addresses.inside(Place(region.name, each))}:5432" for each in ("db1", "db2")]
    door = addresses.gateway_as_seen_from(region.other, region)
    allowed = [*own, *(f"{door}:{port}" for port in (5432, 5433, 6379, 8080))]
    forbidden = [*machines(lab, region.other), *published(lab, region.index)]
    assert reached(lab, Place(region.name, "app"), [*allowed, *forbidden]) == allowed


def test_what_is_tried_from_west_is_there_when_tried_from_east(lab: Lab) -> None:
    inside = machines(lab, EAST)
    assert reached(lab, Place("east", "app"), inside) == inside
    assert reached(lab, Place("west", "app"), inside) == []
    assert reached(lab, Place("west", "app"), machines(lab, WEST)) == machines(lab, WEST)


def gateways(lab: Lab) -> dict[str, list[str]]:
    """Every address of both gateways, by the network that it is in."""
    found: dict[str, list[str]] = {}
    for each in REGIONS:
        for network, address in lab.settings.addresses.of(Place(each.name, "gateway")).items():
            found.setdefault(network, []).append(address)
    return found


def controls(lab: Lab) -> list[str]:
    """The control port at every address of both gateways."""
    return sorted({f"{host}:8474" for hosts in gateways(lab).values() for host in hosts})


def doors(lab: Lab, origin: Place) -> list[str]:
    """The guests' port of gateways next to a machine: they listen there on each address."""
    found, own = gateways(lab), lab.settings.addresses.of(origin)
    return sorted(f"{host}:8000" for network in own for host in found[network])


def test_no_machine_can_tell_a_gateway_what_to_do_but_itself(lab: Lab) -> None:
    itself = {
        Place(r.name, "gateway"): f"{lab.settings.addresses.control(r)}:8474" for r in REGIONS
    }
    wanted = {
        each: {*doors(lab, each), *([itself[each]] if each in itself else [])} for each in PLACES
    }

    def tried(origin: Place) -> set[str]:
        return set(taken(lab, origin, [*doors(lab, origin), *controls(lab)]))

    assert all(doors(lab, each) for each in PLACES)
    assert dict(zip(PLACES, lab.engine.each(PLACES, tried), strict=True)) == wanted


def test_no_address_of_another_network_is_reached_past_the_routes(lab: Lab) -> None:
    ports = {"gateway": (8474, 8000, 5432), "dns": (53,), "steering": (8090,)}

    def tried(origin: Place) -> tuple[list[str], bool]:
        addresses = lab.settings.addresses
        own = addresses.of(origin)
        foreign = [
            f"{address}:{port}"
            for region in REGIONS
            for service, listens in ports.items()
            for network, address in addresses.of(Place(region.name, service)).items()
            if network not in own
            for port in listens
        ]
        door = doors(lab, origin)
        return foreign, reached(lab, origin, [*door, *foreign], _UNROUTED) == door

    programs = [
        *USERS,
        STOPWATCH,
        *(Place(r.name, s) for r in REGIONS for s in ("app", "steering")),
    ]
    found = dict(zip(programs, lab.engine.each(programs, tried), strict=True))
    assert all(foreign for foreign, _ in found.values())
    assert [str(each) for each, (_, alone) in found.items() if not alone] == []


def test_programs_with_a_control_port_do_nothing_for_other_machines(lab: Lab) -> None:
    addresses = lab.settings.addresses
    ports = dict.fromkeys((*USERS, STOPWATCH), 8070)
    ports |= {Place(each.name, "steering"): 8090 for each in REGIONS}
    for place, port in ports.items():
        for path in ("stop", "pin"):
            code = lab.engine.run(
                USERS[0],
                ["python3", "-c", _POST, f"http://{addresses.internet(place)}:{port}/{path}"],
            )
            assert code.strip() == "401", f"{place} /{path}"


def test_the_tool_reaches_each_gateway_by_a_network_that_nothing_else_is_on(lab: Lab) -> None:
    machines = lab.engine.each(PLACES, lab.engine.state)
    for each in REGIONS:
        assert all(state.open for state in lab.links.states(each))
        assert lab.guests[each].live()
        on_it = [machine.place for machine in machines if each.control in machine.networks]
        assert on_it == [Place(each.name, "gateway")]
