"""Who is asking: stateless sessions that any region can check, and password hashes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jwt

LIFETIME = 3600.0  # seconds
OPERATOR = "operator"
_REMEMBERED = 4096


class SessionError(Exception):
    """No token, a bad one, or one that has expired."""


@dataclass(frozen=True)
class Session:
    """Who holds a token."""

    name: str
    role: str
    expires: float  # seconds since the epoch


class Sessions:
    """Makes and checks tokens with one key for both regions."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._checked: dict[str, Session] = {}

    def issue(self, name: str, role: str = "customer") -> str:
        """A token for `name`."""
        claims = {"sub": name, "role": role, "exp": int(time.time() + LIFETIME)}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def check(self, authorization: str | None) -> Session:
        """The session in an Authorization header. Raises `SessionError`.

        A signature that was checked is remembered: users send the same token with each request.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise SessionError("a bearer token is needed")
        session = self._checked.get(token) or self._verify(token)
        if session.expires <= time.time():
            self._checked.pop(token, None)
            raise SessionError("the token has expired")
        return session

    def is_operator(self, authorization: str) -> bool:
        """True for the token of an operator that `check` would accept."""
        try:
            return self.check(authorization).role == OPERATOR
        except SessionError:
            return False

    def _verify(self, token: str) -> Session:
        try:
            claims = jwt.decode(
                token, self._key, algorithms=["HS256"], options={"require": ["sub", "exp"]}
            )
        except jwt.InvalidTokenError as problem:
            raise SessionError(f"the token is not valid: {problem}") from None
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        session = Session(str(claims["sub"]), str(claims.get("role", "")), float(claims["exp"]))
        self._checked[token] = session
        return session


# Cheap on purpose (1 MiB, a few milliseconds): hashing must not be what a lab measures.
_COST = {"n": 2**10, "r": 8, "p": 1}
_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scrypt")


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_COST)


async def hash_password(password: str) -> str:
    """A salted hash, worked out off the event loop."""
    salt = os.urandom(16)
    digest = await asyncio.get_running_loop().run_in_executor(_threads, _scrypt, password, salt)
    return f"{salt.hex()}${digest.hex()}"


async def password_matches(password: str, stored: str) -> bool:
    """True when `stored` was made from `password`."""
    salt, _, digest = stored.partition("$")
    loop = asyncio.get_running_loop()
    actual = await loop.run_in_executor(_threads, _scrypt, password, bytes.fromhex(salt))
    return hmac.compare_digest(actual.hex(), digest)
