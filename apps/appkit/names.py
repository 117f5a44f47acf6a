"""One DNS question to one server. Who is asked, and when again, is the caller's policy."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver


class LookupFailedError(Exception):
    """The server gave no address: it was silent, refused, or does not know the name."""


class SilentError(LookupFailedError):
    """Nothing came back in time; another server may know."""


@dataclass(frozen=True)
class Server:
    """A resolver's address."""

    host: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> Server:
        """`10.91.1.53` or `127.0.0.1:5300`."""
        host, _, port = text.strip().partition(":")
        return cls(host, int(port or 53))

    def __str__(self) -> str:
        return self.host if self.port == 53 else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Addresses:
    """An answer: IPv4 addresses in the order given, and for how many seconds they hold."""

    addresses: tuple[str, ...]
    ttl: float


def describe_error(problem: OSError) -> str:
    """The kernel's words for `problem`; event loops put words of their own into its text."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate not believed: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):  # its number is the library's own, not the kernel's
        return f"TLS: {problem.reason or problem}"
    if problem.errno:
        return os.strerror(problem.errno)
    return str(problem) or type(problem).__name__


def is_address(host: str) -> bool:
    """True when `host` needs no resolver."""
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def system_server() -> Server:
    """The first resolver of this machine.

    Raises `dns.resolver.NoResolverConfiguration` when it has none.
    """
    resolver = dns.resolver.Resolver()
    return Server(str(resolver.nameservers[0]), resolver.port)


async def ask(name: str, server: Server, timeout: float) -> Addresses:
    """The IPv4 addresses of `name`, aliases followed.

    `timeout` in seconds. Raises `SilentError` or `LookupFailedError`.
    """
    query = dns.message.make_query(name, dns.rdatatype.A)
    try:
        reply = await dns.asyncquery.udp(query, server.host, timeout, port=server.port)
    except (dns.exception.Timeout, OSError) as problem:
        raise SilentError(f"{server}: no answer ({type(problem).__name__})") from None
    except dns.exception.DNSException as problem:
        raise LookupFailedError(f"{server}: {problem}") from None
    return read_answer(reply, name, server)


def read_answer(reply: dns.message.Message, name: str, server: Server) -> Addresses:
    """The addresses in `reply`; raises `LookupFailedError` when there are none."""
    if reply.rcode() in (dns.rcode.SERVFAIL, dns.rcode.REFUSED):
        raise SilentError(f"{server}: {dns.rcode.to_text(reply.rcode())}")
    if reply.rcode() != dns.rcode.NOERROR or not isinstance(reply, dns.message.QueryMessage):
        raise LookupFailedError(f"{server}: {dns.rcode.to_text(reply.rcode())} for {name}")
    try:
        chain = reply.resolve_chaining()
    except dns.exception.DNSException as problem:
        raise LookupFailedError(f"{server}: {problem}") from None
    if chain.answer is None:
        raise LookupFailedError(f"{server}: no address for {name}")
    return Addresses(tuple(str(record) for record in chain.answer), float(chain.minimum_ttl))
