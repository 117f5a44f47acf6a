"""A fence counts when two sessions fail to commit: one from before it, and one from after it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.core.errors import LabError
from lab.core.topology import EAST, EAST_DB1, WEST, Place, link
from lab.core.wait import wait_until
from lab.infra.linkstates import Toxic
from lab.testbed import fences
from lab.testbed.fences import Way
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
STREAMS = ("upstream", "downstream")


def test_a_fenced_primary_commits_for_no_session_old_or_new(serving_pair: Lab) -> None:
    """Nor is it held up by clients that fall silent in their handshake: those hold a server."""
    lab, takes_orders = serving_pair, serving_pair.guests[WEST].ready
    wait_until("west's shop to reach the primary", lambda: takes_orders()[0], 20)
    silent = [Toxic("silent", "timeout", each, {"timeout": 0}) for each in STREAMS]
    lab.links.armed_to_poison([link("west:east:sql")], silent)()
    wait_until("west's shop to miss it", lambda: not takes_orders()[0], 20)
    began = time.monotonic()
    said = fences.fence(lab, EAST_DB1)
    assert time.monotonic() - began < 40  # it was more than a minute
    assert "its server was stopped" in said
    assert "a session that was open got: " in said
    assert "a new session got: " in said
    assert "committed" not in said
    assert not lab.databases[EAST_DB1].answers()


def test_fencing_twice_is_not_needed_and_says_so(serving_pair: Lab) -> None:
    fences.fence(serving_pair, EAST_DB1)
    assert "no fence needed" in fences.fence(serving_pair, EAST_DB1)


def test_a_dead_machine_needs_no_fence(serving_pair: Lab) -> None:
    serving_pair.engine.kill([EAST_DB1])
    assert "machine is dead" in fences.fence(serving_pair, EAST_DB1)


def test_a_frozen_primary_is_killed_and_acknowledges_nothing_on_the_way(serving_pair: Lab) -> None:
    guest = serving_pair.guests[EAST]
    token = guest.token()

    def outcome(number: int) -> str:
        try:
            return guest.order(token, f"frozen-{number}").outcome
        except LabError:
            return "no answer"

    serving_pair.engine.freeze([EAST_DB1])
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(outcome, range(8))
        said = fences.fence(serving_pair, EAST_DB1)
        outcomes = list(asked)
    assert "its machine was killed" in said
    assert "ok" not in outcomes
    machine = serving_pair.engine.state(EAST_DB1)
    assert machine.stopped
    assert machine.networks == {"east"}
    serving_pair.boot([EAST_DB1])
    assert not serving_pair.databases[EAST_DB1].answers()
    serving_pair.databases[EAST_DB1].start()
    wait_until("its port to lead there", serving_pair.databases[EAST_DB1].answers, 10)


def test_a_setting_that_a_client_may_change_is_no_fence(
    serving_pair: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_nicely(lab: Lab, place: Place) -> None:
        lab.databases[place].query("ALTER SYSTEM SET default_transaction_read_only = on")
        lab.databases[place].query("SELECT pg_reload_conf()")

    monkeypatch.setattr(
        fences, "WAYS", (Way("it was asked nicely", "asking it nicely", "", ask_nicely),)
    )
    with pytest.raises(LabError, match="a session that was open before could still commit"):
        fences.fence(serving_pair, EAST_DB1)
