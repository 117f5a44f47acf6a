"""A team's script in its toolbox: what it reaches, what it may not do, and that it never stays."""

from __future__ import annotations

import gc
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import NotFound

from lab.core.errors import LabError
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.infra.inventory import LABEL
from lab.runbooks.option import Texts
from lab.runbooks.runbook import Plan
from lab.steps.catalogue import step
from lab.steps.context import Context, Ending
from lab.testbed.lab import Lab

SCRIPT = """#!/bin/sh
set -eu
pwd
id -u
for each in $LAB_EAST_DB1 $LAB_WEST_DB1; do
  psql -h "$each" -Atc "SELECT current_setting('cluster_name'), ssl FROM pg_stat_ssl
                        WHERE pid = pg_backend_pid()"
done
touch /tmp/mine
touch /runbook/mine 2>/dev/null || echo "its folder is read-only"
touch /etc/mine 2>/dev/null || echo "its root is read-only"
[ -e /var/run/docker.sock ] || echo "no engine"
grep CapEff /proc/self/status
getent hosts head.west.lab.test
echo "$LAB_PLAN_OLD $1"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ours = tmp_path / "ours"
    ours.mkdir()
    script = ours / "look.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    return ours


def context(lab: Lab, folder: Path, *command: str, **options: Any) -> Context:
    plan = Plan(EAST_DB1, WEST_DB1)
    recorder: Any = type("Recorder", (), {"folder": folder.parent})
    chosen = step("run").chosen({"command": Texts(command), **options})
    return Context(lab, lab, plan, Ending(lab, plan), recorder, chosen, scripts=folder)


def there(engine: DockerClient, lab: Lab) -> bool:
    try:
        engine.containers.get(f"{lab.name}-toolbox")
    except NotFound:
        return False
    return True


@pytest.fixture
def engine() -> DockerClient:
    from lab.host.engine import client

    return client(timeout=60)


def test_a_script_reaches_what_a_bastion_would_and_may_nothing_else(
    steady: Lab, engine: DockerClient, folder: Path
) -> None:
    said = step("run").act(context(steady, folder, "./look.sh", "a word"))
    assert "ended with code 0" in said
    lines = (folder.parent / "script-1-look.sh.txt").read_text().splitlines()
    assert lines[:2] == ["/runbook", "999"] or lines[1] != "0"
    assert lines[2:8] == [
        "east_db1|t", "west_db1|t", "its folder is read-only", "its root is read-only",
        "no engine", "CapEff:\t0000000000000000",
    ]  # fmt: skip
    assert lines[8].split() == [steady.settings.addresses.inside(WEST_DB1), "head.west.lab.test"]
    assert lines[9] == "east.db1 a word"
    assert not there(engine, steady)


def test_a_script_is_killed_at_its_deadline_and_what_it_said_is_kept(
    steady: Lab, engine: DockerClient, folder: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match=r"(?s)was killed after .* begun"):
        step("run").act(context(steady, folder, "sh", "-c", "echo begun; sleep 600", within=1))
    assert time.monotonic() - began < 20
    assert (folder.parent / "script-1-sh.txt").read_text() == "begun\n"
    assert not there(engine, steady)


@pytest.mark.parametrize(
    ("command", "said"),
    [(["false"], "code 1"), (["./none.sh"], "code 127"), (["/runbook"], "code 126")],
)
def test_a_script_that_fails_stops_the_runbook(
    steady: Lab, engine: DockerClient, folder: Path, command: list[str], said: str
) -> None:
    with pytest.raises(LabError, match=said):
        step("run").act(context(steady, folder, *command))
    assert not there(engine, steady)


# An interrupt in the middle of a request leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_script_that_is_interrupted_leaves_no_machine(
    steady: Lab, engine: DockerClient, folder: Path
) -> None:
    def interrupt() -> None:
        while not there(engine, steady):
            time.sleep(0.05)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        step("run").act(context(steady, folder, "sleep", "600"))
    gc.collect()
    assert not there(engine, steady)


def test_what_a_tool_that_died_has_left_carries_the_labs_label_and_goes_with_the_next_one(
    steady: Lab, engine: DockerClient, folder: Path
) -> None:
    box = steady.engine.toolbox()
    left = engine.containers.create(
        engine.containers.get(steady.engine.container_name(EAST_DB1)).image, ["sleep", "600"],
        name=f"{steady.name}-toolbox", labels={LABEL: steady.name},
    )  # fmt: skip
    left.start()
    assert f"container {steady.name}-toolbox" in steady.engine.leftovers()
    assert "code 0" in step("run").act(context(steady, folder, "true"))
    assert not there(engine, steady)
    box.clear()
