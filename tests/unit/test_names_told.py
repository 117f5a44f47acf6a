"""What resolvers are told, and what becomes of those that no update reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context
from hypothesis import given
from hypothesis import strategies as st

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    DEFAULT_REPLICATION,
    EAST,
    EAST_DB1,
    EAST_DB2,
    REGIONS,
    WEST,
    WEST_DB1,
    WEST_DB2,
    WRITER_NAME,
    Follows,
    Place,
    Region,
    Replication,
    head_name,
)
from lab.infra.dnsnames import Names, address_seen_from
from lab.postgres.databases import Databases
from lab.runbooks.model import IN_ORDER
from lab.runbooks.runbook import Plan
from lab.runbooks.scenarios import topology_with
from lab.runbooks.takeover import heads_after, topology_after
from lab.steps import shifting, steering
from lab.steps.context import Context
from lab.testbed.lab import Lab

ADDRESSES = Addresses("10.91")
WEST_ONLY = Replication(WEST_DB1, WEST_DB2, (Follows(WEST_DB2, WEST_DB1),))
HOME = {each: (ADDRESSES.internet(Place(each.name, "gateway")),) for each in REGIONS}


class Told(Names):
    """Two resolvers of which the tool reaches those that are not `silent`."""

    def __init__(self, *silent: Region) -> None:
        super().__init__(cast("Any", None), cast("Any", SimpleNamespace(
            addresses=ADDRESSES, tsig_key="",
        )))  # fmt: skip
        self.silent = set(silent)
        self.records: dict[Region, dict[str, str]] = {each: {} for each in REGIONS}

    def publish(self, viewer: Region, records: Mapping[str, str], ttl: int | None = None) -> None:
        self._reach(viewer)
        self.records[viewer] |= records

    def ask(self, viewer: Region, name: str) -> tuple[str, ...]:
        self._reach(viewer)
        return (self.records[viewer][name],) if name in self.records[viewer] else ()

    def _reach(self, viewer: Region) -> None:
        if viewer in self.silent:
            raise LabError(f"{viewer.name}'s resolver does not answer")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifting, "_STEER_SECONDS", 0.0)
    monkeypatch.setattr(shifting, "_LATE_SECONDS", 0.0)
    monkeypatch.setattr(steering, "_HOME_SECONDS", 0.0)


# ── heads ────────────────────────────────────────────────────────────────────────────────────


def test_the_head_of_a_region_without_one_leads_to_the_primary_through_the_gateway() -> None:
    told = Told()
    told.point_writer(WEST_DB1, heads_after(EAST, WEST_ONLY))
    assert told.ask(EAST, head_name(EAST)) == (ADDRESSES.gateway_as_seen_from(WEST, EAST),)
    assert told.ask(EAST, head_name(EAST)) == told.ask(EAST, WRITER_NAME)
    assert told.ask(WEST, head_name(WEST)) == (ADDRESSES.inside(WEST_DB1),)


def test_the_head_of_a_region_that_is_only_cut_off_stays() -> None:
    apart = topology_after(Plan(EAST_DB1, EAST_DB2), DATABASES, (), joined=False)
    assert heads_after(EAST, apart) == {EAST: EAST_DB2}


@pytest.mark.parametrize(
    ("primary", "standbys", "wanted"),
    [
        (WEST_DB1, {EAST_DB2, WEST_DB2}, {EAST: WEST_DB1, WEST: WEST_DB1}),
        (WEST_DB1, {EAST_DB1, EAST_DB2, WEST_DB2}, {EAST: EAST_DB1, WEST: WEST_DB1}),
        (EAST_DB1, {EAST_DB2, WEST_DB1, WEST_DB2}, {EAST: EAST_DB1, WEST: WEST_DB1}),
        (EAST_DB1, {EAST_DB2, WEST_DB2}, {EAST: EAST_DB1, WEST: EAST_DB1}),
        (EAST_DB2, {WEST_DB1, WEST_DB2}, {EAST: EAST_DB2, WEST: WEST_DB1}),
    ],
)
def test_after_a_boot_a_region_whose_head_was_primary_reads_at_the_one_that_is(
    primary: Place, standbys: set[Place], wanted: dict[Region, Place]
) -> None:
    databases = Databases.__new__(Databases)
    databases.nodes = cast("Any", {
        each: SimpleNamespace(is_standby_on_disk=lambda each=each: each in standbys)
        for each in DATABASES
    })  # fmt: skip
    assert databases.heads_around(primary) == wanted


def test_a_head_whose_machine_does_not_run_is_none() -> None:
    def dead() -> bool:
        raise LabError("west.db1 does not run")

    databases = Databases.__new__(Databases)
    databases.nodes = cast(
        "Any", dict.fromkeys(DATABASES, SimpleNamespace(is_standby_on_disk=dead))
    )
    assert databases.heads_around(EAST_DB1) == {EAST: EAST_DB1, WEST: EAST_DB1}


def _gateways_on_the_way(told: Told, into: Region) -> Iterator[Region]:
    """The gateways that a connection to a region's head passes, one after the other."""
    here = into
    while told.records[here].get(head_name(here)) == address_seen_from(
        here, Place(here.other.name, "db1"), ADDRESSES
    ):
        here = here.other
        yield here


TAKEN = st.tuples(st.sampled_from(DATABASES), st.booleans(), st.sets(st.sampled_from(REGIONS)))


@given(st.lists(TAKEN, max_size=6))
def test_no_two_heads_lead_to_each_other_whichever_resolver_missed_an_update(
    updates: list[tuple[Place, bool, set[Region]]],
) -> None:
    """The gateways would connect to each other in a circle, until no memory is left."""
    told = Told()
    for primary, alone, silent in updates:
        told.silent = silent
        topology = Replication(primary, None, ()) if alone else topology_with(primary)
        told.point_writer(primary, {each: topology.head_of(each) for each in REGIONS})
        for region in REGIONS:
            passed = _gateways_on_the_way(told, region)
            assert next(passed, None) is None or next(passed, None) is None


# ── resolvers out of touch ───────────────────────────────────────────────────────────────────


class Steering:
    """It takes every order; its resolver takes it from there, if it hears of it."""

    def __init__(self, told: Told, viewer: Region) -> None:
        self._told, self._viewer = told, viewer

    def pin(self, region: Region, _by: str, _share: int = 100) -> None:
        if self._viewer not in self._told.silent:
            [address] = HOME[region]
            self._told.records[self._viewer][APP_NAME] = address

    def unpin(self) -> None:
        self.pin(self._viewer, "")


def lab_with(told: Told) -> Lab:
    return cast("Lab", SimpleNamespace(
        names=told,
        out_of_touch=lambda region: "it is off" if region in told.silent else "",
        settings=SimpleNamespace(addresses=ADDRESSES),
        steerings={each: Steering(told, each) for each in REGIONS},
    ))  # fmt: skip


def deed(told: Told, **options: Any) -> Context:
    return context(lab_with(told), run="a-run", options=options)


PENDING = "the update of east's resolver is pending (east's resolver does not answer)"


def test_users_are_shifted_where_a_resolver_that_no_update_reaches_is_pending() -> None:
    told = Told(EAST)
    said = shifting._shift(deed(told, to="target", share=100))
    assert told.ask(WEST, APP_NAME) == HOME[WEST]
    assert f"updated on west's resolver; {PENDING}" in said


def test_a_resolver_that_goes_on_giving_an_old_answer_is_pending_as_well() -> None:
    told = Told()
    told.records[EAST][APP_NAME] = HOME[EAST][0]
    act = deed(told, to="target", share=100)
    act.lab.steerings[EAST] = cast("Any", SimpleNamespace(pin=lambda *_: None))
    said = shifting._shift(act)
    assert (
        "updated on west's resolver; the update of east's resolver is pending (its resolver does"
        " not follow: it still"
    ) in said


def test_where_no_resolver_can_be_told_no_user_is_shifted_and_that_is_an_error() -> None:
    with pytest.raises(LabError, match="no resolver accepted the update of app"):
        shifting._shift(deed(Told(*REGIONS), to="target", share=100))


def test_users_are_said_to_be_sent_back_only_where_a_resolver_sends_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shifting, "ready", lambda *_: (True, "ok"))
    told = Told(EAST)
    said = shifting._sent_back(deed(told), WEST)
    assert f"users were sent back: updated on west's resolver; {PENDING}" in said
    assert told.ask(WEST, APP_NAME) == HOME[WEST]
    assert shifting._sent_back(deed(Told(*REGIONS)), WEST).startswith(
        "users stay: no resolver accepted"
    )


def _taking_orders(monkeypatch: pytest.MonkeyPatch, *able: Region) -> None:
    monkeypatch.setattr(steering, "ready", lambda _lab, region: (region in able, "ok"))


def test_users_are_home_only_where_home_takes_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    _taking_orders(monkeypatch, EAST)
    told = Told()
    with pytest.raises(LabError, match="west's resolver to answer app"):
        steering.go_home(deed(told))  # it still leads west's users home, where no order is taken
    act = deed(told)
    across = SimpleNamespace(unpin=lambda: told.publish(WEST, {APP_NAME: HOME[EAST][0]}))
    act.lab.steerings[WEST] = cast("Any", across)
    said = steering.go_home(act)
    assert (
        "resolves to east for east's users and to east for west's users (west takes no orders)"
        in said
    )


def test_users_are_sent_home_where_a_resolver_that_no_update_reaches_is_pending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _taking_orders(monkeypatch, *REGIONS)
    said = steering.go_home(deed(Told(EAST)))
    assert "west for west's users; the update of east's resolver is pending (it is off)" in said
    with pytest.raises(LabError, match="no steering could be unpinned"):
        steering.go_home(deed(Told(*REGIONS)))


def test_where_a_steering_is_lost_its_resolver_is_told_where_orders_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dead region's resolver may be at another site, and answer on."""
    _taking_orders(monkeypatch, EAST)
    told = Told()
    act = deed(told)

    def lost() -> None:
        raise LabError("west.steering does not run")

    act.lab.steerings[WEST] = cast("Any", SimpleNamespace(unpin=lost))
    said = steering.go_home(act)
    assert said.endswith("to east for east's users; west's resolver was updated directly: east")
    assert told.ask(WEST, APP_NAME) == HOME[EAST]


def _booted(told: Told, networks: Mapping[Region, frozenset[str]]) -> Lab:
    lab = Lab.__new__(Lab)
    lab.names = told
    lab.databases = cast("Any", SimpleNamespace(heads_around=lambda _: dict(IN_ORDER.head)))
    lab.engine = cast("Any", SimpleNamespace(state=lambda place: SimpleNamespace(
        place=place, running=True, networks=networks[place.region],
    )))  # fmt: skip
    return lab


def test_after_a_boot_a_resolver_off_its_regions_network_is_pending_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.testbed.lab.READY_SECONDS", 0.0)
    on = {EAST: frozenset({"internet"}), WEST: frozenset({"internet", "west"})}
    delivery = _booted(Told(EAST), on).rename(DEFAULT_REPLICATION.primary)
    assert (delivery.took, {*delivery.pending}) == (("west",), {"east"})
    on[EAST] = frozenset({"internet", "east"})
    with pytest.raises(LabError, match="the resolvers that run"):
        _booted(Told(EAST), on).rename(DEFAULT_REPLICATION.primary)
