"""Steering's settings."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from appkit.env import Env, SettingError
from appkit.names import Server
from appkit.tls import AUTHORITY, client_context
from steering.decide import Thresholds


@dataclass(frozen=True)
class Place:
    """Where a probe connects to."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, url: str, tls: ssl.SSLContext | None = None) -> Place:
        """`http://host:port`, or `https://` to be asked with `tls`.

        Raises `appkit.env.SettingError`.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.port:
            raise SettingError(f"TARGETS: {url!r} must look like http://host:port")
        if parts.scheme == "http":
            return cls(parts.hostname, parts.port)
        if tls is None:
            raise SettingError(f"TARGETS: {url!r} needs {AUTHORITY}, to know whom to believe")
        return cls(parts.hostname, parts.port, tls)


@dataclass(frozen=True)
class Settings:
    """Everything steering is told from outside; times in seconds."""

    region: str
    other: str
    resolver: Server
    tsig_key: str  # base64
    zone: str
    name: str  # within the zone
    targets: Mapping[str, Place]
    answers: Mapping[str, str]
    connect: float
    timeout: float
    thresholds: Thresholds
    ttl: int
    weights: Path | None  # a file that the resolver reads as well; None: it does not
    port: int

    @classmethod
    def read(cls, env: Env) -> Settings:
        """Raises `appkit.env.SettingError`."""
        region, other = env.text("REGION"), env.text("OTHER")
        targets, answers = env.pairs("TARGETS"), env.pairs("ANSWERS")
        for needed in (region, other):
            if needed not in targets or needed not in answers:
                raise SettingError(f"TARGETS and ANSWERS must both name {needed}")
        tls = client_context(env)
        return cls(
            region=region,
            other=other,
            resolver=Server.parse(env.text("RESOLVER")),
            tsig_key=env.text("TSIG_KEY"),
            zone=env.text("ZONE", "lab.test"),
            name=env.text("APP_LABEL", "app"),
            targets={name: Place.parse(targets[name], tls) for name in (region, other)},
            answers={name: answers[name] for name in (region, other)},
            connect=env.number("CONNECT", 0.3),
            timeout=env.number("TIMEOUT", 0.8),
            thresholds=_thresholds(env),
            ttl=env.whole("TTL"),
            weights=Path(weights) if (weights := env.text("WEIGHTS", "")) else None,
            port=env.whole("PORT", 8090),
        )


def _thresholds(env: Env) -> Thresholds:
    usual = Thresholds()
    return Thresholds(
        fall=env.whole("FALL", usual.fall),
        rise=env.whole("RISE", usual.rise),
        together=env.number("TOGETHER", usual.together),
        alone=env.number("ALONE", usual.alone),
        late=env.number("LATE", usual.late),
        unready=env.number("UNREADY", usual.unready),
        recover=env.number("RECOVER", usual.recover),
        away=env.number("AWAY", usual.away),
        home=env.number("HOME_AGAIN", usual.home),
        interval=env.number("INTERVAL", usual.interval),
        urgent=env.number("URGENT", usual.urgent),
    )
