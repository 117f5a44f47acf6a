"""What the engine's list of containers says of a machine, in the lab's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.models.containers import Container

from lab.core.addresses import Addresses
from lab.core.errors import LabError, MachineDown
from lab.core.topology import EAST, EAST_DB1, REGIONS, WRITER_NAME, Place
from lab.infra import inventory
from lab.infra.containers import MachineState, listed_state
from lab.infra.dnsnames import Names
from lab.infra.machines import Engine
from lab.infra.settings import Settings


def listed(**changes: Any) -> Container:
    """A container as the engine lists it."""
    found = {
        "State": "running",
        "Status": "Up 3 minutes (healthy)",
        "Ports": [{"PrivatePort": 5432, "PublicPort": 32768, "IP": "127.0.0.1", "Type": "tcp"},
                  {"PrivatePort": 9000, "Type": "tcp"}],
        "NetworkSettings": {"Networks": {"mine-east": {}, "mine-internet": {}}},
    }  # fmt: skip
    return cast("Container", SimpleNamespace(attrs=found | changes))


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 minutes (healthy)", "healthy"),
        ("Up 3 minutes (unhealthy)", "unhealthy"),
        ("Up Less than a second (health: starting)", "starting"),
        ("Up 2 hours", ""),
    ],
)
def test_health_is_the_word_in_brackets(status: str, health: str) -> None:
    assert listed_state(EAST_DB1, listed(Status=status), "mine").health == health


def test_ports_are_those_that_are_published_and_networks_have_the_labs_names() -> None:
    state = listed_state(EAST_DB1, listed(), "mine")
    assert state.running
    assert state.ports == {"5432": 32768}
    assert state.networks == {"east", "internet"}


def test_a_machine_without_ports_and_networks_is_a_machine() -> None:
    state = listed_state(EAST_DB1, listed(Ports=None, NetworkSettings={}), "mine")
    assert (state.ports, state.networks) == ({}, frozenset())


def stopped(patch: pytest.MonkeyPatch, place: Place, status: str = "exited") -> Engine:
    """The engine as it was seen a moment ago, with one machine, which does not run."""
    patch.setattr(inventory, "client", lambda timeout: SimpleNamespace(api=SimpleNamespace()))
    engine = Engine("lab")
    engine._seen = {place: MachineState(place, status, "", {})}
    return engine


@pytest.mark.parametrize(
    ("status", "told", "way"),
    [
        ("exited", "does not run: it is stopped", "lab fault heal --all"),
        ("created", "does not run: it is stopped", "lab fault heal --all"),
        ("paused", "is frozen and may resume: it is frozen", "lab fault heal --all"),
        ("absent", "does not run: it is absent", "lab up"),
    ],
)
def test_a_machine_that_does_not_run_is_named_with_a_way_back_that_loses_no_order(
    monkeypatch: pytest.MonkeyPatch, status: str, told: str, way: str
) -> None:
    with pytest.raises(MachineDown, match=f"east.db1 {told}") as caught:
        stopped(monkeypatch, EAST_DB1, status).port(EAST_DB1, 5432)
    assert caught.value.next_step.endswith(way)


def test_a_resolver_whose_machine_is_down_does_not_run_and_is_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place("east", "dns")
    known = SimpleNamespace(tsig_key="c2VjcmV0", addresses=Addresses("10.91"))
    names = Names(stopped(monkeypatch, place), cast("Settings", known))
    with pytest.raises(LabError) as caught:
        names.ask(EAST, WRITER_NAME)
    assert caught.value.message == "east's resolver does not run: east.dns is stopped"
    names = Names(cast("Engine", SimpleNamespace(port=_all_down)), cast("Settings", known))
    told = str(names.point_writer(EAST_DB1, {}))
    assert told == "; ".join(
        f"the update of {each.name}'s resolver is pending ({each.name}'s resolver does not run:"
        f" {each.name}.dns is stopped)"
        for each in REGIONS
    )


def _all_down(place: Place, _inside: int) -> int:
    raise MachineDown(place, "exited")
