"""A small HTTP/1.1 client that knows what it has sent.

A general client hides that: it retries requests by itself, and its errors do not tell whether
the server may have seen a request. For a drill that is the one thing to know about a failed write.
It also costs a third of the CPU of one, which two populations share with two regions.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from typing import cast

import httptools

from appkit.names import describe_error
from users.outcome import Reply

IDLE = 5.0  # seconds that a connection is kept without a request; far less than the shop's


class NotSentError(Exception):
    """Nothing of the request left this machine."""


class NoReplyError(Exception):
    """The request was sent, at least in part, and no complete answer came."""


class _Wire(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.open = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reply: asyncio.Future[Reply] | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def usable(self) -> bool:
        """False when the other side has begun to close: what is written then goes nowhere."""
        return self.open and self._transport is not None and not self._transport.is_closing()

    def send(self, message: bytes) -> asyncio.Future[Reply]:
        """Send a request; the future ends with its answer, or with `NoReplyError`."""
        assert self._transport is not None  # noqa: S101 — set before a wire is handed out
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return self._reply

    def give_up(self, why: str) -> None:
        """Close, and end the request under way."""
        self.open = False
        if self._transport:
            self._transport.abort()
        self._fail(why)

    def _fail(self, why: str) -> None:
        if self._reply and not self._reply.done():
            self._reply.set_exception(NoReplyError(why))

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = cast("asyncio.Transport", transport), True

    def data_received(self, data: bytes) -> None:
        if self._reply is None or self._reply.done():
            self.give_up("an answer without a question")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self.give_up(f"not HTTP: {problem}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._fail(f"connection closed before the answer{f': {exc}' if exc else ''}")

    # Called by the parser

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.open = False
        if self._reply and not self._reply.done():
            status = self._parser.get_status_code()
            self._reply.set_result(Reply(status, self._headers, b"".join(self._body)))


class Client:
    """Sends requests to addresses, over connections that are kept for a while."""

    def __init__(
        self, port: int, connect_timeout: float, tls: ssl.SSLContext | None = None, name: str = ""
    ) -> None:
        """With `tls`, the server must prove that it is `name`, whatever its address is."""
        self._port, self._connect_timeout = port, connect_timeout
        self._tls, self._name = tls, name if tls else None
        self._idle: defaultdict[str, list[_Wire]] = defaultdict(list)

    async def send(self, address: str, message: bytes, timeout: float) -> Reply:
        """The answer to `message` within `timeout` seconds, connecting included.

        Raises `NotSentError` or `NoReplyError`. A cancelled call may have sent the request.
        """
        start = time.monotonic()
        wire = self._kept(address) or await self._connect(address)
        left = max(timeout - (time.monotonic() - start), 0.0)
        answer = wire.send(message)
        timer = asyncio.get_running_loop().call_later(left, wire.give_up, "no answer in time")
        try:
            reply = await answer
        except asyncio.CancelledError:
            wire.give_up("stopped")
            raise
        finally:
            timer.cancel()
        self._keep(address, wire)
        return reply

    def close_idle(self, older_than: float = IDLE) -> None:
        """Close connections that were not used for `older_than` seconds."""
        limit = time.monotonic() - older_than
        for address, wires in list(self._idle.items()):
            for wire in wires:
                if wire.idle_since <= limit:
                    wire.give_up("idle")
            kept = [wire for wire in wires if wire.open]
            if kept:
                self._idle[address] = kept
            else:
                del self._idle[address]

    def _kept(self, address: str) -> _Wire | None:
        wires = self._idle[address]
        while wires:
            wire = wires.pop()
            if wire.usable and time.monotonic() - wire.idle_since < IDLE:
                return wire
            wire.give_up("idle")
        return None

    def _keep(self, address: str, wire: _Wire) -> None:
        if wire.open:
            wire.idle_since = time.monotonic()
            self._idle[address].append(wire)
        else:
            wire.give_up("the server closes")

    async def _connect(self, address: str) -> _Wire:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, wire = await loop.create_connection(
                    _Wire, address, self._port, ssl=self._tls, server_hostname=self._name
                )
        except TimeoutError:
            raise NotSentError("connect: no answer in time") from None
        except OSError as problem:
            raise NotSentError(f"connect: {describe_error(problem)}") from None
        return wire
