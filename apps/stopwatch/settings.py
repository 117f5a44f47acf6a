"""The stopwatch's settings."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from appkit.env import Env, SettingError
from appkit.names import is_address
from appkit.tls import client_context


@dataclass(frozen=True)
class Door:
    """A gateway: an address, because a look-up would measure the resolver as well."""

    name: str
    host: str
    port: int


@dataclass(frozen=True)
class Settings:
    """Everything the stopwatch is told from outside; times in seconds."""

    doors: tuple[Door, ...]
    interval: float  # between the starts of two attempts
    deadline: float  # of an attempt, connecting included
    run_limit: float  # a run ends by itself after that: its caller may be gone
    login_patience: float
    tls: ssl.SSLContext | None  # None: the shops are asked without
    port: int

    @classmethod
    def read(cls, env: Env) -> Settings:
        """Raises `appkit.env.SettingError`."""
        return cls(
            doors=_doors(env.pairs("GATEWAYS")),
            interval=_above_zero("INTERVAL", env.number("INTERVAL", 0.01)),
            deadline=_above_zero("DEADLINE", env.number("DEADLINE", 1.5)),
            run_limit=env.number("RUN_LIMIT", 900.0),
            login_patience=env.number("LOGIN_PATIENCE", 8.0),
            tls=client_context(env),
            port=env.whole("PORT", 8070),
        )


def _doors(pairs: Mapping[str, str]) -> tuple[Door, ...]:
    return tuple(_door(name, where) for name, where in pairs.items())


def _door(name: str, where: str) -> Door:
    host, _, port = where.partition(":")
    if not is_address(host) or not port.isdecimal():
        raise SettingError(f"GATEWAYS: {where!r} is no address:port")
    return Door(name, host, int(port))


def _above_zero(name: str, value: float) -> float:
    if not value:
        raise SettingError(f"{name} must be more than zero")
    return value
