"""Lab names, subnets and secrets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.core.addresses import Addresses
from lab.core.errors import LabError, MachineError, UsageError
from lab.core.topology import EAST, NETWORKS, PLACES, SHOP_CONNECTIONS, TTL_SECONDS, WEST
from lab.infra import settings
from lab.infra.inventory import cgroup_parent


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.delenv("LAB_NAME", raising=False)
    monkeypatch.delenv("LAB_SUBNET", raising=False)


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "la b", "x" * 31, "lab/../x", "lab_x"])
def test_a_name_that_cannot_be_a_lab_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.chosen_name(name or " ")
    assert caught.value.exit_code == 2


def test_the_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NAME", "second")
    assert settings.chosen_name(None) == "second"
    assert settings.chosen_name("third") == "third"


def test_a_subnet_that_is_taken_is_passed_over_and_its_holder_named_if_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = {"10.91.0.0/24": "another-lab", "10.92.2.0/23": "vpn", "fd00::/64": "six"}
    assert settings.chosen_subnet(taken) == "10.93"
    monkeypatch.setenv("LAB_SUBNET", "10.92")
    with pytest.raises(MachineError, match="vpn"):
        settings.chosen_subnet(taken)


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_a_subnet_is_taken_when_any_of_its_networks_is(number: int) -> None:
    assert settings.chosen_subnet({f"10.91.{number}.0/24": "other"}) == "10.92"


def test_nine_labs_find_room() -> None:
    taken: dict[str, str] = {}
    for number in range(9):
        found = Addresses(settings.chosen_subnet(taken))
        taken |= {found.network(name): f"lab{number}" for name in NETWORKS}
    with pytest.raises(MachineError, match=r"10\.91 to 10\.99"):
        settings.chosen_subnet(taken)


@pytest.mark.parametrize(
    "subnet", ["10", "10.300", "8.8", "10.91.0", "ten.one", "10.91.0.0/16", "10.091", "127.0"]
)
def test_a_subnet_that_is_none_or_public_is_refused(
    subnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SUBNET", subnet)
    with pytest.raises(UsageError):
        settings.chosen_subnet({})


def test_no_two_programs_and_no_two_labs_have_the_same_control_token() -> None:
    labs = settings.create("one", "10.91"), settings.create("two", "10.92")
    assert len({lab.control_token(place) for lab in labs for place in PLACES}) == 2 * len(PLACES)


def test_secrets_are_new_for_each_lab_and_readable_by_its_owner_only() -> None:
    first, second = settings.create("one", "10.91"), settings.create("two", "10.92")
    secrets = [
        {s.superuser_password, s.replication_password, s.shop_password, s.jwt_key, s.tsig_key}
        for s in (first, second)
    ]
    assert not secrets[0] & secrets[1]
    assert all(len(each) == 5 for each in secrets)
    mode = stat.S_IMODE(settings.settings_file("one").stat().st_mode)
    assert mode == 0o600
    assert settings.load("one") == first


def test_a_damaged_settings_file_is_named_and_nothing_is_guessed() -> None:
    settings.create("lab", "10.91")
    settings.settings_file("lab").write_text('{"name": "lab"')
    with pytest.raises(LabError, match=r"lab\.json is damaged"):
        settings.load("lab")


def test_a_lab_that_was_forgotten_is_unknown() -> None:
    settings.create("lab", "10.91")
    settings.forget("lab")
    assert settings.load("lab") is None
    assert [*settings.settings_file("lab").parent.iterdir()] == []


def test_the_same_description_becomes_two_regions_by_its_variables() -> None:
    lab = settings.create("lab", "10.91")
    east, west = (lab.region_environment(each, {"apps": "lab/apps:1"}) for each in (EAST, WEST))
    assert (east["REGION"], east["OTHER"], west["REGION"]) == ("east", "west", "west")
    assert east["LAB_IMAGE_APPS"] == "lab/apps:1"
    assert east["SHOP_CONNECTIONS"] == str(SHOP_CONNECTIONS)
    assert east["NAME_TTL"] == str(TTL_SECONDS)  # the steering's answers live as long as the tool's
    assert {k for k in east if east[k] != west[k]} == {
        "REGION", "N", "OTHER", "M", "GATEWAY", "GATEWAY_INTERNET", "DNS_INTERNET",
        "STEERING_INTERNET", "CHECKS_PORT", "CONTROL", "STEERING_TOKEN",
    }  # fmt: skip


def test_users_and_caches_are_encrypted_where_that_was_asked_for_when_the_lab_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = settings.create("plain", "10.91").region_environment(EAST, {})
    monkeypatch.setenv("LAB_TLS", "all")
    made = settings.create("all", "10.91")
    monkeypatch.delenv("LAB_TLS")
    whole = made.region_environment(EAST, {})
    changed = ("SHOP_AUTHORITY", "APP_CERTIFICATE", "APP_KEY", "CACHE_CERTIFICATE", "CACHE_KEY")
    assert {plain[name] for name in changed} == {""}
    assert all(whole[name] for name in changed)
    assert (plain["SHOP_SCHEME"], whole["SHOP_SCHEME"]) == ("http", "https")
    assert settings.load("all") == made
    assert made.https
    other = made.region_environment(WEST, {})
    assert {name for name in changed if whole[name] == other[name]} == {"SHOP_AUTHORITY"}


def test_another_extent_of_encryption_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TLS", "some")
    with pytest.raises(UsageError, match="neither databases nor all"):
        settings.create("lab", "10.91")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"CgroupDriver": "cgroupfs", "CgroupVersion": "1"}, "/"),
        ({"CgroupDriver": "cgroupfs", "CgroupVersion": "2", "SecurityOptions": None}, "/"),
        ({"CgroupDriver": "systemd", "CgroupVersion": "2"}, ""),
        ({"CgroupDriver": "none", "SecurityOptions": ["name=rootless"]}, ""),
        ({"CgroupDriver": "cgroupfs", "SecurityOptions": ["name=rootless"]}, ""),
        ({}, ""),
    ],
)
def test_containers_stand_beside_other_programs_where_the_engine_may_put_them_there(
    info: dict[str, object], expected: str
) -> None:
    assert cgroup_parent(info) == expected


def test_a_lab_keeps_the_cgroup_that_it_was_made_with() -> None:
    settings.create("lab", "10.91", "/")
    kept = settings.load("lab")
    assert kept is not None
    assert kept.environment({})["LAB_CGROUP_PARENT"] == "/"
    assert settings.create("old", "10.92").environment({})["LAB_CGROUP_PARENT"] == ""
