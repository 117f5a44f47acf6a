"""What the stopwatch asks of the shop, and what it takes for an acknowledgement."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from stopwatch.wire import Answer, BadAnswerError, Wire

PREFIX = "watch-"  # of every key and name: what the stopwatch wrote can be told from users' orders
_ORDER = b'{"product_id":1,"quantity":1}'


@dataclass(frozen=True)
class Told:
    """What an order was answered: acknowledged or not, on which timeline, and if not, why."""

    ok: bool
    timeline: int | None = None
    why: str | None = None


def new_key() -> str:
    """A key that no order has yet."""
    return PREFIX + secrets.token_hex(16)


def order(host: str, token: str, key: str) -> bytes:
    """The request that places one order."""
    headers = f"authorization: Bearer {token}\r\nidempotency-key: {key}\r\n"
    return _post(host, "/orders", headers, _ORDER)


def read_order(answer: Answer) -> Told:
    """Only an order that is answered `ok` counts: committed, and the standby has it."""
    if answer.status not in (200, 201):
        return Told(False, why=f"status {answer.status}")
    found = _json(answer)
    if found.get("outcome") != "ok":
        return Told(False, why=f"outcome {found.get('outcome')!r}")
    timeline = found.get("timeline")
    return Told(True, timeline if isinstance(timeline, int) else None)


async def log_in(wire: Wire, host: str) -> str:
    """A token for a new customer. Raises what `Wire.ask` raises."""
    person = {"username": new_key(), "password": secrets.token_hex(16)}
    body = json.dumps(person).encode()
    for path, wanted in (("/signup", 201), ("/login", 200)):
        answer = await wire.ask(_post(host, path, "", body))
        if answer.status != wanted:
            raise BadAnswerError(f"{path}: status {answer.status}")
    token = _json(answer).get("token")
    if not isinstance(token, str):
        raise BadAnswerError("a log-in without a token")
    return token


def _post(host: str, path: str, headers: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        raise BadAnswerError("an answer that is not JSON") from None
    if not isinstance(found, dict):
        raise BadAnswerError("an answer that is no JSON object")
    return found
