"""What Compose is told, read as data: limits, labels, and nothing that a lab must not have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lab.core.topology import MACHINES

FOLDER = Path(__file__).parent.parent.parent / "compose"
REGION = yaml.safe_load((FOLDER / "region.yaml").read_text())["services"]
WORLD = yaml.safe_load((FOLDER / "world.yaml").read_text())["services"]
SERVICES = {**REGION, **WORLD}


def test_a_shop_has_the_room_that_a_reset_gives_back() -> None:
    assert REGION["app"]["environment"]["POOL_SIZE"] == "${SHOP_CONNECTIONS}"


def test_a_region_is_made_of_exactly_the_machines_of_the_topology() -> None:
    assert set(REGION) == {machine.service for machine in MACHINES}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_machine_says_where_it_stands_and_how_important_it_is(name: str) -> None:
    labels = SERVICES[name]["labels"]
    assert set(labels) == {"failover-lab", "place", "region", "zone", "dr-tier", "rto-hours"}
    assert labels["dr-tier"] in {"1", "2", "3"}
    assert float(labels["rto-hours"]) > 0


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.service)
def test_zones_are_those_of_the_topology(machine: object) -> None:
    assert REGION[machine.service]["labels"]["zone"] == machine.zone  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_machine_is_limited_probed_rarely_and_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+m", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name != "app":  # any image may stand there: it says itself how its health is seen
        assert int(service["healthcheck"]["interval"].removesuffix("s")) >= 10


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_loopback_and_chosen_by_the_engine(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1::\d+(/tcp)?", port)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_holds_the_engine_and_no_folder_of_the_host_is_mounted(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert re.fullmatch(r"[a-z0-9-]+", source), f"{volume} is no named volume"
    assert "docker.sock" not in str(SERVICES[name])


def test_no_secret_is_written_down() -> None:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in {".yaml", ".conf", ""}:
            for line in path.read_text(errors="replace").splitlines():
                found = re.search(r"(PASSWORD|_KEY):\s+(.+)", line)
                assert not found or "${" in found[2], f"{path.name}: {line}"
