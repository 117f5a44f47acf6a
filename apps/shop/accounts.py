"""Customers: signing up is a write like any other, logging in is a read of the own region."""

from __future__ import annotations

import re
from typing import Any, LiteralString

from shop.follow import Database
from shop.orders import RefusedError
from shop.outcome import Outcome, success
from shop.sessions import hash_password, password_matches

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

SIGN_UP: LiteralString = """
INSERT INTO customers (username, password_hash) VALUES (%s, %s)
ON CONFLICT (username) DO NOTHING RETURNING username
"""

PASSWORD: LiteralString = "SELECT password_hash FROM customers WHERE username = %s"  # noqa: S105


def parse_credentials(body: Any) -> tuple[str, str]:
    """Name and password from a request's body. Raises `RefusedError`."""
    name = body.get("username") if isinstance(body, dict) else None
    password = body.get("password") if isinstance(body, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RefusedError(
            400, "username must have 1 to 64 letters, digits, dots, dashes or underscores"
        )
    if not isinstance(password, str) or not 1 <= len(password) <= 128:
        raise RefusedError(400, "password must have 1 to 128 characters")
    return name, password


async def sign_up(writer: Database, name: str, password: str, limit: float) -> Outcome:
    """Create a customer. Raises `RefusedError` when the name is taken, or `StatementError`."""
    done = await writer.execute(SIGN_UP, (name, await hash_password(password)), limit)
    if not done.rows:
        raise RefusedError(409, "the name is taken")
    return success(unreplicated=done.unreplicated)


async def log_in(
    reader: Database, writer: Database, name: str, password: str, limit: float
) -> bool:
    """True when the password is right. Raises `StatementError` when no database could be asked.

    A customer who signed up a moment ago may not have reached this region's standby yet.
    """
    stored = await _stored(reader, name, limit) or await _stored(writer, name, limit)
    return stored is not None and await password_matches(password, stored)


async def _stored(database: Database, name: str, limit: float) -> str | None:
    rows = (await database.execute(PASSWORD, (name,), limit)).rows
    return str(rows[0][0]) if rows else None
