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


class Held:
    """A lock that is held. `broken_off` is the process that held it last, if that was killed."""

    def __init__(self, path: Path, fd: int, what: str) -> None:
        self._path, self._fd, self._what = path, fd, what
        self.broken_off = _signature(fd)
        _sign(fd, what)

    @contextmanager
    def given_up(self, say: Say | None = None) -> Iterator[None]:
        """Let others have it for the length of the block; then wait for it (`say` says so)."""
        os.ftruncate(self._fd, 0)
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        try:
            yield
        finally:
            _take(self._path, self._fd, self._what, wait=True, say=say)
            _sign(self._fd, self._what)

    def give_way(self, say: Say | None = None) -> bool:
        """Give the lock to a process that waits for it, if one does, and take it back."""
        with _next_in_line(self._path) as line:
            try:
                fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with self.given_up(say):
                    fcntl.flock(line, fcntl.LOCK_EX)  # free again once that one has the lock
                    fcntl.flock(line, fcntl.LOCK_UN)
                return True
        return False


@contextmanager
def hold(path: Path, what: str, wait: bool, say: Say | None = None) -> Iterator[Held]:
    """Hold the lock file `path` for the length of the block.

    `what` says in a few words what it is held for. When another process holds it: with `wait`
    say so (once) and wait for it, without `wait` raise Busy with that process's number, command
    and purpose. The kernel releases the lock when its holder dies, so there is nothing to clean
    up. Not re-entrant: a process that holds a lock waits for itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(path, fd, what, wait, say)
        held = Held(path, fd, what)
        try:
            yield held
        except Exception:
            os.ftruncate(fd, 0)
            raise
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder while something is written into it."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def _next_in_line(path: Path) -> Iterator[int]:
    """The file that a process holds while it waits for a lock."""
    fd = os.open(path.with_name(f"{path.name}.next"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _take(path: Path, fd: int, what: str, wait: bool, say: Say | None) -> None:
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
        with _next_in_line(path) as line:
            fcntl.flock(line, fcntl.LOCK_EX)
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
