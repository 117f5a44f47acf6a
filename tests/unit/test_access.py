"""Who a database is known as, who may log in, and what the lab's authority vouches for."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lab.core.addresses import Addresses
from lab.core.topology import (
    DATABASES,
    EAST,
    EAST_DB1,
    REGIONS,
    WEST,
    WEST_DB1,
    WRITER_NAME,
    Follows,
    Place,
    head_name,
)
from lab.infra import certificates, logins, settings
from lab.postgres.databases import Databases

ADDRESSES = Addresses("10.91")
every_node = pytest.mark.parametrize("place", DATABASES, ids=str)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    """A new lab's settings."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    return settings.create("lab", "10.91")


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return {*found.get_values_for_type(x509.DNSName), *addresses}


@every_node
def test_a_certificate_names_all_that_clients_ask_for_and_no_other_node(
    place: Place, made: settings.Settings
) -> None:
    found = _names(_certificate(made.trust.servers[str(place)].certificate))
    heads = map(head_name, REGIONS)  # a region without one reads at the other's
    assert {WRITER_NAME, *heads, logins.machine_name(place)} <= found
    assert not {logins.machine_name(each) for each in DATABASES if each != place} & found
    assert not {ADDRESSES.inside(each) for each in DATABASES if each != place} & found


@pytest.mark.parametrize("upstream", DATABASES, ids=str)
@every_node
def test_each_node_that_a_standby_follows_has_a_certificate_for_the_address_it_uses(
    place: Place, upstream: Place, made: settings.Settings
) -> None:
    if place == upstream:
        return
    databases = Databases.__new__(Databases)
    databases._settings = made
    asked = databases.upstream(Follows(place, upstream)).host
    assert asked in _names(_certificate(made.trust.servers[str(upstream)].certificate))


def test_keys_are_short_ones_and_two_labs_do_not_trust_each_other(
    made: settings.Settings,
) -> None:
    other = certificates.make("other", ADDRESSES)
    for trust in (made.trust, other):
        for pair in trust.servers.values():
            certificate = _certificate(pair.certificate)
            assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
            certificate.verify_directly_issued_by(_certificate(trust.authority.certificate))
    assert made.trust.authority != other.authority
    assert len({pair.key for t in (made.trust, other) for pair in t.servers.values()}) == 2 * len(
        logins.SERVERS
    )


def test_the_authoritys_file_is_private_made_again_when_lost_and_goes_with_the_lab(
    made: settings.Settings,
) -> None:
    path = made.authority_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PRIVATE" not in path.read_text()
    path.unlink()
    assert settings.load("lab") == made
    assert path.read_text() == made.trust.authority.certificate
    settings.forget("lab")
    assert not list(path.parent.iterdir())


def test_no_key_of_the_authority_or_a_database_reaches_a_containers_environment(
    made: settings.Settings,
) -> None:
    made = made.model_copy(update={"tls": "all"})
    text = " ".join(made.region_environment(EAST, {}).values())
    databases = [made.trust.servers[str(place)] for place in DATABASES]
    for pair in (made.trust.authority, *databases, made.trust.servers["west.app"]):
        assert settings.one_line(pair.key) not in text
        assert pair.key not in text
    assert settings.one_line(made.trust.servers["east.app"].key) in text


@every_node
def test_no_login_over_a_network_works_without_encryption_and_a_password(place: Place) -> None:
    local, *lines = logins.host_based_access(place, ADDRESSES).splitlines()
    assert local == "local all postgres peer"
    for line in lines:
        words = line.split("#")[0].split()
        assert (words[0], words[-1]) == ("hostssl", "scram-sha-256")


def test_replication_is_for_the_pairs_other_node_and_the_own_gateway_only() -> None:
    found = {rule.origin for rule in logins.rules(WEST_DB1, ADDRESSES) if "repl" in rule.database}
    gateway = ADDRESSES.inside(Place("west", "gateway"))
    assert found == {f"{ADDRESSES.inside(Place('west', 'db2'))}/32", f"{gateway}/32"}


def test_the_shop_may_log_in_to_its_own_database_from_its_own_region() -> None:
    found = [rule for rule in logins.rules(EAST_DB1, ADDRESSES) if rule.role == "shop"]
    assert [(rule.database, rule.origin) for rule in found] == [
        ("shop", ADDRESSES.network(EAST.name))
    ]
    assert found[0].origin != ADDRESSES.network(WEST.name)
