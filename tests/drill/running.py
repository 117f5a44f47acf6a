"""Running the command line as a user would: its own lab, its own state, its own runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
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
