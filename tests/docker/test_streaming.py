"""Four nodes made by initdb and pg_basebackup: they stream, safely, and with no special rights."""

from __future__ import annotations

import psycopg
import pytest

from lab.core.topology import (
    DATABASES,
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
)
from lab.postgres.following import prove_following
from lab.postgres.processes import HOME
from lab.postgres.sessions import way
from lab.postgres.settingnames import RELOADED, RESTARTED
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
STANDBYS = (EAST_DB2, WEST_DB1, WEST_DB2)
every_node = pytest.mark.parametrize("place", DATABASES, ids=str)


def _inside(lab: Lab, place: Place, sql: str) -> str:
    """Ask as a client of the machine itself: the tool's own sessions have settings of their own."""
    return lab.engine.run(place, ["psql", "-U", "postgres", "-d", "shop", "-AXtqc", sql]).strip()


def test_a_fresh_record_arrives_at_every_standby(steady: Lab) -> None:
    nodes = steady.databases
    took = prove_following(nodes[EAST_DB1], [nodes[each] for each in STANDBYS], 10)
    assert set(took) == set(STANDBYS)


def test_a_row_of_the_primary_can_be_read_on_every_standby(steady: Lab) -> None:
    nodes = steady.databases
    nodes[EAST_DB1].query("INSERT INTO readiness VALUES ('streams')", database="shop")
    prove_following(nodes[EAST_DB1], [nodes[each] for each in STANDBYS], 10)
    found = [
        nodes[each].query("SELECT checks FROM readiness WHERE app = 'streams'", database="shop")
        for each in STANDBYS
    ]
    assert found == [[(1,)]] * 3


def test_only_the_standbys_are_standbys_on_disk(steady: Lab) -> None:
    found = [place for place in DATABASES if steady.databases[place].is_standby_on_disk()]
    assert tuple(found) == STANDBYS


def test_roles_are_asked_of_the_servers_and_agree_with_the_topology(steady: Lab) -> None:
    states = {place: steady.databases[place].state() for place in DATABASES}
    assert [states[place].role for place in DATABASES] == ["primary", *["standby"] * 3]
    assert {state.timeline for state in states.values()} == {1}
    assert {place.server_name for place in DATABASES} == {s.server_name for s in states.values()}
    assert states[EAST_DB1].slots == ("east_db2", "west_db1")
    assert states[WEST_DB1].slots == ("west_db2",)


def test_the_primary_waits_for_the_other_zone_alone(steady: Lab) -> None:
    rows = steady.databases[EAST_DB1].query(
        "SELECT application_name, sync_state FROM pg_stat_replication ORDER BY 1"
    )
    assert rows == [("east_db2", "quorum"), ("west_db1", "async")]


def test_the_cross_region_standby_streams_by_the_gateway_and_the_last_one_cascades(
    steady: Lab,
) -> None:
    addresses = steady.settings.addresses
    gateway = addresses.gateway_as_seen_from(EAST, WEST)
    assert steady.databases[WEST_DB1].state().receiver == f"{gateway}:5433 streaming"
    assert steady.databases[WEST_DB2].state().receiver == (
        f"{addresses.inside(WEST_DB1)}:5432 streaming"
    )


def test_the_role_that_replicates_may_log_in_and_replicate_and_nothing_else(steady: Lab) -> None:
    rows = steady.databases[EAST_DB1].query(
        "SELECT rolname::text, rolcanlogin, rolreplication, rolsuper, rolcreaterole, rolcreatedb"
        " FROM pg_roles WHERE rolname IN ('replicator', 'shop') ORDER BY 1"
    )
    assert rows == [
        ("replicator", True, True, False, False, False),
        ("shop", True, False, False, False, False),
    ]


@every_node
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_durability_is_on(steady: Lab, place: Place, setting: str) -> None:
    assert _inside(steady, place, f"SHOW {setting}") == "on"


def test_no_role_or_database_has_settings_of_its_own(steady: Lab) -> None:
    assert _inside(steady, EAST_DB1, "SELECT * FROM pg_db_role_setting") == ""


def test_what_a_standby_needs_no_less_of_is_equal_on_every_node(steady: Lab) -> None:
    names = "'wal_level', 'max_wal_senders', 'max_replication_slots', 'max_connections'"
    sql = f"SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ({names})"  # noqa: S608, E501
    found = {_inside(steady, place, sql) for place in DATABASES}
    assert len(found) == 1
    assert "wal_level=replica" in found.pop()


@every_node
def test_no_login_is_trusted(steady: Lab, place: Place) -> None:
    methods = _inside(steady, place, "SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert set(methods.split()) == {"peer", "scram-sha-256"}
    assert _inside(steady, place, "SELECT count(error) FROM pg_hba_file_rules") == "0"
    assert _inside(steady, place, "SHOW password_encryption") == "scram-sha-256"
    assert (
        _inside(steady, place, "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid")
        == "t"
    )


@pytest.mark.parametrize("role", ["postgres", "shop"])
def test_a_wrong_password_is_refused(steady: Lab, role: str) -> None:
    port = steady.engine.port(EAST_DB1, 5432)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            **way(EAST_DB1, port, steady.settings), user=role, password="wrong", dbname="shop"
        ).close()


def test_a_wrong_password_is_refused_where_replication_would_be_allowed(steady: Lab) -> None:
    primary = steady.settings.addresses.inside(EAST_DB1)
    login = f"host={primary} user=replicator replication=true sslmode=require"
    without_its_own = ["env", "PGPASSFILE=/dev/null", "PGPASSWORD=wrong"]
    command = [*without_its_own, "psql", "-Xc", "IDENTIFY_SYSTEM", login]
    code, said = steady.engine.run_code(EAST_DB2, command)
    assert code
    assert "password authentication failed" in said


@every_node
def test_every_process_is_powerless_and_an_init_is_the_first(steady: Lab, place: Place) -> None:
    statuses = steady.engine.run(place, ["sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null; true"])
    found: dict[str, list[str]] = {}
    for line in statuses.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name, []).append(value.strip())
    assert len(found["Pid"]) > 5
    assert {uid for value in found["Uid"] for uid in value.split()} == {"999"}
    for capabilities in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert {int(value, 16) for value in found[capabilities]} == {0}
    assert set(found["NoNewPrivs"]) == {"1"}
    assert steady.engine.run(place, ["cat", "/proc/1/comm"]).strip() == "tini"


def test_secrets_are_private_files_outside_the_data_directory(steady: Lab) -> None:
    listed = steady.engine.run(EAST_DB1, ["sh", "-c", f"stat -c '%a %U' {HOME}/identity/*"])
    assert set(listed.splitlines()) == {"600 postgres"}


def test_a_base_backup_through_a_slow_gateway_works_and_streams(breakable: Lab) -> None:
    states = {str(each.link.name): each for each in breakable.links.states(EAST)}
    assert states["west:east:replication"].delay_ms == 40
    nodes, arrow = breakable.databases, Follows(WEST_DB1, EAST_DB1)
    upstream = nodes.upstream(arrow)
    assert upstream.host == breakable.settings.addresses.gateway_as_seen_from(EAST, WEST)
    before = nodes[WEST_DB1].query("SELECT pg_postmaster_start_time()")
    nodes[WEST_DB1].backup_from(upstream)
    assert nodes[WEST_DB1].query("SELECT pg_postmaster_start_time()") != before
    prove_following(nodes[EAST_DB1], [nodes[WEST_DB1]], 10)
    assert nodes[WEST_DB1].is_standby_on_disk()


def test_the_lab_knows_the_names_of_all_settings_and_which_need_a_restart(steady: Lab) -> None:
    rows = steady.databases[EAST_DB1].query(
        "SELECT name, context FROM pg_settings WHERE context <> 'internal'"
        " AND strpos(name, '.') = 0"
    )
    unknown = {name for name, _ in rows} - RELOADED - RESTARTED
    assert not unknown, "a script's drill could not set them: add them to settingnames.py"
    assert not {name for name, context in rows if (context == "postmaster") != (name in RESTARTED)}
