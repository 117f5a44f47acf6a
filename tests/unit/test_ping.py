"""What a connection can go through, against a socket that does it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from appkit.ping import ping

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A listener that does something to its one caller."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def run() -> None:
            line, _ = door.accept()
            with line:
                serve(line)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            thread.join(timeout=5)


def answer_all(line: socket.socket) -> None:
    while line.recv(100):
        line.sendall(OK)


def test_every_answer_is_timed() -> None:
    with server(answer_all) as port:
        found = ping("cache", "127.0.0.1", port, 3, 1)
    assert found.error == ""
    assert found.connect is not None
    assert len(found.answers) == 3


def test_a_close_is_timed_as_well() -> None:
    def serve(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(OK)

    with server(serve) as port:
        found = ping("http", "127.0.0.1", port, 1, 1, closing=True)
    assert found.close is not None


def test_an_answer_in_two_pieces_is_one_answer() -> None:
    def serve(line: socket.socket) -> None:
        while line.recv(1000):
            line.sendall(OK[:20])
            time.sleep(0.05)  # what a network may do
            line.sendall(OK[20:])

    with server(serve) as port:
        found = ping("http", "127.0.0.1", port, 3, 1)
    assert found.error == ""
    assert min(found.answers) >= 0.05


def test_only_a_server_that_is_to_close_is_asked_to() -> None:
    heard: list[bytes] = []

    def serve(line: socket.socket) -> None:
        heard.append(line.recv(1000))
        line.sendall(OK)
        line.recv(1000)

    with server(serve) as port:
        assert ping("http", "127.0.0.1", port, 1, 1).close is None
    assert b"close" not in heard[0]


def test_a_closed_port_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert ping("cache", "127.0.0.1", port, 1, 1).error == "refused"


def test_a_reset_and_a_close_are_told_apart_from_silence() -> None:
    def reset(line: socket.socket) -> None:
        line.recv(100)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with server(reset) as port:
        assert ping("postgres", "127.0.0.1", port, 1, 1).error == "reset"

    ended = threading.Event()

    def silent(line: socket.socket) -> None:
        ended.wait(5)

    with server(silent) as port:
        found = ping("postgres", "127.0.0.1", port, 1, 0.1)
        ended.set()
    assert found.error == "silent"


@pytest.mark.parametrize("kind", ["postgres", "cache", "http"])
def test_every_kind_of_question_is_asked_in_one_piece(kind: str) -> None:
    heard: list[bytes] = []

    def serve(line: socket.socket) -> None:
        heard.append(line.recv(100))
        line.sendall(OK)

    with server(serve) as port:
        assert ping(kind, "127.0.0.1", port, 1, 1).answers
    assert heard[0]
