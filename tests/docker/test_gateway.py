"""Links: what a gateway lets through, how long that takes, and what closing one does."""

from __future__ import annotations

import http.client
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from inside import connect, round_trip

from lab.core.errors import LabError
from lab.core.topology import (
    DEFAULT_REPLICATION,
    EAST,
    EAST_DB1,
    EAST_DB2,
    ONE_WAY_DELAY_MS,
    REGIONS,
    WEST,
    Place,
    Replication,
    link,
    links_into,
)
from lab.core.wait import wait_until
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
GATEWAY = Place("east", "gateway")
SQL = link("west:east:sql")
GUEST = link("guest:east:app")


def test_a_round_trip_over_a_long_link_takes_both_delays(steady: Lab) -> None:
    took = round_trip(
        steady, WEST, steady.settings.addresses.gateway_as_seen_from(EAST, WEST), 5432
    )
    assert took == pytest.approx(2 * ONE_WAY_DELAY_MS / 1000, rel=0.15)


def test_a_round_trip_inside_a_region_takes_no_delay(steady: Lab) -> None:
    assert round_trip(steady, EAST, steady.settings.addresses.inside(EAST_DB1), 5432) < 0.02


def test_every_link_is_open_and_only_the_long_ones_are_slow(steady: Lab) -> None:
    for entered in REGIONS:
        for state in steady.links.states(entered):
            assert state.exists
            assert state.open
            assert state.toxics == ()
            assert state.delay_ms == (ONE_WAY_DELAY_MS if state.link.is_long_distance else 0)


def test_configuring_twice_changes_nothing_and_keeps_connections(steady: Lab) -> None:
    before = steady.links.states(EAST)
    session = _session(steady)
    try:
        assert _alive(session)
        steady.links.configure()
        assert steady.links.states(EAST) == before
        assert _alive(session)
    finally:
        session.close()


def test_another_delay_can_be_set_and_configuring_heals_it(edges: Lab) -> None:
    address = edges.settings.addresses.gateway_as_seen_from(EAST, WEST)
    edges.links.configure(5)
    assert round_trip(edges, WEST, address, 5432) < 0.04
    edges.links.configure()
    assert round_trip(edges, WEST, address, 5432) > 0.07


def test_closing_a_link_ends_its_connections(edges: Lab) -> None:
    session = _session(edges)
    try:
        assert _alive(session)
        edges.links.armed_to_close([GUEST])()
        assert not _alive(session)
    finally:
        session.close()


def test_a_closed_link_refuses_and_an_opened_one_answers_again(edges: Lab) -> None:
    address = edges.settings.addresses.gateway_as_seen_from(EAST, WEST)
    assert connect(edges, WEST, address, 5432) == "answered"
    for _ in range(2):
        edges.links.armed_to_close([SQL])()
        assert connect(edges, WEST, address, 5432) == "refused"
    assert connect(edges, WEST, address, 5433) == "answered"  # each can be cut alone
    for _ in range(2):
        edges.links.heal([SQL])
        assert connect(edges, WEST, address, 5432) == "answered"


def test_closing_a_region_closes_all_that_enters_it_and_nothing_else(edges: Lab) -> None:
    edges.links.armed_to_close(links_into(EAST))()
    assert not any(state.open for state in edges.links.states(EAST))
    assert all(state.open for state in edges.links.states(WEST))
    edges.links.configure()
    assert all(state.open for state in edges.links.states(EAST))


def test_a_gateway_that_restarted_lets_nothing_in_until_it_is_configured(edges: Lab) -> None:
    edges.engine.kill([GATEWAY])
    edges.engine.start([GATEWAY])
    states = wait_until(
        "the gateway to answer", lambda: edges.links.states(EAST), 10, ignoring=(LabError,)
    )
    assert not any(state.exists for state in states)
    with pytest.raises(LabError, match="no link"):
        edges.links.armed_to_close([SQL])
    address = edges.settings.addresses.gateway_as_seen_from(EAST, WEST)
    assert connect(edges, WEST, address, 5432) == "refused"
    edges.links.configure()
    assert [state.link for state in edges.links.states(EAST)] == list(links_into(EAST))
    assert all(state.open for state in edges.links.states(EAST))
    assert connect(edges, WEST, address, 5432) == "answered"


def test_a_dead_gateway_is_an_error_that_names_it(edges: Lab) -> None:
    edges.engine.kill([GATEWAY])
    with pytest.raises(LabError, match=r"east\.gateway"):
        edges.links.armed_to_close([GUEST])()


def test_a_dead_machine_behind_a_link_does_not_keep_it_from_leading_elsewhere(
    breakable: Lab,
) -> None:
    address = breakable.settings.addresses.gateway_as_seen_from(EAST, WEST)
    assert connect(breakable, WEST, address, 5432) == "answered"
    breakable.engine.kill([EAST_DB1])
    with ThreadPoolExecutor(4) as pool:  # clients that do not know yet
        list(pool.map(lambda _: connect(breakable, WEST, address, 5432, 0.5), range(4)))
    breakable.publish(Replication(EAST_DB2, None, DEFAULT_REPLICATION.follows[2:]))
    wait_until(
        "the link to lead to the living node",
        lambda: connect(breakable, WEST, address, 5432, 1.0) == "answered",
        10,
    )


def test_a_link_to_a_dead_machine_can_be_closed(breakable: Lab) -> None:
    address = breakable.settings.addresses.gateway_as_seen_from(EAST, WEST)
    breakable.engine.kill([EAST_DB1])
    connect(breakable, WEST, address, 5432, 0.5)
    breakable.links.armed_to_close([SQL])()
    assert connect(breakable, WEST, address, 5432) == "refused"


def _session(lab: Lab) -> http.client.HTTPConnection:
    """A connection to the shop by the guest link that stays open between requests."""
    port = lab.engine.port(GATEWAY, 8000)
    if not lab.settings.https:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    known = ssl.create_default_context(cafile=str(lab.settings.authority_file))
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=3, context=known)


def _alive(session: http.client.HTTPConnection) -> bool:
    """Whether this same connection still carries a request and its answer."""
    before: socket.socket | None = session.sock
    try:
        session.request("GET", "/livez")
        response = session.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    return response.status == 200 and (before is None or session.sock is before)
