"""Addresses in configuration files, and which of them cannot follow a failover. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from ipaddress import ip_address
from typing import Final

from lab.core.topology import APP_NAME, REGIONS, WRITER_NAME, head_name

MOVING: Final = (WRITER_NAME, APP_NAME, *(head_name(each) for each in REGIONS))
"""Names of the lab that runbooks move."""


class Follows(StrEnum):
    """Whether clients with an address follow a failover."""

    NO = "no"
    YES = "yes"
    OPEN = "depends"


@dataclass(frozen=True, slots=True)
class Address:
    """What a line of a file tells a client to connect to. `hosts` are without ports and passwords.

    `chooses` says that the client looks for the primary among several hosts.
    """

    line: int
    hosts: tuple[str, ...]
    chooses: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of address. `why` is the reason, as a sentence. The first rule that fits decides."""

    name: str
    follows: Follows
    why: str
    fits: Callable[[Address, Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Judged:
    """An address, and the rule that decides."""

    address: Address
    rule: Rule


# ── what addresses there are ─────────────────────────────────────────────────────────────────

_URL: Final = re.compile(
    r"\b(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|sqlserver|mongodb(?:\+srv)?|rediss?|amqps?)"
    r"(?:\+\w+)?://(?:[^@/\s\"']*@)?(?P<hosts>[^/?\s\"'#;]+)"
)
_WORD: Final = r"\s*=\s*(?:'(?P<quoted>[^']*)'|(?P<bare>[^\s'\";]+))"
_DSN: Final = re.compile(rf"\bhost(?:addr)?{_WORD}(?=.*\b(?:dbname|user|target_session_attrs)\s*=)")
_KEY: Final = re.compile(
    r"^\s*(?:-\s+|export\s+|set\s+)?[\"']?(?:[\w.-]+hostname|[\w.-]*(?:host|hostaddr|endpoint))[\"']?"
    r"\s*[:=]\s*[\"']?(?P<hosts>[^\s\"'#;]+)",
    re.IGNORECASE,
)
_CHOOSES: Final = re.compile(
    r"target_?session_?attrs=(?:read-write|primary)|targetServerType=primary", re.I
)
_COMMENT: Final = re.compile(r"^\s*(?:#|//|--|;)")
_PORT: Final = re.compile(r":\d+$")
_SWITCHES: Final = ("true", "false", "null", "none", "")


def addresses(text: str) -> Iterator[Address]:
    """Every address of a database, cache or queue in a file: at most one for each line."""
    for number, line in enumerate(text.splitlines(), 1):
        if not _COMMENT.match(line) and (found := _address(number, line)):
            yield found


def _address(number: int, line: str) -> Address | None:
    if url := _URL.search(line):
        told = url["hosts"]
    elif dsn := _DSN.search(line):
        told = dsn["quoted"] or dsn["bare"] or ""
    elif key := _KEY.match(line):
        told = key["hosts"]
    else:
        return None
    if told.lower() in _SWITCHES:
        return None
    hosts = tuple(_host(each) for each in told.split(",") if each.strip())
    return Address(number, hosts, bool(_CHOOSES.search(line))) if hosts else None


def _host(told: str) -> str:
    """Without a scheme, a path and a port; an address of IPv6 without its brackets."""
    name = told.strip().partition("://")[2].partition("/")[0] or told.strip()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name if name.count(":") > 1 else _PORT.sub("", name)


# ── which of them follow ─────────────────────────────────────────────────────────────────────

_SET_ELSEWHERE: Final = re.compile(r"[${}%<>]")
_REGION: Final = re.compile(
    r"(?:^|[.-])(?:(?:us|eu|ap|sa|ca|af|me|il|mx)(?:-gov)?-[a-z]+-?\d|[a-z]+-[a-z]+\d"
    r"|(?:east|west|north|south|central)(?:[a-z]*\d?)|(?:us|eu|asia|uk|japan|australia)"
    r"(?:east|west|north|south|central)\d?)(?=$|[.-]|[a-z]?\.)"
)
_MACHINE: Final = re.compile(
    r"^(?:db|pg|postgres|postgresql|mysql|redis|node|host|server|vm|ip|app)[-_]?[a-z]*[-_]?\d[\d-]*$"
)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    here = host == "localhost" or host.startswith("/")
    return here or (_is_ip(host) and ip_address(host).is_loopback)


def _any(fits: Callable[[str], object]) -> Callable[[Address, Sequence[str]], bool]:
    return lambda address, _: any(map(fits, address.hosts))


def _moves(address: Address, moving: Sequence[str]) -> bool:
    return all(any(fnmatch(host, each) for each in moving) for host in address.hosts)


RULES: Final = (
    Rule(
        "set-elsewhere", Follows.OPEN, "the value is set elsewhere: check that place",
        _any(_SET_ELSEWHERE.search),
    ),
    Rule(
        "moving-name", Follows.YES, "a runbook moves this name",
        _moves,
    ),
    Rule(
        "several", Follows.YES, "the client looks for the primary among these hosts",
        lambda address, _: len(address.hosts) > 1 and address.chooses,
    ),
    Rule(
        "first-of-several", Follows.NO,
        "the client takes the first host that answers, also a standby: add"
        " target_session_attrs=read-write",
        lambda address, _: len(address.hosts) > 1,
    ),
    Rule(
        "local", Follows.OPEN, "a proxy on the same machine decides: check its configuration",
        _any(_is_local),
    ),
    Rule("address", Follows.NO, "an IP address is one machine", _any(_is_ip)),
    Rule("machine", Follows.NO, "the name is one machine's",
         _any(lambda host: _MACHINE.match(host.lower().partition(".")[0]))),
    Rule("region", Follows.NO, "the name belongs to one region",
         _any(lambda host: _REGION.search(host.lower()))),
    Rule(
        "name", Follows.OPEN, "a name: check that a runbook moves it, and add --moves",
        lambda *_: True,
    ),
)  # fmt: skip


def judge(found: Iterable[Address], moving: Sequence[str]) -> tuple[Judged, ...]:
    """The rule for each; `moving` are names that runbooks move, and patterns of names."""
    return tuple(
        Judged(each, next(rule for rule in RULES if rule.fits(each, moving))) for each in found
    )
