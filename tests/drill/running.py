"""Running the command line as a user would: its own lab, its own state, its own runs."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
LAB_NAME = f"lab-test-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"
"""Each checkout has a lab of its own, so that two may be tested side by side on one engine."""
KEPT = CHECKOUT / "build" / "test-runs"
SESSIONS_KEPT = 3
TIMINGS = ("rto_seconds", "longest_gap_seconds")
Ran = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Cli:
    """The command line, run as a user would, with its own lab, state and runs."""

    folder: Path
    state: Path

    def __call__(self, *arguments: str, timeout: float = 300, **variables: str) -> Ran:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**variables),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, left running."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "lab", *arguments]

    def environment(self, **variables: str) -> dict[str, str]:
        return {
            **os.environ,
            "LAB_NAME": LAB_NAME,
            "LAB_STATE": str(self.state),
            "LAB_RUNS": str(self.folder / "runs"),
            "NO_COLOR": "1",
            **variables,
        }


def fresh_folder() -> Path:
    """A folder for this session's runs; those of the newest sessions before it stay."""
    folder = KEPT / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    folder.mkdir(parents=True)
    for old in sorted(KEPT.iterdir())[:-SESSIONS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def advised(runbook: str) -> str:
    """The command that runs a runbook, as the tool tells to type it for this lab."""
    return f"lab runbook run --name {LAB_NAME} {runbook}"


def succeeded(ran: Ran) -> Ran:
    """The run, if it ended well; its whole output otherwise."""
    assert ran.returncode == 0, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def _late(row: dict[str, Any]) -> bool:
    """A time that was measured and missed, on a machine that was too busy for it to count."""
    return row["found"] is not None and "too busy" in str(row["detail"])


@dataclass(frozen=True)
class DrillRun:
    """A drill that was run: exit code, its result.json, its folder, everything it said."""

    code: int
    result: dict[str, object]
    folder: Path
    said: str

    def not_passed(self) -> list[str]:
        """Objectives that were not met, but for what only says how fast this machine is.

        How long it took is for `make bench`; that it came to an end at all is not: a return that
        was never seen is unknown, and counts.
        """
        return [
            f"{row['name']}: {row['verdict']} ({row['detail']})"
            for row in self.result["objectives"]  # type: ignore[attr-defined]
            if row["verdict"] != "pass"
            and row["name"] != "stopwatch_agrees"
            and not (row["name"] in TIMINGS and (row["verdict"] == "fail" or _late(row)))
        ]

    def opinion(self, name: str) -> dict[str, Any]:
        """One of the second opinions."""
        return next(row for row in self.result["opinions"] if row["name"] == name)  # type: ignore[attr-defined]

    @property
    def look_here(self) -> str:
        """What a failing test says."""
        return f"look first at {self.folder}/journal.json and logs/\n{self.said}"


class Person:
    """Someone at a terminal in which a command runs; `seen` is what is on it."""

    def __init__(self, terminal: int, process: subprocess.Popen[bytes]) -> None:
        self._terminal, self._process, self.seen = terminal, process, ""

    def reads_up_to(self, text: str, seconds: float) -> None:
        """Read until there is that text, after what was read before."""
        begin, end = len(self.seen), time.monotonic() + seconds
        while text not in self.seen[begin:]:
            assert time.monotonic() < end and self._reads(), f"no {text!r} in:\n{self.seen}"

    def _reads(self) -> bool:
        """Read what comes within a second; False at the end."""
        if not select.select([self._terminal], [], [], 1.0)[0]:
            return True
        try:
            part = os.read(self._terminal, 65536)
        except OSError:  # Linux says so of a terminal that no process has open any more
            return False
        self.seen += part.decode(errors="replace")
        return bool(part)

    def types(self, line: str) -> None:
        """A line, and Enter."""
        os.write(self._terminal, f"{line}\n".encode())

    def ends(self, seconds: float) -> int:
        """Read on until the command ends; its exit code."""
        end = time.monotonic() + seconds
        while self._process.poll() is None:
            assert time.monotonic() < end, self.seen
            self._reads()
        return self._process.returncode


@contextmanager
def at_a_terminal(cli: Cli, *arguments: str) -> Iterator[Person]:
    """A command that runs in a terminal; it is ended with the block."""
    terminal, its = pty.openpty()
    process = subprocess.Popen(
        cli.command(*arguments), env=cli.environment(TERM="xterm", COLUMNS="120"),
        cwd=cli.folder, stdin=its, stdout=its, stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    try:
        yield Person(terminal, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)
        os.close(terminal)
