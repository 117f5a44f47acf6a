"""The shop's settings."""

from __future__ import annotations

from dataclasses import dataclass

from appkit.env import Env, SettingError
from appkit.names import Server
from appkit.tls import CACHE_AUTHORITY, authority_file
from shop.admission import POLICIES, Policy

MOST_CONNECTIONS = 64  # two shops have room at one database with these, beside its standbys


@dataclass(frozen=True)
class Settings:
    """Everything the shop is told from outside; times in seconds."""

    region: str
    node: str
    writer_host: str
    reader_host: str
    db_port: int
    db_name: str
    db_user: str
    db_password: str
    db_timeout: float
    overload: Policy
    authority: str | None  # path of a certificate; None: databases are asked without TLS
    pool_size: int
    jwt_key: str
    cache_host: str
    cache_port: int
    cache_password: str
    cache_ttl: float
    cache_authority: str | None  # the same for the cache
    resolver: Server | None
    port: int

    @classmethod
    def read(cls, env: Env) -> Settings:
        """Raises `appkit.env.SettingError`."""
        region = env.text("REGION")
        resolver = env.text("RESOLVER", "")
        return cls(
            region=region,
            node=env.text("LAB_NODE", f"{region}.app"),
            writer_host=env.text("WRITER_HOST", "writer.lab.test"),
            reader_host=env.text("READER_HOST", f"head.{region}.lab.test"),
            db_port=env.whole("DB_PORT", 5432),
            db_name=env.text("DB_NAME", "shop"),
            db_user=env.text("DB_USER", "shop"),
            db_password=env.text("DB_PASSWORD"),
            db_timeout=env.number("DB_TIMEOUT", 1.5),
            overload=_policy(env.text("OVERLOAD", POLICIES[0].name)),
            authority=authority_file(env),
            pool_size=env.whole("POOL_SIZE", 24),
            jwt_key=env.text("JWT_KEY"),
            cache_host=env.text("CACHE_HOST", ""),
            cache_port=env.whole("CACHE_PORT", 6379),
            cache_password=env.text("CACHE_PASSWORD", ""),
            cache_ttl=env.number("CACHE_TTL", 30.0),
            cache_authority=authority_file(env, CACHE_AUTHORITY),
            resolver=Server.parse(resolver) if resolver else None,
            port=env.whole("PORT", 8080),
        )


def _policy(name: str) -> Policy:
    for policy in POLICIES:
        if policy.name == name:
            return policy
    raise SettingError(f"OVERLOAD must be one of {', '.join(p.name for p in POLICIES)}")
