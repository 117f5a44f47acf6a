"""What the doctor finds on a machine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.core.errors import EngineMissing
from lab.host import imagebuild
from lab.host.subnets import (
    Network,
    Route,
    lab_networks,
    own_names,
    parse_network,
    parse_routes,
    taken_by,
)
from lab.testbed import doctor, lifecycle
from lab.testbed.doctor import Check, examine

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br-10c650b5c40b\t00005B0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
"""

WANTED = lab_networks("10.91")


def network(name: str, subnet: str, bridge: str = "br-1") -> Network:
    (found,) = parse_network(
        {
            "Name": name,
            "Id": bridge.removeprefix("br-") * 12,
            "Options": {"com.docker.network.bridge.name": bridge},
            "IPAM": {"Config": [{"Subnet": subnet}, {"Subnet": "fd00::/64"}]},
        }
    )
    return found


def test_the_kernels_routes_are_read_without_the_default_one() -> None:
    assert [(r.interface, str(r.subnet)) for r in parse_routes(TABLE)] == [
        ("br-10c650b5c40b", "10.91.0.0/24"),
        ("tun0", "10.0.0.0/8"),
    ]


def test_the_labs_own_networks_and_their_bridges_take_nothing() -> None:
    networks = [network("lab-internet", "10.91.0.0/24", "br-10c650b5c40b")]
    found = taken_by(WANTED, own_names("lab"), networks, list(parse_routes(TABLE))[:1])
    assert found == ()


def test_another_labs_network_is_named_once_and_blocks() -> None:
    networks = [network("other-east", "10.91.1.0/24", "br-7")]
    used = [Route("br-7", networks[0].subnet)]
    (taken,) = taken_by(WANTED, own_names("lab"), networks, used)
    assert taken.blocks
    assert taken.what == "Docker's network other-east (10.91.1.0/24)"


def test_a_wider_route_is_only_a_warning_and_an_equal_one_blocks() -> None:
    wide, narrow = lab_networks("10.91")[0].supernet(new_prefix=8), WANTED[2]
    found = taken_by(WANTED, frozenset(), [], [Route("tun0", wide), Route("eth1", narrow)])
    assert [t.blocks for t in found] == [False, True]
    assert "the route 10.0.0.0/8 by tun0" in found[0].what


def test_networks_without_addresses_are_no_obstacle() -> None:
    assert list(parse_network({"Name": "host", "Id": "c9", "IPAM": {"Config": None}})) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00.123456789Z", 60.123456),
        ("1970-01-01T01:01:00.5+01:00", 60.5),
        ("1970-01-01T00:01:00Z", 60.0),
    ],
)
def test_the_engines_time_is_read(text: str, seconds: float) -> None:
    assert doctor.parse_time(text) == pytest.approx(seconds)


def test_available_memory_is_the_kernels_estimate(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:  50 kB\n")
    assert doctor.available_memory(tmp_path / "meminfo") == 50 * 1024


OTHERS = {
    "Name": "other-east", "Id": "c9", "IPAM": {"Config": [{"Subnet": "10.91.1.0/24"}]},
}  # fmt: skip
NETWORKS: list[dict[str, Any]] = []


class LabsEngine:
    """The same engine, asked about one lab: `NETWORKS` are other labs'."""

    own: str | None = None
    """The subnet of this lab's own networks."""

    def __init__(self, _name: str) -> None:
        pass

    def leftovers(self) -> tuple[str, ...]:
        return ("network lab-east",) if self.own else ()

    def subnet(self) -> str | None:
        return self.own

    def subnets_in_use(self) -> dict[str, str]:
        return {str(n.subnet): n.name for each in NETWORKS for n in parse_network(each)}

    def close(self) -> None:
        pass


class FakeEngine:
    """An engine as the doctor sees it: what it says about itself, its networks and images."""

    def __init__(self, **changes: Any) -> None:
        self.answers = {
            "ServerVersion": "28.0",
            "DockerRootDir": "/no/such/folder",
            "MemTotal": 8 * doctor.GIB,
            "NCPU": 4,
            "SystemTime": "2026-01-31T12:00:00.000000001Z",
        } | changes
        self.api = SimpleNamespace(networks=lambda: NETWORKS)

    def info(self) -> dict[str, Any]:
        return self.answers


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def run(**changes: Any) -> dict[str, Check]:
        monkeypatch.setattr(doctor, "client", lambda timeout: FakeEngine(**changes))
        return {check.name: check for check in examine()}

    monkeypatch.setattr("lab.testbed.doctor.time.time", lambda: 1769860800.0)  # that same moment
    monkeypatch.setattr(doctor, "compose_command", lambda: ["docker", "compose"])
    monkeypatch.setattr(doctor, "_missing", lambda engine: ())
    monkeypatch.setattr("lab.host.subnets.read_routes", lambda: ())
    monkeypatch.setattr(lifecycle, "Engine", LabsEngine)
    monkeypatch.setattr(LabsEngine, "own", None)
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.delenv("LAB_SUBNET", raising=False)
    NETWORKS.clear()
    return run


def test_a_machine_in_order_gets_no_advice(examined: Any) -> None:
    checks = examined()
    assert {check.state for check in checks.values()} == {"ok"}
    assert {check.advice for check in checks.values()} == {""}
    assert list(checks) == [name for name, _ in doctor.CHECKS]


@pytest.mark.parametrize(
    ("changes", "name", "state"),
    [
        ({"MemTotal": doctor.GIB // 2}, "memory", "broken"),
        ({"MemTotal": 3 * doctor.GIB // 2}, "memory", "warn"),
        ({"NCPU": 1}, "cores", "warn"),
        ({"SystemTime": "2026-01-31T12:00:30Z"}, "clock", "warn"),
        ({"SystemTime": "2026-01-31T11:50:00Z"}, "clock", "broken"),
    ],
)
def test_what_is_short_is_found_with_advice(
    examined: Any, changes: dict[str, Any], name: str, state: str
) -> None:
    check = examined(**changes)[name]
    assert check.state == state
    assert check.advice


def test_where_another_lab_is_a_new_one_is_brought_up_in_the_next_free_subnet(
    examined: Any,
) -> None:
    NETWORKS.append(OTHERS)
    found = examined()["subnet"]
    assert (found.state, found.advice) == ("ok", "")
    assert found.found == "10.92.0.0 to 10.92.4.255 is free for this lab"


def test_a_subnet_that_was_asked_for_and_is_taken_is_broken_as_it_is_for_up(
    examined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    NETWORKS.append(OTHERS)
    monkeypatch.setenv("LAB_SUBNET", "10.91")
    found = examined()["subnet"]
    assert (found.state, found.advice) == ("broken", "choose another: LAB_SUBNET=10.123 lab up")
    assert "taken by other-east" in found.found
    monkeypatch.setenv("LAB_SUBNET", "8.8")
    assert "not a private network" in examined()["subnet"].found


def test_no_free_subnet_is_broken_as_it_is_for_up(examined: Any) -> None:
    subnets = [{"Subnet": f"10.{second}.0.0/16"} for second in range(91, 100)]
    NETWORKS.append({**OTHERS, "IPAM": {"Config": subnets}})
    assert examined()["subnet"].found == "10.91 to 10.99 are all taken"


def test_a_lab_that_exists_is_looked_at_where_it_is(
    examined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabsEngine, "own", "10.95")
    assert examined()["subnet"].found == "10.95.0.0 to 10.95.4.255 is free for this lab"
    monkeypatch.setenv("LAB_SUBNET", "10.123")
    assert "'lab' is in 10.95 already" in examined()["subnet"].found


def test_absent_images_are_named(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_missing", lambda engine: (SimpleNamespace(role="postgres"),))
    check = examined()["images"]
    assert check.state == "warn"
    assert "postgres" in check.found


def test_a_full_disk_is_told_with_figures(
    examined: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "lab.testbed.doctor.shutil.disk_usage", lambda path: SimpleNamespace(free=10**8)
    )
    check = examined(DockerRootDir=str(tmp_path))["free disk"]
    assert check.state == "broken"
    assert "0.1 GiB" in check.found


def test_a_check_that_fails_by_itself_does_not_hide_the_others(
    examined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> tuple[Route, ...]:
        raise OSError("no such table")

    monkeypatch.setattr("lab.host.subnets.read_routes", broken)
    checks = examined()
    assert checks["subnet"].state == "broken"
    assert "no such table" in checks["subnet"].found
    assert checks["clock"].state == "ok"


def test_without_an_engine_only_that_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(timeout: float) -> None:
        raise EngineMissing("no container engine answers", "on Debian: …")

    monkeypatch.setattr(doctor, "client", missing)
    (check,) = examine()
    assert (check.name, check.state, check.advice) == ("engine", "broken", "on Debian: …")


def test_building_needs_more_disk_than_running() -> None:
    assert imagebuild.NEEDED_DISK > doctor.RUNNING_DISK
