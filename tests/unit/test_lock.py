"""One command at a time, and who the other one is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.core.console import Say
from lab.core.errors import Busy
from lab.core.lock import hold
from lab.core.wait import wait_until

HOLDER = """
import sys
from pathlib import Path
from lab.core.lock import hold
from lab.core.wait import wait_until
sys.argv = ["/somewhere/lab", "drill", "region-loss"]
with hold(Path({path!r}), "run a drill", wait=False):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "lab.lock"


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(path=str(path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_names_the_process_the_command_and_its_purpose(path: Path) -> None:
    with holder(path) as process:
        with pytest.raises(Busy) as caught, hold(path, "bring the lab up", wait=False):
            pass
        process.communicate("\n")
    said = str(caught.value)
    assert f"process {process.pid} (`lab drill region-loss`, to run a drill)" in said
    assert "cannot bring the lab up" in said


def test_a_lock_is_free_after_its_holder_was_killed(path: Path) -> None:
    with holder(path) as process:
        process.kill()
        process.communicate()
    with hold(path, "bring the lab up", wait=False):
        pass


def test_a_lock_is_free_after_its_block_also_when_that_failed(path: Path) -> None:
    with pytest.raises(ValueError, match="as it happens"), hold(path, "fail", wait=False):
        raise ValueError("as it happens")
    with hold(path, "bring the lab up", wait=False):
        pass


def test_waiting_says_for_whom_and_ends_when_the_lock_is_free(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with holder(path) as process:
        release = threading.Timer(0.2, process.communicate, ["\n"])
        release.start()
        with hold(path, "make the images", wait=True, say=Say()):
            # The other process may still be ending: its pipes belong to the thread until then.
            release.join()
    said = " ".join(capsys.readouterr().err.split())
    assert f"waiting for process {process.pid}" in said
    assert "before this can make the images" in said


def test_the_holder_is_written_while_the_lock_is_held_and_gone_afterwards(path: Path) -> None:
    with hold(path, "bring the lab up", wait=False):
        assert f"process {os.getpid()}" in path.read_text()
    assert path.read_text() == ""


def test_a_holder_gives_way_to_the_one_who_waits_and_to_nobody_else(path: Path) -> None:
    had = list[str]()

    def wait() -> None:
        with hold(path, "heal", wait=True):
            had.append("the other")

    with hold(path, "run", wait=False) as held:
        assert not held.give_way()
        other = threading.Thread(target=wait)
        other.start()
        wait_until("the other to have had its turn", held.give_way, 20)
        had.append("mine again")
    other.join(20)
    assert had == ["the other", "mine again"]
