"""Asks one region, over a fresh connection, whether it can take an order."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace

from appkit.names import describe_error
from steering.checks import Kind
from steering.settings import Place

_OUT_OF_REACH = ("refused", "silent")  # what a shop says of its primary
_LIMIT = 8192  # bytes of an answer that are looked at


@dataclass(frozen=True)
class Line:
    """A connection that has given its answer, and is kept to see whether it breaks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def broken(self) -> None:
        """Return when the other side, or anything on the way, ends the connection."""
        with suppress(OSError):
            await self.reader.read(1)

    def close(self) -> None:
        """End it from here."""
        self.writer.transport.abort()


@dataclass(frozen=True)
class Seen:
    """What one probe saw: the kind of evidence, and the reason or error in words.

    `line` is the connection, if the region leaves it open after its answer.
    """

    kind: Kind
    error: str = ""
    line: Line | None = field(default=None, compare=False)


async def probe(place: Place, connect: float, timeout: float, path: str = "/readyz") -> Seen:
    """One probe within `timeout` seconds, connecting within `connect`; never raises.

    A kernel takes connections also for a program that is busy: a connection that nothing takes
    tells of a lost machine or road, an answer that does not come may tell of a busy one.
    """
    try:
        async with asyncio.timeout(timeout):
            try:
                async with asyncio.timeout(connect):
                    line = Line(*await asyncio.open_connection(place.host, place.port))
            except TimeoutError:
                return Seen(Kind.SILENT, f"no connection within {connect:g} s")
            except OSError as problem:
                return Seen(Kind.REFUSED, describe_error(problem))
            return await _ask(place, line, path)
    except TimeoutError:
        return Seen(Kind.LATE, f"no answer within {timeout:g} s")
    except OSError as problem:
        return Seen(Kind.CLOSED, describe_error(problem))


async def _ask(place: Place, line: Line, path: str) -> Seen:
    """Put the question; a connection that gave no whole answer is closed."""
    kept = False
    try:
        if place.tls:
            await line.writer.start_tls(place.tls, server_hostname=place.host)
        line.writer.write(f"GET {path} HTTP/1.1\r\nhost: {place.host}\r\n\r\n".encode())
        answer = b""
        while not (kept := _whole(answer)) and len(answer) < _LIMIT:
            if not (part := await line.reader.read(_LIMIT)):
                break
            answer += part
        return replace(parse(answer), line=line if kept else None)
    finally:
        if not kept:
            line.close()


def _whole(answer: bytes) -> bool:
    """True if nothing more is to come; an answer that does not tell its length ends by closing."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    lengths = [
        value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        if name.lower() == b"content-length"
    ]
    return bool(blank and lengths and lengths[0].isdigit() and len(body) >= int(lengths[0]))


def parse(answer: bytes) -> Seen:
    """The kind and reason in an HTTP answer."""
    if not answer:
        return Seen(Kind.CLOSED, "connection closed without an answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        return Seen(Kind.CLOSED, "the answer is not HTTP")
    status = int(parts[1])
    return Seen(Kind.READY) if status == 200 else _unready(status, body)


def _unready(status: int, body: bytes) -> Seen:
    """What an answer says that is not 200; a body that is not the shop's says nothing."""
    try:
        told = json.loads(body)
        writer, reason = str(told.get("writer")), str(told["reason"] or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        writer = reason = ""
    kind = Kind.CUT_OFF if writer in _OUT_OF_REACH else Kind.UNREADY
    return Seen(kind, reason or f"status {status}")
