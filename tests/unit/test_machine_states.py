"""What the engine's list of containers says of a machine, in the lab's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.models.containers import Container

from lab.containers import listed_state
from lab.topology import EAST_DB1


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
