"""Locks between commands of the lab: one at a time for set-up, one per lab that is running."""

from __future__ import annotations

import fcntl
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.core.console import Say
from lab.core.errors import Busy


@contextmanager
def hold(path: Path, what: str, wait: bool, say: Say | None = None) -> Iterator[str]:
    """Hold the lock file `path` for the length of the block.

    Yields the process that held it last, if that one was killed or interrupted; else nothing.

    `what` says in a few words what it is held for. When another process holds it: with `wait`
    say so (once) and wait for it, without `wait` raise Busy with that process's number, command
    and purpose. The kernel releases the lock when its holder dies, so there is nothing to clean
    up. Not re-entrant: a process that holds a lock waits for itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(fd, what, wait, say)
        broken_off = _signature(fd)
        _sign(fd, what)
        try:
            yield broken_off
        except Exception:
            os.ftruncate(fd, 0)
            raise
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one who writes into a folder, for the moments that it takes."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _take(fd: int, what: str, wait: bool, say: Say | None) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(fd)
        if not wait:
            raise Busy(
                f"cannot {what}: {holder} is at work",
                "wait until it is done, or stop that process",
            ) from None
        if say:
            say.note(f"waiting for {holder} before this can {what}")
        fcntl.flock(fd, fcntl.LOCK_EX)


def _sign(fd: int, what: str) -> None:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"process {os.getpid()} (`{command}`, to {what})".encode(), 0)


def _holder(fd: int) -> str:
    # Empty for the moment between the lock being taken and being signed.
    return _signature(fd) or "another command"


def _signature(fd: int) -> str:
    return os.pread(fd, 4096, 0).decode(errors="replace")
