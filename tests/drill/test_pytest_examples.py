"""The ten examples of the pytest plugin as a team runs them: a copy of the folder, one lab.

The rows that are chosen run in one session of pytest, so that they share its records.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from running import CHECKOUT, Cli, Ran

pytestmark = pytest.mark.drill
EXAMPLES = CHECKOUT / "docs" / "examples" / "pytest"
FILE = "test_our_runbooks.py"
NAMES = re.findall(r"^def (test_\w+)", (EXAMPLES / FILE).read_text(), re.MULTILINE)
ALWAYS = "test_our_runbook_loses_nothing_in_a_zone_loss"
DIES = """
import os

def test_that_is_killed(lab):
    lab.load(writes=20)
    lab.inject("freeze", node="east.db1")
    os.kill(os.getpid(), 9)
"""


def pytest_ran(cli: Cli, folder: Path, *arguments: str) -> Ran:
    """A session of pytest in a folder, on the lab that these tests have."""
    # Where this checkout was not installed, pytest has not been told of the plugin.
    command = [sys.executable, "-m", "pytest", "-p", "lab.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments], env=cli.environment(), cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=360, check=False,
    )  # fmt: skip


def failures(cli: Cli, folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Each example with why it failed; empty for one that passed."""
    file = folder / "junit.xml"
    ran = pytest_ran(cli, folder, *(f"{FILE}::{each}" for each in names), f"--junitxml={file}")
    assert file.is_file(), ran.stdout + ran.stderr
    cases = ElementTree.parse(file).getroot().iter("testcase")  # noqa: S314 - pytest's own
    return {each.attrib["name"]: "\n".join(child.text or "" for child in each) for each in cases}


def copied(cli: Cli, name: str) -> Path:
    """A copy of the folder, which is all that a team needs."""
    return Path(shutil.copytree(EXAMPLES, cli.folder / name))


@pytest.fixture(scope="module")
def ended(cli: Cli, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """All chosen examples in one session. Those that found a machine too busy run once more."""
    chosen = [each.name.partition("[")[2].rstrip("]") for each in request.session.items]
    folder = copied(cli, "examples")
    found = failures(cli, folder, [each for each in NAMES if each in chosen])
    busy = [name for name, reason in found.items() if "too busy" in reason]
    return {**found, **failures(cli, folder, busy)} if busy else found


@pytest.mark.family("pytest examples", always=(ALWAYS,))
@pytest.mark.parametrize("name", NAMES)
def test_an_example_of_the_plugin_passes(ended: Mapping[str, str], name: str) -> None:
    assert ended[name] == ""


@pytest.mark.family("pytest examples", row="killed")
def test_a_session_that_was_killed_leaves_a_lab_that_the_next_one_uses(cli: Cli) -> None:
    folder = copied(cli, "killed")
    (folder / "test_dies.py").write_text(DIES)
    killed = pytest_ran(cli, folder, "test_dies.py")
    assert killed.returncode == -9, killed.stdout
    ran = pytest_ran(cli, folder, FILE, "-k", "no_user_notices")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
