"""Whose turn it is to change a lab: a number that grows with each command, a fencing token.

The engine goes on with what a killed command asked for: a program that it started inside a machine
may wait there, and act after the next command has looked. Everything that is done inside a machine
therefore carries the number of its command, and a machine refuses a number below the highest that
it has seen.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from lab.core.paths import lab_file, write_whole

_SEEN = "/dev/shm/turn"  # noqa: S108 - memory of a machine: it is gone when the machine reboots
_REFUSED = "a later command has this machine"


def file_of(lab_name: str) -> Path:
    """Where the number stands."""
    return lab_file(f"{lab_name}.turn")


def current(lab_name: str) -> int:
    """The number of the command that has the lab now; 0 before the first one."""
    with suppress(OSError, ValueError):
        return int(file_of(lab_name).read_text())
    return 0


def take(lab_name: str) -> int:
    """Begin a turn: what was asked for in earlier ones is refused from now on; the number.

    It is the time in milliseconds, or one more than the last: it grows also if the file is lost.
    """
    path, number = file_of(lab_name), max(current(lab_name) + 1, time.time_ns() // 1_000_000)
    write_whole(path, f"{number}\n")
    return number


def forget(lab_name: str) -> None:
    """Remove the number of a lab that is gone."""
    file_of(lab_name).unlink(missing_ok=True)


def alone(lab_name: str, wait: int = 60) -> str:
    """Shell words in front of what is done inside a machine: one thing at a time, in turn.

    They wait for the machine's lock, for up to `wait` seconds, and end with code 75 in a later
    command's turn. A server that is started must not hold the lock: close 9 for it.
    """
    number = current(lab_name)
    return (
        f"exec 9>/dev/shm/tool && flock -w {wait} 9"
        f" && {{ seen=$(cat {_SEEN} 2>/dev/null); [ {number} -ge ${{seen:-0}} ]"
        f" || {{ echo '{_REFUSED}'; exit 75; }}; }} && echo {number} > {_SEEN}"
    )
