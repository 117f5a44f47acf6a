"""What every figure of `make bench` is made of: a row, and the lab that it is measured on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.core.load import Load
from lab.infra import settings
from lab.testbed.lab import Lab


@dataclass(frozen=True)
class Found:
    """A measured value; `detail` says what it is made of."""

    value: float
    detail: str = ""


@dataclass(frozen=True)
class Bench:
    """One figure: its limit, which way it is meant, and how it is measured."""

    name: str
    unit: str
    limit: float
    at_most: bool
    measure: Callable[[], Found]

    def holds(self, found: Found) -> bool:
        """True when the value is within the limit."""
        return found.value <= self.limit if self.at_most else found.value >= self.limit


def lab_command(*arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run the command line; seconds it took, and what it said. Raises when the lab is broken."""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode in {2, 3}:
        raise SystemExit(f"lab {' '.join(arguments)} failed:\n{ran.stderr}")
    return time.monotonic() - started, ran


@contextmanager
def attached() -> Iterator[Lab]:
    with Lab.attached(settings.chosen_name(None)) as lab:
        yield lab


def work(lab: Lab, load: Load) -> None:
    for number, users in enumerate(lab.users.values()):
        users.start(load, number)


def rest(lab: Lab) -> None:
    for users in lab.users.values():
        users.stop()


def acknowledged(lab: Lab) -> tuple[float, int]:
    stats = [users.stats() for users in lab.users.values()]
    return time.monotonic(), sum(s.totals["write"].ok for s in stats if "write" in s.totals)
