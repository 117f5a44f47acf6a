"""The users' settings: what stays for the life of the process, and what one run is given."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from appkit.env import Env
from appkit.names import Server
from appkit.tls import client_context


@dataclass(frozen=True)
class Settings:
    """Everything this population is told from outside; times in seconds."""

    population: str
    resolvers: tuple[Server, ...]
    app_name: str
    app_port: int
    history: str
    dns_patience: float  # before the second resolver is asked
    dns_timeout: float  # for a whole look-up
    attempt_timeout: float  # from the first byte sent to the answer, connecting included
    connect_timeout: float
    attempts: int
    max_in_flight: int
    record_limit: int  # operations, after which the users stop
    tls: ssl.SSLContext | None  # None: the shops are asked without
    port: int

    @classmethod
    def read(cls, env: Env) -> Settings:
        """Raises `appkit.env.SettingError`."""
        population = env.text("POPULATION")
        return cls(
            population=population,
            resolvers=tuple(Server.parse(text) for text in env.text("RESOLVERS").split(",")),
            app_name=env.text("APP_NAME", "app.lab.test"),
            app_port=env.whole("APP_PORT"),
            history=env.text("HISTORY", "/var/lib/users/history.jsonl"),
            dns_patience=env.number("DNS_PATIENCE", 0.25),
            dns_timeout=env.number("DNS_TIMEOUT", 1.0),
            attempt_timeout=env.number("ATTEMPT_TIMEOUT", 1.5),
            connect_timeout=env.number("CONNECT_TIMEOUT", 0.8),
            attempts=env.whole("ATTEMPTS", 3),
            max_in_flight=env.whole("MAX_IN_FLIGHT", 3000),
            record_limit=env.whole("RECORD_LIMIT", 5_000_000),
            tls=client_context(env),
            port=env.whole("PORT", 8070),
        )


class RequestError(Exception):
    """A request to the control port that cannot be carried out; nothing was changed."""


@dataclass(frozen=True)
class Rates:
    """Operations that are started in each second."""

    writes: float
    reads: float

    @classmethod
    def parse(cls, body: Any) -> Rates:
        """Raises `RequestError`."""
        return cls(
            _number(body, "writes_per_second", 0, 5000), _number(body, "reads_per_second", 0, 5000)
        )


@dataclass(frozen=True)
class Run:
    """One run of the population."""

    rates: Rates
    users: int
    ignore_ttl_share: float  # of the users, who keep an address for 30 s whatever its TTL
    seed: int
    resolvers: int = 2  # how many of the population's resolvers they know, their own first
    protected: bool = True  # they hold back in an overload, and say how long they wait

    @classmethod
    def parse(cls, body: Any) -> Run:
        """Raises `RequestError`."""
        return cls(
            Rates.parse(body),
            int(_number(body, "users", 1, 10_000, 40)),
            _number(body, "ignore_ttl_share", 0, 1, 0.1),
            int(_number(body, "seed", 0, 2**63, 0)),
            int(_number(body, "resolvers", 1, 2, 2)),
            _flag(body, "protected", default=True),
        )


def _number(body: Any, name: str, low: float, high: float, default: float | None = None) -> float:
    value = body.get(name, default) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(f"{name} must be a number from {low:g} to {high:g}")
    return value


def _flag(body: Any, name: str, *, default: bool) -> bool:
    value = body.get(name, default) if isinstance(body, dict) else None
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false")
    return value
