"""What a lab is set to: its name, subnet and secrets, kept between commands.

Secrets are made anew for each lab, stay in one private file under the user's state folder and
are handed to containers as environment, those of databases as private files. They are never part
of the repository.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.core import switches
from lab.core.addresses import Addresses
from lab.core.errors import LabError, MachineError, UsageError, quoted
from lab.core.paths import lab_file, write_whole
from lab.core.topology import (
    NETWORKS,
    SHOP_CONNECTIONS,
    STOPWATCH,
    TTL_SECONDS,
    USERS,
    Place,
    Region,
    port_of,
)
from lab.infra.certificates import KeyPair, Trust, make

DEFAULT_NAME = "lab"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_SUBNET = re.compile(r"(\d{1,3})\.(\d{1,3})")


Extent: TypeAlias = Literal["databases", "all"]
DATABASES_ONLY: Final = "databases"
EVERYTHING: Final = "all"
"""How much of a lab is encrypted, chosen when it is made. Databases always are."""

_NOTHING = KeyPair(certificate="", key="")


class Settings(BaseModel):
    """A lab's settings. All passwords are random, 32 hexadecimal digits or more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    subnet: str
    superuser_password: str
    replication_password: str
    shop_password: str
    cache_password: str
    jwt_key: str
    tsig_key: str
    trust: Trust
    tls: Extent = DATABASES_ONLY
    late_ms: int | None = None
    """What timers add to a round trip on this machine (`Lateness`); None: not measured."""
    pace: float | None = None
    """How fast this machine was when the lab was made; 1 is usual, None is not known."""
    cgroup_parent: str = ""
    """The cgroup in which the lab's containers stand; empty: the engine's own choice."""

    @property
    def authority_file(self) -> Path:
        """The certificate that vouches for the lab's servers, for libraries that want a file.

        Nothing in it is secret.
        """
        return _authority_file(self.name)

    @property
    def https(self) -> bool:
        """True when users' HTTP and the caches are encrypted as well."""
        return self.tls == EVERYTHING

    @property
    def addresses(self) -> Addresses:
        """The lab's addresses."""
        return Addresses(self.subnet)

    def control_token(self, place: Place) -> str:
        """What a machine's program knows the tool by. Made of what no machine has: the authority's
        own key."""
        key = self.trust.authority.key.encode()
        return hmac.new(key, f"control {place}".encode(), "sha256").hexdigest()

    def environment(self, images: Mapping[str, str]) -> dict[str, str]:
        """Variables that the Compose files of the world need."""
        return {
            "LAB_NAME": self.name,
            "LAB_SUBNET": self.subnet,
            "LAB_CGROUP_PARENT": self.cgroup_parent,
            "LAB_SHOP_PASSWORD": self.shop_password,
            "LAB_CACHE_PASSWORD": self.cache_password,
            "LAB_JWT_KEY": self.jwt_key,
            "LAB_TSIG_KEY": self.tsig_key,
            "LAB_AUTHORITY": one_line(self.trust.authority.certificate),
            "SHOP_AUTHORITY": one_line(self.trust.authority.certificate) if self.https else "",
            **{
                f"{each.service.upper()}_TOKEN": self.control_token(each)
                for each in (*USERS, STOPWATCH)
            },
            **{f"LAB_IMAGE_{role.upper()}": tag for role, tag in images.items()},
        }

    def region_environment(self, region: Region, images: Mapping[str, str]) -> dict[str, str]:
        """Variables that turn the one description of a region into this region."""
        gateway, dns, steering = (
            Place(region.name, service) for service in ("gateway", "dns", "steering")
        )
        return {
            **self.environment(images),
            "REGION": region.name,
            "N": str(region.index),
            "OTHER": region.other.name,
            "M": str(region.other.index),
            "GATEWAY": _last(self.addresses.inside(gateway)),
            "CONTROL": self.addresses.control(region),
            "GATEWAY_INTERNET": _last(self.addresses.internet(gateway)),
            "DNS_INTERNET": _last(self.addresses.internet(dns)),
            "STEERING_INTERNET": _last(self.addresses.internet(steering)),
            "STEERING_TOKEN": self.control_token(steering),
            "CHECKS_PORT": str(port_of(f"checks-{region.name}")),
            "NAME_TTL": str(TTL_SECONDS),
            "SHOP_CONNECTIONS": str(SHOP_CONNECTIONS),
            "SHOP_SCHEME": "https" if self.https else "http",
            **self._proofs(region, "app"),
            **self._proofs(region, "cache"),
        }

    def _proofs(self, region: Region, service: str) -> dict[str, str]:
        """What a region's server proves itself by, as variables of one line; empty: nothing."""
        pair = self.trust.servers[f"{region.name}.{service}"] if self.https else _NOTHING
        return {
            f"{service.upper()}_CERTIFICATE": one_line(pair.certificate),
            f"{service.upper()}_KEY": one_line(pair.key),
        }


def _last(address: str) -> str:
    """The last byte of an address."""
    return address.rpartition(".")[2]


def chosen_name(given: str | None) -> str:
    """The lab's name: the flag, LAB_NAME or `lab`. Raises UsageError for one that cannot be."""
    name = os.environ.get("LAB_NAME") or DEFAULT_NAME if given is None else given
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a lab cannot be called {quoted(name)}",
            "use up to 30 lower-case letters, digits and dashes, a letter first",
        )
    return name


def chosen_extent() -> Extent:
    """LAB_TLS, or databases only. Raises UsageError for another word."""
    return EVERYTHING if switches.TLS.is_on() else DATABASES_ONLY


def chosen_subnet(taken: Mapping[str, str]) -> str:
    """LAB_SUBNET, or the first free prefix from 10.91 on. Raises when the wanted one is taken.

    `taken` maps CIDRs to the name of what uses them.
    """
    wanted = os.environ.get("LAB_SUBNET")
    if wanted is not None:
        _check_subnet(wanted)
        if holder := _holder(wanted, taken):
            raise MachineError(
                f"subnet {wanted}.0.0/16 is taken by {holder}",
                "choose another: LAB_SUBNET=10.123 lab up",
            )
        return wanted
    for second in range(91, 100):
        if not _holder(f"10.{second}", taken):
            return f"10.{second}"
    raise MachineError(
        "10.91 to 10.99 are all taken", "choose a free one: LAB_SUBNET=10.123 lab up"
    )


def refuse_to_move(name: str, subnet: str) -> None:
    """Raise UsageError when LAB_SUBNET is not the subnet that the lab's networks are in."""
    wanted = os.environ.get("LAB_SUBNET")
    if wanted is None or wanted == subnet:
        return
    _check_subnet(wanted)
    raise UsageError(
        f"LAB_SUBNET={wanted} cannot be followed: lab {name!r} is in {subnet} already",
        "leave LAB_SUBNET out; or remove the lab with all its orders: lab down",
    )


def _check_subnet(text: str) -> None:
    match = _SUBNET.fullmatch(text)
    network = f"{text}.0.0/16"
    if not match or any(str(int(p)) != p or int(p) > 255 for p in match.groups()):
        raise UsageError(
            f"LAB_SUBNET={text!r} is not two bytes of an address", "like: LAB_SUBNET=10.91"
        )
    chosen = IPv4Network(network)
    if not chosen.is_private or chosen.is_loopback or chosen.is_link_local:
        raise UsageError(f"LAB_SUBNET={text!r} is not a private network", "like: LAB_SUBNET=10.91")


def _holder(prefix: str, taken: Mapping[str, str]) -> str | None:
    wanted = [IPv4Network(f"{prefix}.{index}.0/24") for index in range(len(NETWORKS))]
    for cidr, name in taken.items():
        if ":" not in cidr and any(IPv4Network(cidr).overlaps(each) for each in wanted):
            return f"{name} ({cidr})"
    return None


def settings_file(name: str) -> Path:
    """Where a lab's settings are kept."""
    return lab_file(f"{name}.json")


def _authority_file(name: str) -> Path:
    return lab_file(f"{name}.ca.pem")


def load(name: str) -> Settings | None:
    """The settings of a lab that exists, or None. Raises LabError for a damaged file."""
    path = settings_file(name)
    try:
        found = Settings.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError) as error:
        raise LabError(
            f"{path} is damaged: {str(error).splitlines()[0]}",
            "remove the lab, orders and all: lab down; then: lab up",
        ) from error
    _keep_authority(found)
    return found


def create(name: str, subnet: str, cgroup_parent: str = "") -> Settings:
    """New settings with new secrets, written where only this user reads them."""
    made = Settings(
        name=name,
        subnet=subnet,
        superuser_password=secrets.token_hex(16),
        replication_password=secrets.token_hex(16),
        shop_password=secrets.token_hex(16),
        cache_password=secrets.token_hex(16),
        jwt_key=secrets.token_hex(32),
        tsig_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        trust=make(name, Addresses(subnet)),
        tls=chosen_extent(),
        cgroup_parent=cgroup_parent,
    )
    keep(made)
    return made


def keep(made: Settings) -> None:
    """Write settings down as a whole. Raises MachineError."""
    _write(settings_file(made.name), made.model_dump_json(indent=1))
    _keep_authority(made)


def _keep_authority(made: Settings) -> None:
    """See to it that the authority's certificate lies where libraries look for it."""
    path, wanted = made.authority_file, made.trust.authority.certificate
    if not path.is_file() or path.read_text() != wanted:
        _write(path, wanted)


def _write(path: Path, text: str) -> None:
    """Write a private file as a whole or not at all. Raises MachineError."""
    try:
        write_whole(path, text, mode=0o600)
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror}", "choose a writable place: LAB_STATE=…"
        ) from error


def one_line(text: str) -> str:
    """A text of many lines as the environment of a container carries it everywhere: base64."""
    return base64.b64encode(text.encode()).decode()


def forget(name: str) -> None:
    """Remove the settings of a lab that is gone."""
    for each in (settings_file(name), _authority_file(name)):
        each.unlink(missing_ok=True)
