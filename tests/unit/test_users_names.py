"""How users remember and look up the shop's address."""

from __future__ import annotations

import asyncio
import time

import pytest
from appkit.names import Addresses, LookupFailedError, Server, SilentError
from hypothesis import given
from hypothesis import strategies as st
from users import names
from users.names import DEAD, IGNORED_TTL, Memory, Order, look_up
from users.person import populate

OWN, OTHER = Server("10.0.0.53"), Server("10.0.0.54")
ANSWER = Addresses(("10.0.0.11",), 2.0)


def test_an_address_is_held_until_its_ttl_ends_and_not_longer() -> None:
    memory = Memory(honours_ttl=True, first_hold=1.0)
    memory.learn(ANSWER, 100.0)
    assert memory.recall(101.9) == ("10.0.0.11",)
    assert memory.recall(102.0) == ()


def test_who_ignores_ttl_holds_an_address_for_half_a_minute() -> None:
    memory = Memory(honours_ttl=False, first_hold=1.0)
    memory.learn(ANSWER, 100.0)
    assert memory.recall(99.9 + IGNORED_TTL) == ("10.0.0.11",)
    assert memory.recall(100.0 + IGNORED_TTL) == ()


@given(st.floats(0.01, 1.0), st.booleans())
def test_the_first_answer_is_held_for_a_part_so_that_caches_do_not_expire_together(
    part: float, honours: bool
) -> None:
    memory = Memory(honours, first_hold=part)
    hold = 2.0 if honours else IGNORED_TTL
    memory.learn(ANSWER, 0.0)
    assert memory.expires == pytest.approx(hold * part)
    memory.learn(ANSWER, 10.0)
    assert memory.expires == pytest.approx(10.0 + hold)


def test_a_population_is_staggered_reproducible_and_has_the_stated_share() -> None:
    people = populate("east", 40, 0.1, seed=7)
    again = populate("east", 40, 0.1, seed=7)
    assert sum(not person.memory.honours_ttl for person in people) == 4
    assert len({person.memory.first_hold for person in people}) == 40
    assert [p.memory for p in people] == [p.memory for p in again]
    assert [p.random.random() for p in people] == [p.random.random() for p in again]
    assert not {p.name for p in people} & {p.name for p in again}, "names are new in each run"


def test_the_own_resolver_is_asked_first_until_it_was_silent() -> None:
    order = Order([OWN, OTHER])
    assert order.now(0.0) == (OWN, OTHER)
    order.heard(OTHER, (OWN, OTHER), 0.3)
    assert order.now(0.4) == (OTHER, OWN)
    assert order.first() == OTHER


def test_a_silent_resolver_is_tried_again_by_one_look_up_every_five_seconds() -> None:
    order = Order([OWN, OTHER])
    order.heard(OTHER, (OWN, OTHER), 0.0)
    asked = [order.now(DEAD + 0.01 * n)[0] for n in range(5)]
    assert asked == [OWN, OTHER, OTHER, OTHER, OTHER]
    order.heard(OWN, (OWN, OTHER), DEAD + 1.0)
    assert order.now(DEAD + 1.1) == (OWN, OTHER)


@given(st.lists(st.tuples(st.sampled_from([OWN, OTHER]), st.floats(0, 3)), max_size=30))
def test_every_look_up_may_ask_every_resolver(events: list[tuple[Server, float]]) -> None:
    order, now = Order([OWN, OTHER]), 0.0
    for answered, step in events:
        now += step
        asked = order.now(now)
        assert set(asked) == {OWN, OTHER}
        order.heard(answered, asked, now)


class Resolvers:
    """Answers, silences and refusals as told, after a while."""

    def __init__(self, **behaviour: Addresses | Exception | None) -> None:
        self.behaviour = {OWN: behaviour.get("own"), OTHER: behaviour.get("other")}
        self.asked: list[Server] = []

    async def ask(self, name: str, server: Server, timeout: float) -> Addresses:
        self.asked.append(server)
        found = self.behaviour[server]
        if found is None:
            await asyncio.sleep(timeout)
            raise SilentError("silent")
        if isinstance(found, Exception):
            raise found
        return found


def found(
    monkeypatch: pytest.MonkeyPatch, resolvers: Resolvers, patience: float = 0.05, last: float = 60
) -> tuple[Server, float]:
    """Which server answered, and after how many seconds; a silent one takes `last`."""
    monkeypatch.setattr(names, "ask", resolvers.ask)
    start = time.monotonic()
    _, server = asyncio.run(look_up("app.lab.test", (OWN, OTHER), patience, last))
    return server, time.monotonic() - start


def test_the_second_resolver_is_not_asked_when_the_first_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolvers = Resolvers(own=ANSWER, other=ANSWER)
    assert found(monkeypatch, resolvers)[0] == OWN
    assert resolvers.asked == [OWN]


def test_a_silent_first_resolver_costs_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    server, seconds = found(monkeypatch, Resolvers(other=ANSWER))
    assert server == OTHER
    assert 0.04 < seconds < 30


def test_a_refusing_first_resolver_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    resolvers = Resolvers(own=SilentError("REFUSED"), other=ANSWER)
    server, seconds = found(monkeypatch, resolvers, patience=60)
    assert server == OTHER
    assert seconds < 30


def test_a_resolver_that_knows_that_the_name_does_not_exist_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LookupFailedError, match="NXDOMAIN"):
        found(monkeypatch, Resolvers(own=LookupFailedError("NXDOMAIN"), other=ANSWER))


def test_two_silent_resolvers_end_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SilentError):
        found(monkeypatch, Resolvers(), last=0.1)
