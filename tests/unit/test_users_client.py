"""The client knows what it has sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from users.client import Client, NoReplyError, NotSentError
from users.requests import Requests

MESSAGE = Requests("app.lab.test").catalogue("east", "r-1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Region: east\r\n\r\nhi"

Behave = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Reads requests and lets `behave` answer each of them."""

    def __init__(self, behave: Behave) -> None:
        self.behave, self.connections, self.requests = behave, 0, list[bytes]()

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        client = Client(server.sockets[0].getsockname()[1], connect_timeout=0.5)
        try:
            yield client
        finally:
            client.close_idle(0.0)
            server.close()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self.behave(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def answer(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def close(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def stall(server: Server, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.3)


async def answer_half(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])
    await writer.drain()
    writer.close()


def test_an_answer_is_read_with_its_headers_in_lower_case() -> None:
    async def scenario() -> None:
        async with Server(answer).serve() as client:
            reply = await client.send("127.0.0.1", MESSAGE, 1.0)
            assert (reply.status, reply.headers["x-region"], reply.body) == (200, "east", b"hi")

    asyncio.run(scenario())


def test_a_connection_is_used_again_and_closed_when_it_was_idle() -> None:
    async def scenario() -> None:
        server = Server(answer)
        async with server.serve() as client:
            for _ in range(3):
                await client.send("127.0.0.1", MESSAGE, 1.0)
            assert (server.connections, len(server.requests)) == (1, 3)
            client.close_idle(0.0)
            await client.send("127.0.0.1", MESSAGE, 1.0)
            assert server.connections == 2

    asyncio.run(scenario())


def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async def scenario() -> None:
        server = Server(answer)
        async with server.serve() as client:
            sends = [client.send("127.0.0.1", MESSAGE, 1.0) for _ in range(5)]
            assert [reply.status for reply in await asyncio.gather(*sends)] == [200] * 5
            assert server.connections == 5

    asyncio.run(scenario())


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with pytest.raises(NotSentError, match="refused"):
        asyncio.run(Client(1, 0.5).send("127.0.0.1", MESSAGE, 1.0))


def test_a_connection_that_cannot_be_made_in_time_means_that_nothing_was_sent() -> None:
    async def scenario() -> None:
        listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, backlog=1)
        port = listener.sockets[0].getsockname()[1]
        listener.close()
        client = Client(port, connect_timeout=0.0)
        with pytest.raises(NotSentError):
            await client.send("127.0.0.1", MESSAGE, 1.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("behave", [close, stall, answer_half])
def test_whatever_happens_after_sending_is_indefinite(behave: Behave) -> None:
    async def scenario() -> None:
        server = Server(behave)
        async with server.serve() as client:
            with pytest.raises(NoReplyError):
                await client.send("127.0.0.1", MESSAGE, 0.1)
            assert len(server.requests) == 1, "sent once, never again by itself"

    asyncio.run(scenario())


def test_an_answer_that_is_not_http_is_indefinite() -> None:
    async def nonsense(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(b"nonsense\r\n\r\n")

    async def scenario() -> None:
        async with Server(nonsense).serve() as client:
            with pytest.raises(NoReplyError):
                await client.send("127.0.0.1", MESSAGE, 0.5)

    asyncio.run(scenario())


def test_a_kept_connection_that_the_other_side_closed_is_not_used() -> None:
    async def answer_and_close(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        server = Server(answer_and_close)
        async with server.serve() as client:
            for _ in range(3):
                assert (await client.send("127.0.0.1", MESSAGE, 1.0)).status == 200
                await asyncio.sleep(0.02)
            assert server.connections == 3

    asyncio.run(scenario())


def test_the_time_allowed_is_kept() -> None:
    async def scenario() -> float:
        async with Server(stall).serve() as client:
            start = time.monotonic()
            with pytest.raises(NoReplyError, match="no answer in time"):
                await client.send("127.0.0.1", MESSAGE, 0.1)
            return time.monotonic() - start

    assert 0.08 < asyncio.run(scenario()) < 0.2


def test_a_catalogue_is_asked_for_by_its_market() -> None:
    assert MESSAGE.startswith(b"GET /catalogue?market=east HTTP/1.1\r\n")


def test_a_request_carries_what_the_shop_needs() -> None:
    message = Requests("app.lab.test").order("t", "k", "r", 3, 2)
    head, _, body = message.partition(b"\r\n\r\n")
    assert body == b'{"product_id":3,"quantity":2}'
    assert head.split(b"\r\n") == [
        b"POST /orders HTTP/1.1",
        b"host: app.lab.test",
        b"x-request-id: r",
        b"authorization: Bearer t",
        b"idempotency-key: k",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
    ]
