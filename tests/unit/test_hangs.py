"""The guard against tests that hang: they fail, they are named, and the others still run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
HANGING = """
import subprocess, threading, time

def test_sleeps():
    try:
        time.sleep(600)
    except Exception:
        pass

def test_waits_for_a_lock():
    threading.Semaphore(0).acquire()

def test_waits_for_a_program():
    subprocess.run(["sleep", "600"])

def test_waits_again_after_it_was_interrupted():
    try:
        time.sleep(600)
    finally:
        time.sleep(600)

def test_passes():
    pass
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A session of four tests that hang and one that does not."""
    folder = tmp_path_factory.mktemp("hanging")
    (folder / "test_it.py").write_text(HANGING)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "hangs", "-p", "no:cacheprovider",
         "--patience", "0.5", "--rootdir", str(folder), "test_it.py"],
        cwd=folder, env={"PYTHONPATH": str(TESTS)}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "test_sleeps",
        "test_waits_for_a_lock",
        "test_waits_for_a_program",
        "test_waits_again_after_it_was_interrupted",
    ],
)
def test_a_test_that_hangs_fails_and_is_named(
    ran: subprocess.CompletedProcess[str], name: str
) -> None:
    assert f"test_it.py::{name} hangs: it has not ended after 0.5 s" in ran.stdout


def test_the_tests_beside_it_run(ran: subprocess.CompletedProcess[str]) -> None:
    assert "4 failed, 1 passed" in ran.stdout
    assert ran.returncode == 1


def test_what_is_deaf_to_signals_ends_with_the_whole_process(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("faulthandler_exit_on_timeout")
    assert 0 < float(pytestconfig.getini("faulthandler_timeout")) <= 1800
