"""Answers for names hold for as long as a step says, and as by default again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import dns.message
import dns.rdatatype
import dns.rrset
import dns.update
import pytest
from made_up_servers import MadeUp

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import APP_NAME, EAST, REGIONS, WEST, WRITER_NAME, Region
from lab.infra.dnsnames import Names
from lab.steps import ttls
from lab.testbed import inforce, resetting


class Resolvers(Names):
    """Two resolvers in memory: name → TTL and addresses; those that are `silent` do not answer."""

    def __init__(self) -> None:
        known = SimpleNamespace(addresses=Addresses("10.91"), tsig_key="c2VjcmV0")
        super().__init__(cast("Any", None), cast("Any", known))
        self.zones = {each: dict[str, tuple[int, list[str]]]() for each in REGIONS}
        self.silent, self.updates = set[Region](), 0

    def _exchange(self, viewer: Region, message: dns.message.Message) -> dns.message.Message:
        if viewer in self.silent:
            raise LabError(f"{viewer.name}'s resolver does not answer")
        zone = self.zones[viewer]
        reply = dns.message.make_response(dns.message.from_wire(message.to_wire(), keyring=False))
        if isinstance(message, dns.update.UpdateMessage):
            self.updates += 1
            for each in message.update:
                if each.ttl:
                    name = f"{each.name}.lab.test"
                    zone[name] = (each.ttl, [item.address for item in each])
            return reply
        name = str(message.question[0].name).rstrip(".")
        if name in zone:
            held, addresses = zone[name]
            reply.answer.append(dns.rrset.from_text(f"{name}.", held, "IN", "A", *addresses))
        return reply


class Steering:
    """It writes the app's name to its region's resolver."""

    def __init__(self, names: Resolvers, region: Region) -> None:
        self.names, self.region, self.ttl, self.dead = names, region, 2, False

    def hold(self, ttl: int) -> None:
        if self.dead:
            raise LabError("it does not run")
        self.ttl = ttl
        Names._replace(self.names, self.region, {APP_NAME: ("10.91.0.11",)}, ttl)

    def unpin(self) -> None:
        pass

    def state(self) -> Any:
        return SimpleNamespace(ttl=self.ttl, thresholds={}, other_route="")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    found, names = MadeUp(), Resolvers()
    found.lab.names = names
    found.lab.steerings = {each: Steering(names, each) for each in REGIONS}
    for each in REGIONS:
        names.publish(each, {WRITER_NAME: "10.91.1.11", APP_NAME: "10.91.0.11"})
    monkeypatch.setattr(ttls, "_TOLD_SECONDS", 0.0)
    monkeypatch.setattr(ttls, "pause", lambda _seconds: None)
    return found


def held(made: MadeUp, viewer: Region) -> set[int | None]:
    return {made.lab.names.ttl(viewer, name) for name in (WRITER_NAME, APP_NAME)}


def test_a_ttl_is_lowered_and_the_old_one_is_waited_for(
    made: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = list[float]()
    monkeypatch.setattr(ttls, "pause", waited.append)
    assert made.do("lower-ttl") == (
        "names hold for 1 s, before that 2 s: updated on east's resolver and west's resolver; 2 s"
        " have passed, so no cache that honours TTLs has an older answer"
    )
    assert held(made, EAST) == held(made, WEST) == {1}
    assert made.lab.names.ask(EAST, WRITER_NAME) == ("10.91.1.11",)
    assert made.do("lower-ttl") == "names hold for 1 s already"
    assert waited == [2]


def test_what_is_published_afterwards_keeps_the_ttl(made: MadeUp) -> None:
    made.do("lower-ttl", seconds=5)
    made.lab.names.publish(EAST, {WRITER_NAME: "10.91.1.12"})
    assert made.lab.names.ttl(EAST, WRITER_NAME) == 5
    made.lab.names.publish(EAST, {WRITER_NAME: "10.91.1.12"}, 2)
    assert made.lab.names.ttl(EAST, WRITER_NAME) == 2


def test_the_default_is_restored_once(made: MadeUp) -> None:
    made.do("lower-ttl", seconds=60)
    assert made.do("restore-ttl") == (
        "names hold for 2 s again, before that 60 s: updated on east's resolver and west's resolver"
    )
    assert held(made, EAST) == {2}
    assert made.do("restore-ttl") == "names hold for 2 s already"


def test_a_resolver_that_does_not_answer_is_pending(made: MadeUp) -> None:
    made.lab.names.silent = {EAST}
    told = made.do("lower-ttl")
    pending = "the update of east's resolver is pending (east's resolver does not answer)"
    assert f"updated on west's resolver; {pending}" in told
    made.lab.names.silent = {EAST, WEST}
    with pytest.raises(LabError, match="no resolver accepted the TTL"):
        made.do("lower-ttl")


def test_where_steering_is_dead_the_resolver_is_told_directly(made: MadeUp) -> None:
    made.lab.steerings[EAST].dead = True
    made.do("lower-ttl")
    assert held(made, EAST) == {1}


def test_a_resolver_without_names_learns_none(made: MadeUp) -> None:
    made.lab.names.zones[EAST].clear()
    made.lab.steerings[EAST].dead = True
    made.do("lower-ttl")
    assert made.lab.names.zones[EAST] == {}


def test_another_ttl_than_the_default_is_in_force(made: MadeUp) -> None:
    assert inforce._ttls(made.lab) == []
    made.do("lower-ttl")
    told = [str(each) for each in inforce._ttls(made.lab)]
    assert told == [
        f"answers of {each.name}'s resolver hold for 1 s, by default for 2 s" for each in REGIONS
    ]
    made.lab.names.silent = {EAST}
    assert len(inforce._ttls(made.lab)) == 1


def test_a_reset_tells_each_steering_the_default(made: MadeUp) -> None:
    made.do("lower-ttl")
    for each in REGIONS:
        resetting._steer(made.lab.steerings[each])
        assert made.lab.steerings[each].ttl == 2
