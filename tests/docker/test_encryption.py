"""No program talks to a database in plain text, and none talks to a stranger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from inside import log_in_from_app

from lab.core.errors import LabError
from lab.core.topology import (
    DATABASES,
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST,
    WEST_DB1,
    WEST_DB2,
    WRITER_NAME,
    Place,
    head_name,
)
from lab.core.wait import wait_until
from lab.infra import certificates
from lab.infra.logins import SHOP_ROLE
from lab.postgres.processes import HOME
from lab.postgres.sessions import way
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
every_node = pytest.mark.parametrize("place", DATABASES, ids=str)
STANDBYS = (EAST_DB2, WEST_DB1, WEST_DB2)
SENDERS = {EAST_DB1: {"east_db2", "west_db1"}, WEST_DB1: {"west_db2"}}
SHOPS = {EAST_DB1: {"east.app", "west.app"}, WEST_DB1: {"west.app"}}
SESSIONS = """
    SELECT a.application_name, a.backend_type, s.ssl, s.version
    FROM pg_stat_activity AS a JOIN pg_stat_ssl AS s USING (pid)
    WHERE a.backend_type IN ('client backend', 'walsender') AND a.client_addr IS NOT NULL
"""


def _password(lab: Lab, role: str) -> str:
    known = lab.settings
    return {
        "postgres": known.superuser_password,
        "replicator": known.replication_password,
        "shop": known.shop_password,
    }[role]


def _log_in(lab: Lab, place: Place, role: str = "shop", **changes: Any) -> None:
    """Log in by the published port as the tool does, but for what is changed."""
    arguments = {
        **way(place, lab.engine.port(place, 5432), lab.settings),
        "user": role,
        "password": _password(lab, role),
        "dbname": "shop",
        **changes,
    }
    psycopg.connect(**arguments).close()


def _as_peer(lab: Lab, how: str) -> tuple[int, str]:
    """A replication login from the other node of east's pair: exit code and what was said."""
    primary = lab.settings.addresses.inside(EAST_DB1)
    login = f"host={primary} user=replicator replication=true {how}"
    return lab.engine.run_code(EAST_DB2, ["psql", "-AXtc", "IDENTIFY_SYSTEM", login])


def _with_shops(lab: Lab, place: Place) -> list[tuple[Any, ...]] | None:
    """Sessions at a node, once the shops that read there are among them.

    A shop at rest keeps the broken connections of a node that restarted until a user reads,
    as a customer does who logs in.
    """
    for guest in lab.guests.values():
        guest.token()
    rows = lab.databases[place].query(SESSIONS)
    return rows if SHOPS.get(place, set()) <= {row[0] for row in rows} else None


@every_node
def test_every_session_that_comes_over_a_network_is_encrypted(serving: Lab, place: Place) -> None:
    found = wait_until(
        f"the shops' sessions at {place}",
        lambda: _with_shops(serving, place),
        timeout=20,
        every=0.5,
        ignoring=(LabError,),
    )
    assert {(ssl, version) for _, _, ssl, version in found} == {(True, "TLSv1.3")}
    senders = {name for name, kind, _, _ in found if kind == "walsender"}
    assert senders == SENDERS.get(place, set())
    assert SHOPS.get(place, set()) <= {name for name, _, _, _ in found}
    assert "lab" in {name for name, _, _, _ in found}  # who asks this


@pytest.mark.parametrize("place", STANDBYS, ids=str)
def test_a_standby_wants_its_upstream_to_prove_itself(steady: Lab, place: Place) -> None:
    wanted = steady.databases[place].query("SHOW primary_conninfo")[0][0]
    assert "sslmode=verify-full" in wanted
    assert f"sslrootcert={HOME}/identity/" in wanted


@every_node
@pytest.mark.parametrize("role", ["postgres", "shop"])
def test_a_login_in_plain_text_is_refused(steady: Lab, place: Place, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry.*no encryption"):
        _log_in(steady, place, role, sslmode="disable")


def test_the_same_login_with_encryption_is_let_in(steady: Lab) -> None:
    for place in DATABASES:
        _log_in(steady, place, "shop")
        _log_in(steady, place, "postgres")


def test_an_older_protocol_is_refused(steady: Lab) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"protocol version|unsupported protocol"):
        _log_in(steady, EAST_DB1, ssl_max_protocol_version="TLSv1.2")


def test_a_client_of_another_lab_does_not_believe_these_servers(
    steady: Lab, tmp_path: Path
) -> None:
    stranger = certificates.make("stranger", steady.settings.addresses)
    file = tmp_path / "stranger.pem"
    file.write_text(stranger.authority.certificate)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        _log_in(steady, EAST_DB1, sslrootcert=str(file))


def test_one_node_cannot_be_taken_for_another(steady: Lab) -> None:
    elsewhere = steady.engine.port(EAST_DB2, 5432)
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        _log_in(steady, EAST_DB1, port=elsewhere)


def test_the_shop_may_log_in_to_no_other_database(steady: Lab) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        _log_in(steady, EAST_DB1, SHOP_ROLE, dbname="postgres")


@pytest.mark.parametrize("region", [EAST, WEST], ids=lambda each: each.name)
def test_a_shop_reaches_writer_and_reader_by_names_that_are_verified(
    steady: Lab, region: Any
) -> None:
    for name in (WRITER_NAME, head_name(region)):
        assert log_in_from_app(steady, region, name, "shop", steady.settings.shop_password) == "in"


def test_the_replication_role_is_let_in_from_a_peer_and_from_no_other_address(
    steady: Lab,
) -> None:
    password = steady.settings.replication_password
    primary = steady.settings.addresses.inside(EAST_DB1)
    told = log_in_from_app(steady, EAST, primary, "replicator", password, replication=True)
    assert "no pg_hba.conf entry for replication connection" in told
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry for replication"):
        _log_in(steady, EAST_DB1, "replicator", replication="true")
    code, told = _as_peer(steady, "sslmode=require")
    assert (code, told.count("|")) == (0, 3)


def test_not_even_a_peer_replicates_in_plain_text(steady: Lab) -> None:
    code, told = _as_peer(steady, "sslmode=disable")
    assert code
    assert "no pg_hba.conf entry for replication connection" in told
    assert "no encryption" in told


@every_node
def test_key_and_certificate_stand_outside_the_data_directory(steady: Lab, place: Place) -> None:
    node = steady.databases[place]
    folder = node.query("SHOW data_directory")[0][0]
    for setting in ("ssl_key_file", "ssl_cert_file"):
        file = node.query("SELECT current_setting(%s)", (setting,))[0][0]
        assert file.startswith(f"{HOME}/identity/")
        assert not file.startswith(folder)
    inside = steady.engine.run(place, ["sh", "-c", f"find {folder} {HOME}/golden -name '*.key'"])
    assert inside == ""
