"""Just enough HTTP/1.1 for one program that talks to one server.

Nothing of the users' client is used here: a mistake in there must not be repeated by what is
meant to find it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from dataclasses import dataclass

from stopwatch.settings import Door

KEPT = 5.0  # seconds without a request until a connection is closed; far less than the shop's


class BadAnswerError(Exception):
    """What came back is no answer that this program understands."""


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass
class _Line:
    """A connection that carries one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0

    @property
    def usable(self) -> bool:
        """False once the other side has begun to close."""
        return not self.writer.is_closing() and not self.reader.at_eof()

    def drop(self) -> None:
        self.writer.transport.abort()


class Wire:
    """Connections to one gateway, kept while they work."""

    def __init__(self, door: Door, tls: ssl.SSLContext | None = None) -> None:
        self._door, self._tls = door, tls
        self._kept: deque[_Line] = deque()

    async def ask(self, message: bytes) -> Answer:
        """Send `message` once and wait for its answer, for as long as the caller does.

        Raises OSError, EOFError or `BadAnswerError`; a connection that failed or was given up
        is never used again.
        """
        line = self._take() or await self._open()
        try:
            line.writer.write(message)
            answer = await _answer(line.reader)
        except BaseException:
            line.drop()
            raise
        line.used_at = time.monotonic()
        self._kept.append(line)
        return answer

    def close(self) -> None:
        """Close the connections that no request is on."""
        while self._kept:
            self._kept.pop().drop()

    def _take(self) -> _Line | None:
        """The connection used last, if it is still good; those not needed for long are closed."""
        while self._kept and time.monotonic() - self._kept[0].used_at > KEPT:
            self._kept.popleft().drop()
        while self._kept:
            line = self._kept.pop()
            if line.usable:
                return line
            line.drop()
        return None

    async def _open(self) -> _Line:
        door = self._door
        return _Line(*await asyncio.open_connection(door.host, door.port, ssl=self._tls))


async def _answer(reader: asyncio.StreamReader) -> Answer:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return Answer(_status(head), await reader.readexactly(_length(head)))
    except asyncio.LimitOverrunError:
        raise BadAnswerError("the head of the answer does not end") from None


def _status(head: bytes) -> int:
    words = head.split(b" ", 2)
    if len(words) < 2 or words[0] not in (b"HTTP/1.1", b"HTTP/1.0") or not words[1].isdigit():
        raise BadAnswerError(f"not HTTP: {head[:20]!r}")
    return int(words[1])


def _length(head: bytes) -> int:
    """How many bytes follow. The shop always says so; an answer that does not is not read."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise BadAnswerError("an answer without a length")
