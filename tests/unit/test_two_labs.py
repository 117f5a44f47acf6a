"""Two new labs that are brought up in the same moment both find a subnet that is free."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.core.addresses import Addresses
from lab.core.errors import MachineError, UsageError
from lab.infra import settings
from lab.infra.settings import Settings
from lab.testbed import lifecycle

TAKEN = {"10.91", "10.92"}


class Engine:
    """Refuses networks in what another lab has taken meanwhile."""

    def ensure_networks(self, addresses: Addresses) -> None:
        if addresses.network("internet").startswith(tuple(TAKEN)):
            raise MachineError("Pool overlaps with other one on this address space")

    def leftovers(self) -> tuple[str, ...]:
        return ("network stuck-internet",)

    def remove_everything(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        pass


class Keeping(Engine):
    """Has lost count of a network's endpoints: it does not let go of it, and shows nothing else."""

    def __init__(self, _name: str) -> None:
        pass

    def subnet(self) -> str | None:
        return "10.99"

    def subnets_in_use(self) -> dict[str, str]:
        return {}

    def facts(self) -> SimpleNamespace:
        return SimpleNamespace(cgroup_parent="")


class Lab:
    def __init__(self, chosen: Settings) -> None:
        self.settings, self.engine = chosen, Engine()


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.setattr(lifecycle, "Lab", Lab)
    yield


def test_a_subnet_that_was_taken_meanwhile_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = iter(["10.91", "10.92", "10.93"])
    monkeypatch.setattr(lifecycle, "_settings_for", lambda name: settings.create(name, next(free)))
    made = lifecycle._on_networks("new")
    assert made.settings.subnet == "10.93"
    assert settings.load("new") == made.settings


def test_where_there_is_no_room_it_is_said_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "_settings_for", lambda name: settings.create(name, "10.91"))
    with pytest.raises(MachineError, match="overlaps"):
        lifecycle._on_networks("new", looks=2)
    assert settings.load("new") is None


def test_a_lab_that_exists_keeps_its_secrets_whatever_took_its_subnet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = settings.create("old", "10.92")
    monkeypatch.setattr(lifecycle, "_settings_for", lambda _name: kept)
    with pytest.raises(MachineError, match="overlaps"):
        lifecycle._on_networks("old")
    assert settings.load("old") == kept


def test_a_kept_network_in_another_subnet_than_the_wanted_one_is_named_and_nothing_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "Engine", Keeping)
    monkeypatch.setenv("LAB_SUBNET", "10.123")
    with pytest.raises(UsageError, match=r"10\.123.*'stuck' is in 10\.99") as refused:
        lifecycle._settings_for("stuck")
    assert "lab down" in refused.value.next_step
    assert settings.load("stuck") is None
    monkeypatch.setenv("LAB_SUBNET", "10.99")
    assert lifecycle._settings_for("stuck").subnet == "10.99"


def test_a_lab_that_exists_says_that_it_cannot_move_to_another_subnet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "Engine", Keeping)
    monkeypatch.setattr(Keeping, "leftovers", lambda _: ("network old-internet",))
    made = settings.create("old", "10.92")
    monkeypatch.setenv("LAB_SUBNET", "10.93")
    with pytest.raises(UsageError, match=r"10\.93.*'old' is in 10\.92"):
        lifecycle._settings_for("old")
    monkeypatch.setenv("LAB_SUBNET", "10.92")
    assert lifecycle._settings_for("old") == made


def test_a_lab_whose_settings_are_lost_goes_where_the_network_is_that_the_engine_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "Engine", Keeping)
    assert lifecycle._settings_for("stuck").subnet == "10.99"
