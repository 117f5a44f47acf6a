"""The lab's programs by TLS: what they read, whom they believe, and what they call a failure."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from appkit.env import Env, SettingError
from appkit.tls import authority_file, client_context, identity
from steering.checks import Kind
from steering.probe import probe
from steering.settings import Place
from stopwatch.settings import Door
from stopwatch.wire import Wire
from users.client import Client, NotSentError

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
NAME = "app.lab.test"
REQUEST = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def _line(pem: trustme.Blob) -> str:
    return base64.b64encode(pem.bytes()).decode()


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = client_context(Env({"TLS_AUTHORITY": _line(authority.cert_pem)}))
    assert context
    return context


@asynccontextmanager
async def serving(*names: str) -> AsyncIterator[int]:
    """A server that proves to be `names` and answers every request; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(ANSWER)
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def _as_user(port: int, trust: ssl.SSLContext) -> int:
    client = Client(port, 2.0, trust, NAME)
    try:
        first = await client.send("127.0.0.1", REQUEST, 2.0)
        again = await client.send("127.0.0.1", REQUEST, 2.0)  # on the connection that was kept
        assert first.status == again.status
        return again.status
    finally:
        client.close_idle(0.0)


async def _as_stopwatch(port: int, trust: ssl.SSLContext) -> int:
    wire = Wire(Door("east", "127.0.0.1", port), trust)
    try:
        return (await wire.ask(REQUEST)).status
    finally:
        wire.close()


def test_users_ask_for_the_shop_by_its_name_wherever_it_is() -> None:
    async def run() -> int:
        async with serving(NAME) as port:
            return await _as_user(port, _trusting(AUTHORITY))

    assert asyncio.run(run()) == 200


@pytest.mark.parametrize(
    ("names", "trusted"), [((NAME,), STRANGER), (("other.lab.test", "127.0.0.1"), AUTHORITY)]
)
def test_a_shop_that_users_do_not_believe_was_sent_nothing(
    names: tuple[str, ...], trusted: trustme.CA
) -> None:
    async def run() -> None:
        async with serving(*names) as port:
            with pytest.raises(NotSentError, match="certificate"):
                await _as_user(port, _trusting(trusted))

    asyncio.run(run())


def test_the_stopwatch_asks_for_the_gateway_by_its_address() -> None:
    async def run() -> int:
        async with serving("127.0.0.1") as port:
            with pytest.raises(OSError, match="certificate"):
                await _as_stopwatch(port, _trusting(STRANGER))
            return await _as_stopwatch(port, _trusting(AUTHORITY))

    assert asyncio.run(run()) == 200


def test_a_region_that_proves_to_be_a_stranger_closes_the_connection_and_says_why() -> None:
    async def run() -> None:
        async with serving("127.0.0.1") as port:
            url = f"https://127.0.0.1:{port}"
            seen = await probe(Place.parse(url, _trusting(STRANGER)), 2.0, 2.0)
            assert seen.kind is Kind.CLOSED
            assert "certificate" in seen.error
            trusted = await probe(Place.parse(url, _trusting(AUTHORITY)), 2.0, 2.0)
            assert trusted.kind is Kind.READY
            assert trusted.line is not None
            trusted.line.close()

    asyncio.run(run())


def test_a_target_that_needs_an_authority_is_refused_without_one() -> None:
    with pytest.raises(SettingError, match="TLS_AUTHORITY"):
        Place.parse("https://10.91.0.11:8003")
    assert Place.parse("http://10.91.0.11:8003").tls is None


def test_nothing_said_is_no_encryption_and_half_of_it_an_error() -> None:
    assert authority_file(Env({})) is None
    assert client_context(Env({})) is None
    assert identity(Env({})) is None
    made = AUTHORITY.issue_cert(NAME)
    certificate = {"TLS_CERTIFICATE": _line(made.cert_chain_pems[0])}
    with pytest.raises(SettingError, match="belong together"):
        identity(Env(certificate))
    found = identity(Env({**certificate, "TLS_KEY": _line(made.private_key_pem)}))
    assert found
    assert Path(found.key).stat().st_mode & 0o777 == 0o600
    assert Path(found.key).read_bytes() == made.private_key_pem.bytes()


@pytest.mark.parametrize("read", [authority_file, client_context])
@pytest.mark.parametrize("text", ["no base64", base64.b64encode(b"no PEM").decode(), "w6Q="])
def test_what_is_no_certificate_is_an_error_that_names_the_variable(
    read: Callable[[Env], object], text: str
) -> None:
    with pytest.raises(SettingError, match="TLS_AUTHORITY"):
        read(Env({"TLS_AUTHORITY": text}))
