"""The resolvers: who may change what they answer, and what they forget."""

from __future__ import annotations

import base64
import secrets

import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest
from inside import ask_udp, log_in_from_app

from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    DEFAULT_REPLICATION,
    EAST,
    EAST_DB1,
    EAST_DB2,
    REGIONS,
    TTL_SECONDS,
    WEST,
    WRITER_NAME,
    Follows,
    Place,
    Replication,
    head_name,
)
from lab.core.wait import wait_until
from lab.infra.dnsnames import Names
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
DNS_EAST = Place("east", "dns")
PROBE = "writer.lab.test"


def test_a_signed_update_is_in_the_next_answer_over_tcp_and_udp(edges: Lab) -> None:
    for last in (7, 8, 9):
        edges.names.publish(EAST, {PROBE: f"192.0.2.{last}"})
        assert edges.names.ask(EAST, PROBE) == (f"192.0.2.{last}",)
        assert ask_udp(edges, EAST, PROBE) == [f"192.0.2.{last}"]


def test_an_answer_holds_as_long_as_its_resolver_was_told_also_after_the_next_update(
    edges: Lab,
) -> None:
    names = edges.names
    names.publish(EAST, {PROBE: "192.0.2.1"}, TTL_SECONDS)
    assert names.hold(EAST, (PROBE, "unknown.lab.test"), 5) == [TTL_SECONDS]
    assert (names.ttl(EAST, PROBE), names.ask(EAST, PROBE)) == (5, ("192.0.2.1",))
    names.publish(EAST, {PROBE: "192.0.2.2"})
    assert (names.ttl(EAST, PROBE), names.ask(EAST, PROBE)) == (5, ("192.0.2.2",))
    assert names.ttl(EAST, "unknown.lab.test") is None


def test_an_update_of_one_resolver_leaves_the_other_alone(edges: Lab) -> None:
    before = edges.names.ask(WEST, PROBE)
    edges.names.publish(EAST, {PROBE: "192.0.2.1"})
    assert edges.names.ask(WEST, PROBE) == before != ("192.0.2.1",)


def test_an_unsigned_update_is_refused(steady: Lab) -> None:
    before = steady.names.ask(EAST, PROBE)
    update = dns.update.UpdateMessage("lab.test")
    update.replace("writer", 2, "A", "192.0.2.66")
    answer = dns.query.tcp(update, "127.0.0.1", port=steady.engine.port(DNS_EAST, 53), timeout=2)
    assert answer.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
    assert steady.names.ask(EAST, PROBE) == before


def test_an_update_signed_with_another_key_is_refused(steady: Lab) -> None:
    before = steady.names.ask(EAST, PROBE)
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    stranger = Names(steady.engine, steady.settings.model_copy(update={"tsig_key": other}))
    with pytest.raises(LabError):
        stranger.publish(EAST, {PROBE: "192.0.2.66"})
    assert steady.names.ask(EAST, PROBE) == before


def test_a_name_that_was_removed_has_no_address(edges: Lab) -> None:
    edges.names.forget(EAST, PROBE)
    assert edges.names.ask(EAST, PROBE) == ()


def test_a_resolver_that_restarted_knows_no_address_rather_than_an_old_one(
    edges: Lab,
) -> None:
    edges.names.publish(EAST, {APP_NAME: "192.0.2.1"})
    assert edges.names.ask(EAST, WRITER_NAME) != ()
    edges.engine.kill([DNS_EAST])
    edges.engine.start([DNS_EAST])
    names = (APP_NAME, WRITER_NAME, *(head_name(each) for each in REGIONS))
    found = wait_until(
        "the resolver to answer again",
        lambda: [edges.names.ask(EAST, name) for name in names],
        10,
        ignoring=(LabError,),
    )
    assert found == [()] * 4


def test_pointing_the_writer_gives_each_region_the_address_that_it_can_reach(
    steady: Lab,
) -> None:
    delivery = steady.publish(DEFAULT_REPLICATION)
    assert (delivery.took, dict(delivery.pending)) == (("east", "west"), {})
    addresses = steady.settings.addresses
    assert steady.names.ask(EAST, WRITER_NAME) == (addresses.inside(EAST_DB1),)
    assert steady.names.ask(WEST, WRITER_NAME) == (addresses.gateway_as_seen_from(EAST, WEST),)


def test_a_region_without_a_head_reads_at_the_primary_which_proves_that_name(edges: Lab) -> None:
    east_alone = Replication(EAST_DB1, EAST_DB2, (Follows(EAST_DB2, EAST_DB1),))
    assert not edges.publish(east_alone).pending
    assert edges.names.ask(WEST, head_name(WEST)) == edges.names.ask(WEST, WRITER_NAME)
    password = edges.settings.shop_password
    assert log_in_from_app(edges, WEST, head_name(WEST), "shop", password) == "in"


def test_a_dead_resolver_is_pending_and_the_other_takes_the_update(edges: Lab) -> None:
    edges.engine.kill([DNS_EAST])
    heads = edges.databases.heads(DEFAULT_REPLICATION)
    delivery = edges.names.point_writer(EAST_DB2, heads)
    assert delivery.took == ("west",)
    assert set(delivery.pending) == {"east"}
    assert "the update of east's resolver is pending" in str(delivery)
