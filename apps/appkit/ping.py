"""`python -m appkit.ping KIND HOST PORT COUNT SECONDS [close]`: one connection, some questions.

What a link does to its users, in a line of JSON: how long it took to connect, how long
each answer took, how long until the other side closed (if the last question asks it to), all in
seconds, and the first thing that went wrong. Every kind of question is answered by what stands
behind the link and changes nothing there.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from http.client import HTTPException, HTTPResponse

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_ENCRYPTED = ("https", "caches")
_HTTP = b"GET /livez HTTP/1.1\r\nhost: shop\r\n\r\n"
_LAST = b"GET /livez HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"


@dataclass
class Pinged:
    """What one connection saw. `error` is empty, or refused, reset, silent, closed."""

    connect: float | None = None
    answers: list[float] = field(default_factory=list)
    close: float | None = None
    error: str = ""


def ping(
    kind: str, host: str, port: int, count: int, seconds: float, *, closing: bool = False
) -> Pinged:
    """Ask `count` times; never raises for what a network can do.

    Only HTTP can ask to be closed. Who does so hears of a link that swallows answers: a gateway
    passes a close on that it has no bytes for.
    """
    found = Pinged()
    try:
        _converse(kind, (host, port), count, seconds, found, closing)
    except TimeoutError:
        found.error = "silent"
    except ConnectionRefusedError:
        found.error = "refused"
    except (ConnectionError, EOFError, HTTPException):
        found.error = "reset" if found.connect is None or not found.answers else "closed"
    except OSError as problem:
        found.error = problem.strerror or type(problem).__name__
    return found


def _converse(
    kind: str,
    address: tuple[str, int],
    count: int,
    seconds: float,
    found: Pinged,
    closing: bool,
) -> None:
    began = time.monotonic()
    with socket.create_connection(address, timeout=seconds) as line:
        found.connect = time.monotonic() - began
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = _wrapped(line) if kind in _ENCRYPTED else line
        for number in range(count):
            question = _question(kind, last=closing and number == count - 1)
            began = time.monotonic()
            talk.sendall(question)
            _hear(kind, talk)
            found.answers.append(time.monotonic() - began)
        if closing:
            began = time.monotonic()
            while talk.recv(4096):
                pass
            found.close = time.monotonic() - began


def _hear(kind: str, talk: socket.socket) -> None:
    """Read one answer whole: what is left of it would be taken for the next one."""
    if kind in ("http", "https"):
        answer = HTTPResponse(talk)
        answer.begin()
        answer.read()
    elif not talk.recv(4096):
        raise EOFError


def _wrapped(line: socket.socket) -> socket.socket:
    # Who answers does not matter here, only how long that takes.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(line)


def _question(kind: str, *, last: bool) -> bytes:
    if kind == "postgres":
        return _SSL_REQUEST
    if kind in ("cache", "caches"):
        return b"PING\r\n"
    return _LAST if last else _HTTP


if __name__ == "__main__":
    arguments = sys.argv[1:]
    kind, host, port, count, seconds, *rest = arguments
    result = ping(kind, host, int(port), int(count), float(seconds), closing=rest == ["close"])
    sys.stdout.write(json.dumps(asdict(result)) + "\n")
