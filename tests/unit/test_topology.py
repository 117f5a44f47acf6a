"""Names, addresses and links, without anything that runs."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from appkit.env import Env
from appkit.log import Log
from shop.admission import POLICIES
from shop.app import build_shop
from shop.settings import MOST_CONNECTIONS
from shop.settings import Settings as ShopSettings
from stubbed_shop import KEY

from lab.core import topology
from lab.core.addresses import Addresses
from lab.core.errors import UnknownName
from lab.core.topology import (
    DATABASES,
    DEFAULT_REPLICATION,
    EAST,
    EAST_DB1,
    EAST_DB2,
    NETWORKS,
    PLACES,
    REGIONS,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Replication,
    link,
    links,
    links_into,
)
from lab.infra.dnsnames import address_seen_from, full_name
from lab.steps.catalogue import vocabulary

ADDRESSES = Addresses("10.91")
DOCS = Path(__file__).parent.parent.parent / "docs"


def test_every_address_in_a_network_belongs_to_one_machine_only() -> None:
    for region in REGIONS:
        machines = [p for p in PLACES if p.site == region.name]
        own = [ADDRESSES.inside(p) for p in machines]
        visitor = ADDRESSES.gateway_as_seen_from(region.other, region)
        assert len({*own, visitor}) == len(machines) + 1


ON_NETWORKS = {
    "east.gateway": {"internet": "0.11", "east": "1.2", "west": "2.2", "control.east": "3.2"},
    "west.gateway": {"internet": "0.12", "west": "2.3", "east": "1.3", "control.west": "4.2"},
    "east.dns": {"internet": "0.53", "east": "1.53"},
    "west.dns": {"internet": "0.54", "west": "2.53"},
    "east.steering": {"internet": "0.91", "east": "1.90"},
    "west.steering": {"internet": "0.92", "west": "2.90"},
    "east.db1": {"east": "1.11"},
    "west.db2": {"west": "2.12"},
    "east.cache": {"east": "1.60"},
    "west.app": {"west": "2.80"},
    "users.east": {"internet": "0.21"},
    "users.west": {"internet": "0.22"},
    "users.stopwatch": {"internet": "0.31"},
}


@pytest.mark.parametrize("name", ON_NETWORKS)
def test_a_machine_is_on_the_networks_of_the_picture_in_the_docs(name: str) -> None:
    wanted = {each: f"10.91.{address}" for each, address in ON_NETWORKS[name].items()}
    assert ADDRESSES.of(Place.parse(name)) == wanted


INTO_EAST = {
    "west:east:sql": ("10.91.2.2:5432", "head.east.lab.test:5432"),
    "west:east:replication": ("10.91.2.2:5433", "head.east.lab.test:5432"),
    "west:east:app": ("10.91.2.2:8080", "10.91.1.80:8080"),
    "west:east:cache": ("10.91.2.2:6379", "10.91.1.60:6379"),
    "users-east:east:app": ("10.91.0.11:8001", "10.91.1.80:8080"),
    "users-west:east:app": ("10.91.0.11:8002", "10.91.1.80:8080"),
    "checks-east:east:app": ("10.91.0.11:8003", "10.91.1.80:8080"),
    "checks-west:east:app": ("10.91.0.11:8004", "10.91.1.80:8080"),
    "guest:east:app": ("0.0.0.0:8000", "10.91.1.80:8080"),
}


def test_a_link_listens_where_its_users_are_and_leads_to_what_it_carries() -> None:
    ends = {
        each.name: (each.listen(ADDRESSES), each.upstream(ADDRESSES)) for each in links_into(EAST)
    }
    assert ends == INTO_EAST
    assert {each.gateway for each in links_into(WEST)} == {Place("west", "gateway")}


def test_delay_ttl_and_connections_are_those_of_the_docs() -> None:
    figures, built = ((DOCS / f"{each}.md").read_text() for each in ("figures", "architecture"))
    assert f"The default TTL is {topology.TTL_SECONDS} s," in figures
    assert f"asynchronous, {topology.ONE_WAY_DELAY_MS} ms each way" in built
    assert f"over {2 * topology.ONE_WAY_DELAY_MS} ms the west shop" in built
    assert f"from 8 to {topology.SHOP_CONNECTIONS} of them" in built


def test_a_runbook_may_give_a_shop_as_many_connections_as_the_shop_takes() -> None:
    [scale_up] = [each for each in vocabulary() if each.name == "scale-up"]
    [connections] = [each for each in scale_up.options if each.name == "connections"]
    assert (connections.default, connections.most) == (MOST_CONNECTIONS, MOST_CONNECTIONS)


def test_what_both_shops_pools_need_fits_their_limit_which_leaves_room_for_operators() -> None:
    env = {"REGION": "east", "DB_PASSWORD": "x", "JWT_KEY": KEY, "WRITER_HOST": "10.0.0.1",
           "READER_HOST": "10.0.0.1", "POOL_SIZE": str(topology.SHOP_CONNECTIONS)}  # fmt: skip
    reader = build_shop(ShopSettings.read(Env(env)), Log("test")).reader
    writers = MOST_CONNECTIONS + max(each.reserved for each in POLICIES)
    beside = 2  # each pool: a proof that the node lives, and one for cancelling
    needed = 2 * (writers + beside + reader._target.size + beside)
    conf = (DOCS.parent / "compose" / "postgres" / "lab.conf").read_text()
    [there_are] = re.findall(r"^max_connections = (\d+)$", conf, re.MULTILINE)
    assert needed <= topology.SHOP_SESSIONS <= int(there_are) - 35


def test_every_network_has_a_subnet_of_its_own_and_each_address_of_a_machine_is_in_it() -> None:
    subnets = {name: ip_network(ADDRESSES.network(name)) for name in NETWORKS}
    assert len(set(subnets.values())) == len(NETWORKS)
    for place in PLACES:
        for name, address in ADDRESSES.of(place).items():
            assert ip_address(address) in subnets[name]


def test_published_ports_of_a_gateway_lead_to_its_control_network() -> None:
    for region in REGIONS:
        networks = ADDRESSES.of(Place(region.name, "gateway"))
        assert min(f"lab-{name}" for name in networks) == f"lab-{region.control}"


def test_no_two_labs_have_a_network_of_the_same_name() -> None:
    labs = ("a", "a-control", "a-control-east", "a-east", "a-internet")
    names = [f"{lab}-{name}" for lab in labs for name in NETWORKS]
    assert len(set(names)) == len(names)


def test_a_place_can_be_typed_with_dots_dashes_or_underscores() -> None:
    assert Place.parse("east.db1") == Place.parse("east-db1") == Place.parse("east_db1") == EAST_DB1


def test_an_unknown_place_suggests_the_nearest_one() -> None:
    with pytest.raises(UnknownName) as caught:
        Place.parse("east.db3")
    assert "east.db1" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_region_names_those_there_are() -> None:
    assert [topology.region(each.name) for each in REGIONS] == [*REGIONS]
    with pytest.raises(UnknownName, match="east"):
        topology.region("est")


def test_an_unknown_link_suggests_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="west:east:replication"):
        link("west:east:replicaton")


def test_links_have_names_of_their_own_and_no_two_listen_on_the_same_socket() -> None:
    assert len({each.name for each in links()}) == len(links()) == 18
    for region in REGIONS:
        sockets = [each.listen(ADDRESSES) for each in links_into(region)]
        assert len(set(sockets)) == len(sockets)


def test_only_links_from_the_other_side_are_delayed() -> None:
    far = {each.name for each in links_into(EAST) if each.is_long_distance}
    near = {"users-east:east:app", "checks-east:east:app", "guest:east:app"}
    assert far == INTO_EAST.keys() - near


def test_sql_and_replication_lead_to_the_head_node_by_name_because_it_moves() -> None:
    for purpose in ("sql", "replication"):
        assert link(f"west:east:{purpose}").upstream(ADDRESSES) == "head.east.lab.test:5432"


def test_a_node_is_reached_directly_at_home_and_by_the_gateway_from_afar() -> None:
    assert address_seen_from(EAST, EAST_DB1, ADDRESSES) == "10.91.1.11"
    assert address_seen_from(WEST, EAST_DB1, ADDRESSES) == "10.91.2.2"
    assert address_seen_from(EAST, WEST_DB1, ADDRESSES) == "10.91.1.3"


def test_the_default_topology_has_one_head_in_each_region() -> None:
    assert DEFAULT_REPLICATION.head_of(EAST) == EAST_DB1
    assert DEFAULT_REPLICATION.head_of(WEST) == WEST_DB1
    assert DEFAULT_REPLICATION.standbys_of(EAST_DB1) == (EAST_DB2, WEST_DB1)
    assert DEFAULT_REPLICATION.upstream_of(WEST_DB2) == WEST_DB1
    assert DEFAULT_REPLICATION.upstream_of(EAST_DB1) is None
    assert DEFAULT_REPLICATION.members == {*DATABASES}


def test_a_head_follows_the_other_region_wherever_it_is_listed() -> None:
    follows = (Follows(WEST_DB2, WEST_DB1), Follows(WEST_DB1, EAST_DB1))
    made = Replication(EAST_DB1, None, follows)
    assert made.head_of(WEST) == WEST_DB1
    assert made.members == {EAST_DB1, WEST_DB1, WEST_DB2}


def test_the_head_of_a_region_without_a_member_leads_to_the_primary() -> None:
    west_only = Replication(WEST_DB1, WEST_DB2, (Follows(WEST_DB2, WEST_DB1),))
    assert west_only.head_of(EAST) == WEST_DB1
    assert west_only.head_of(WEST) == WEST_DB1


def test_containers_are_named_with_dashes() -> None:
    assert (EAST_DB1.container, Place("users", "stopwatch").container) == (
        "east-db1", "users-stopwatch",
    )  # fmt: skip


def test_server_names_have_no_dot_because_slots_cannot() -> None:
    assert [p.server_name for p in DATABASES] == ["east_db1", "east_db2", "west_db1", "west_db2"]


def test_a_dns_name_may_be_short_and_an_unknown_one_suggests_the_nearest() -> None:
    assert full_name("writer") == "writer.lab.test"
    assert full_name("head.east.lab.test") == "head.east.lab.test"
    with pytest.raises(UnknownName, match="writer"):
        full_name("writr")
