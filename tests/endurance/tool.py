"""What all of them use: the command line, run or killed, and what it said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.core.wait import pause
from lab.infra import settings
from lab.records.history import Operation
from lab.records.historyreader import Reader
from lab.testbed import runbookprogress

NAME = settings.chosen_name(None)
WORK = Path(tempfile.mkdtemp(prefix="endurance-"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lab", *arguments]


def ran(*arguments: str, patience: float = 900) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=WORK, text=True,
        env={**os.environ, "NO_COLOR": "1", "LAB_RUNS": str(WORK / "runs")},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False,
    )  # fmt: skip


def must(*arguments: str) -> None:
    """A command that makes ready for what is tried: if it fails, there is nothing to be said."""
    done = ran(*arguments)
    if done.returncode:
        raise SystemExit(f"lab {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def cut(when: Callable[[subprocess.Popen[str]], None], *arguments: str) -> int | None:
    """Start a command and kill it when `when` returns; its exit code if it ended before."""
    running = subprocess.Popen(
        command(*arguments), cwd=WORK, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    when(running)
    code = running.poll()
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=10)
    return code


def after(seconds: float) -> Callable[[subprocess.Popen[str]], None]:
    def wait(running: subprocess.Popen[str]) -> None:
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=seconds)

    return wait


def at_step(steps: int, seconds: float) -> Callable[[subprocess.Popen[str]], None]:
    """Inside a runbook: so many seconds after so many of its steps are done."""

    def wait(running: subprocess.Popen[str]) -> None:
        while running.poll() is None:
            found = runbookprogress.kept(NAME)
            if found is not None and found.done >= steps:
                pause(seconds)
                return
            pause(0.002)

    return wait


def tell(**found: object) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def folder_of(result: dict[str, Any]) -> Path:
    """The newest run of a result's drill."""
    return max(WORK.glob(f"runs/*{result['drill']}*"), key=lambda path: path.stat().st_mtime)


def operations(history: Path) -> list[Operation]:
    """What users did, in the order of completion."""
    found: list[Operation] = []
    Reader(lambda _, item: found.append(item)).consume_all([history])
    return found


def last_words(text: str) -> str:
    """The end of what a command said."""
    return " / ".join(text.strip().splitlines()[-2:])
