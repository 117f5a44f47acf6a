"""`lab lint`: which addresses in configuration files cannot follow a failover."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_runs import run

from lab.infra.fixedaddresses import MOVING, RULES, Address, Follows, addresses, judge


def rules(line: str, *moving: str) -> list[str]:
    return [each.rule.name for each in judge(addresses(line), (*MOVING, *moving))]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("DATABASE_URL=postgresql://shop:secret@10.91.1.11:5432/shop", "address"),
        ("url: jdbc:postgresql://[fd00::1]:5432/shop", "address"),
        ("DB_HOST=[fd00::1]:5432", "address"),
        ('"dbHost": "10.1.2.3",', "address"),
        ("dsn = \"host=10.1.2.3 dbname=shop user=shop\"", "address"),
        ("dsn: host='10.1.2.3' user=shop", "address"),
        ("PGHOST=db1.example.com", "machine"),
        ("export PGHOST=ip-10-0-1-2.example.com", "machine"),
        ("url = postgresql+psycopg://u@pg-primary-01/shop", "machine"),
        ("ENDPOINT=shop.cluster-x.us-east-1.rds.amazonaws.com", "region"),
        ("db.hostname=shop.eu-west-1b.example.com", "region"),
        ("host: shop.westeurope.example.com", "region"),
        ("host: shop.eastus2.example.com", "region"),
        ("host: shop-europe-west1.example.com", "region"),
        ("REDIS_URL=redis://:secret@cache.west.example.com:6379/0", "region"),
        ("WRITER=postgresql://a.example,b.example/shop", "first-of-several"),
        ("DB_HOST=a.example,b.example", "first-of-several"),
        ("WRITER=postgresql://a.example,b.example/shop?target_session_attrs=read-write", "several"),
        ("W=jdbc:postgresql://a.example,b.example/s?targetServerType=primary", "several"),
        ("WRITER_HOST: writer.lab.test", "moving-name"),
        ("READER_HOST: head.west.lab.test", "moving-name"),
        ("DB_HOST=${PRIMARY}", "set-elsewhere"),
        ("url: postgresql://u@{{ .Values.host }}/shop", "set-elsewhere"),
        ("DB_HOST=localhost", "local"),
        ("DB_HOST=/var/run/postgresql", "local"),
        ("DB_HOST=127.0.0.1:6432", "local"),
        ("DB_HOST=orders.example.com", "name"),
    ],
)  # fmt: skip
def test_each_kind_of_address_is_known(line: str, rule: str) -> None:
    assert rules(line) == [rule]


@pytest.mark.parametrize(
    "line",
    ["# DB_HOST=10.0.0.1", "// host: 10.0.0.1", "USE_HOST=true", "HOSTNAME=web-1", "port: 5432",
     "https://example.com/", "", "DB_HOST="],
)  # fmt: skip
def test_what_is_no_address_is_left_alone(line: str) -> None:
    assert rules(line) == []


def test_a_name_that_a_runbook_moves_is_told_by_the_user() -> None:
    line = "DB_HOST=writer.east.example.com"
    assert (rules(line), rules(line, "*.example.com")) == (["region"], ["moving-name"])


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    for each in judge(addresses(text), MOVING):
        assert each.address.hosts
        assert each.rule in RULES


@given(st.ip_addresses(v=4).filter(lambda found: not found.is_loopback), st.integers(1, 65535))
def test_an_ip_address_never_follows(address: object, port: int) -> None:
    [found] = judge(addresses(f"DB_HOST={address}:{port}"), MOVING)
    assert found.address == Address(1, (str(address),))
    assert found.rule.follows is Follows.NO


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "shop.env"
    file.write_text("WRITER=postgresql://shop:secret@10.1.2.3/shop\nREADER_HOST=writer.lab.test\n")
    return file


def test_half_of_the_addresses_are_hard_coded(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "lint", str(config)) == 1
    out = capsys.readouterr().out
    assert "1 of 2 addresses in 1 file cannot follow a failover (50%)" in out
    assert f"{config}:1" in out
    assert "secret" not in out


def test_the_same_as_json(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "lint", "--json", str(config.parent / "*.env"), str(config)) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["fixed"] == 1
    assert [each["rule"] for each in told["addresses"]] == ["address", "moving-name"]


def test_a_file_in_which_all_follow_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fine.env"
    file.write_text("DB_HOST=writer.lab.test\n")
    assert run(monkeypatch, "lint", str(file)) == 0


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is no file"), (b"\xff\xfe", "it is not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "odd.env"
    if content is not None:
        file.write_bytes(content)
    assert run(monkeypatch, "lint", str(file)) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
