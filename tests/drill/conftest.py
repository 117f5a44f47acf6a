"""One lab of its own for the tests of the whole: another name, another subnet, another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.cluster import Lab
from lab.engine import Engine

LAB_NAME = "lab-test"
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
            "NO_COLOR": "1",
            **variables,
        }


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line; the lab that it made is removed at the end, whatever happened."""
    run = Cli(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("state"))
    os.environ["LAB_STATE"] = str(run.state)
    try:
        yield run
    finally:
        run("down", timeout=120)
        engine = Engine(LAB_NAME)
        engine.remove_everything()
        engine.close()


@pytest.fixture
def lab(cli: Cli) -> Iterator[Lab]:
    """The lab, up."""
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as attached:
        yield attached


def succeeded(ran: Ran) -> Ran:
    """The run, if it ended well; its whole output otherwise."""
    assert ran.returncode == 0, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


@dataclass(frozen=True)
class DrillRun:
    """A drill that was run: exit code, its result.json, its folder, everything it said."""

    code: int
    result: dict[str, object]
    folder: Path
    said: str

    @property
    def look_here(self) -> str:
        """What a failing test says."""
        return f"look first at {self.folder}/journal.json and logs/\n{self.said}"


@pytest.fixture
def drilled(cli: Cli) -> Callable[[str], DrillRun]:
    """Runs a drill by the command line."""

    def run(name: str, *arguments: str) -> DrillRun:
        ran = cli("drill", name, "--json", *arguments, timeout=300)
        folder = max(cli.folder.glob(f"runs/*-{name}*"), default=cli.folder)
        assert ran.returncode in {0, 1, 4}, f"look first at {folder}\n{ran.stderr}"
        return DrillRun(ran.returncode, json.loads(ran.stdout), folder, ran.stderr)

    return run
