"""Asks one region, over a fresh connection, whether it can take an order."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from appkit.names import describe_error
from steering.settings import Place

_LIMIT = 8192  # bytes of an answer that are looked at


@dataclass(frozen=True)
class Seen:
    """What one probe saw: a status with the reason given, or None and the error."""

    status: int | None
    error: str


async def probe(place: Place, timeout: float) -> Seen:
    """One probe within `timeout` seconds; never raises."""
    try:
        async with asyncio.timeout(timeout):
            return parse(await _exchange(place))
    except TimeoutError:
        return Seen(None, f"no answer within {timeout:g} s")
    except OSError as problem:
        return Seen(None, describe_error(problem))


async def _exchange(place: Place) -> bytes:
    reader, writer = await asyncio.open_connection(place.host, place.port, ssl=place.tls)
    try:
        writer.write(
            f"GET /readyz HTTP/1.1\r\nhost: {place.host}\r\nconnection: close\r\n\r\n".encode()
        )
        answer = b""
        while len(answer) < _LIMIT and (part := await reader.read(_LIMIT)):
            answer += part
        return answer
    finally:
        writer.transport.abort()


def parse(answer: bytes) -> Seen:
    """The status and reason in an HTTP answer."""
    if not answer:
        return Seen(None, "connection closed without an answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        return Seen(None, "the answer is not HTTP")
    status = int(parts[1])
    return Seen(status, "" if status == 200 else _reason(status, body))


def _reason(status: int, body: bytes) -> str:
    try:
        reason = json.loads(body)["reason"]
    except (ValueError, KeyError, TypeError):
        reason = ""
    return str(reason or f"status {status}")
