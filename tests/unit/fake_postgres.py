"""A server that speaks just enough of PostgreSQL's protocol to end a statement in any way.

What matters for the shop happens between a statement and its ReadyForQuery, in the order in which
a real server sends it, and cannot be timed with a real one.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CANCEL = 80877102
PLACED = (
    (16, "t"),
    (20, "1"),
    (25, "742"),
    (25, "east_db1"),
    (25, "000000020000000000000003"),
    (25, "0/3000060"),
)
CANCELLED_WAIT = "canceling wait for synchronous replication due to user request"


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


@dataclass
class Session:
    """One connection: scripts call its methods to answer a statement."""

    writer: asyncio.StreamWriter
    number: int
    statement: str = ""
    bound: bytes = b""  # the statement's parameters, as they came
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    cancels: int = 0  # requests to cancel that came

    def cancel(self) -> None:
        """A request came to cancel what this session does."""
        self.cancels += 1
        self.cancelled.set()

    def row(self, *values: tuple[int, str]) -> None:
        """One row of (type, text) and the end of the command, but not of the transaction."""
        columns = b"".join(
            _text("c") + struct.pack("!IHIhih", 0, 0, o, -1, -1, 0) for o, _ in values
        )
        cells = b"".join(struct.pack("!I", len(v.encode())) + v.encode() for _, v in values)
        count = struct.pack("!H", len(values))
        self._send(_message(b"T", count + columns) + _message(b"D", count + cells))
        self._send(_message(b"C", _text("INSERT 0 1")))

    def warning(self, text: str, code: str = "01000") -> None:
        """A notice of severity WARNING."""
        self._send(_message(b"N", self._fields("WARNING", code, text)))

    def error(self, code: str, text: str, severity: str = "ERROR") -> None:
        """The statement's error."""
        self._send(_message(b"E", self._fields(severity, code, text)))

    def ready(self) -> None:
        """The transaction has ended."""
        self._send(_message(b"Z", b"I"))

    def drop(self) -> None:
        """Close the connection."""
        self.writer.close()

    def _send(self, data: bytes) -> None:
        self.writer.write(data)

    @staticmethod
    def _fields(severity: str, code: str, text: str) -> bytes:
        pairs = (("S", severity), ("V", severity), ("C", code), ("M", text))
        return b"".join(name.encode() + _text(value) for name, value in pairs) + b"\0"


Script = Callable[[Session], Awaitable[None]]


async def place_order(session: Session) -> None:
    """The script of a server where all is well."""
    session.row(*PLACED)
    session.ready()


NEVER = 3600.0
"""Seconds that outlast any test."""


class FakePostgres:
    """Runs `script` for every statement except those that the shop sends to check a connection."""

    def __init__(self, script: Script = place_order, node: str = "east_db1") -> None:
        self.script, self.node = script, node
        self.sessions: list[Session] = []
        self.port = 0
        self.slow = 0.0  # seconds before a new connection is welcomed
        self.welcomes = 1_000_000  # so many connections are welcomed, and no more
        self.unwelcomed = 0  # connections that are being made
        self.full = ""  # how new connections are refused, when the server has none left
        self.refused = 0  # connections that were refused so
        self.lingering = 0.0  # seconds for which a session outlives its client's farewell
        self.open, self.most = 0, 0  # sessions now, and the most at once
        self.requests, self.batches = 0, 0  # to cancel: by a connection, and by a statement
        self._up = False
        self._connections: set[asyncio.StreamWriter] = set()  # welcomed or not
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[FakePostgres]:
        """Listen; on leaving, close every connection and end every script."""
        self._up = True
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.stop()
            while self._talks:
                for each in self._talks:
                    each.cancel()
                await asyncio.sleep(0)

    def stop(self) -> None:
        """Listen no longer, and close every connection."""
        self._server.close()
        self._up = False
        self.drop_all()

    def drop_all(self) -> None:
        """Close every connection, also those that are still being welcomed."""
        for writer in self._connections:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        talk = asyncio.current_task()
        assert talk
        self._talks.add(talk)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                if self._up:  # else it was accepted just before the server stopped listening
                    await self._talk(reader, writer)
        finally:
            self._connections.discard(writer)
            self._talks.discard(talk)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await self._body(reader)
        if struct.unpack("!I", start[:4])[0] == CANCEL:
            number = struct.unpack("!I", start[4:8])[0]
            self.requests += 1
            self.sessions[number].cancel()
            return
        self.unwelcomed += 1
        try:
            self.welcomes -= 1
            await asyncio.sleep(self.slow if self.welcomes >= 0 else NEVER)
        finally:
            self.unwelcomed -= 1
        session = Session(writer, len(self.sessions))
        if self.full:
            self.refused += 1
            session.error("53300", self.full, "FATAL")
            await writer.drain()
            return
        self.sessions.append(session)
        writer.write(_message(b"R", struct.pack("!I", 0)))
        for name, value in (("server_version", "17.0"), ("client_encoding", "UTF8")):
            writer.write(_message(b"S", _text(name) + _text(value)))
        writer.write(_message(b"K", struct.pack("!II", session.number, 1)))
        session.ready()
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self._statements(reader, session)
        finally:
            self.open -= 1

    async def _statements(self, reader: asyncio.StreamReader, session: Session) -> None:
        prepared: dict[bytes, str] = {}
        executed = False
        while kind := await reader.readexactly(1):
            body = await self._body(reader)
            if kind == b"X":
                await asyncio.sleep(self.lingering)
                return
            if kind == b"Q":
                session.statement = body.rstrip(b"\0").decode()
                await self._answer(session)
            elif kind == b"S":
                await self._answer(session) if executed else session.ready()
                executed = False
            else:
                executed = executed or kind == b"E"
                self._extended(kind, body, session, prepared)

    @staticmethod
    def _extended(kind: bytes, body: bytes, session: Session, prepared: dict[bytes, str]) -> None:
        if kind == b"P":
            name, text = body.split(b"\0")[:2]
            session.statement = prepared[name] = text.decode()
            session.writer.write(_message(b"1"))
        elif kind == b"B":
            name = body.split(b"\0")[1]
            session.statement = prepared[name]
            session.bound = body[len(name) + 2 :]
            session.writer.write(_message(b"2"))

    async def _answer(self, session: Session) -> None:
        if "SELECT current_setting" in session.statement:
            session.row((25, self.node))
            session.ready()
        elif "pg_cancel_backend" in session.statement:
            self.batches += 1
            for number in re.findall(rb"\d+", session.bound.partition(b"{")[2]):
                self.sessions[int(number)].cancel()
            session.row((16, "t"))
            session.ready()
        elif not session.statement.strip():
            session.writer.write(_message(b"I"))
            session.ready()
        else:
            await self.script(session)

    @staticmethod
    async def _body(reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        return await reader.readexactly(length - 4)
