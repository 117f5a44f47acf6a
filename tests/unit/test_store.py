"""Temporary folders of the columnar engine: those of killed processes go, all others stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import store


def ended_process() -> int:
    """The id of a process that was there and is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(timeout=60)
        return process.pid


def test_what_a_killed_process_left_behind_is_removed(tmp_path: Path) -> None:
    gone, own = tmp_path / f"lab-ledger-{ended_process()}-x", tmp_path / f"lab-ledger-{os.getpid()}"
    other = tmp_path / "lab-ledger-x"
    for folder in (gone, own, other):
        folder.mkdir()
        (folder / "0.jsonl").write_text("{}\n")
    store.remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([own, other])


def test_a_folder_names_its_process() -> None:
    folder = store.temporary_folder()
    folder.rmdir()
    assert folder.name.startswith(f"lab-ledger-{os.getpid()}-")


def test_tables_of_one_computation_are_gone_afterwards() -> None:
    with store.scratch() as first:
        first.execute("CREATE TEMP TABLE made AS SELECT 1")
        with store.scratch() as second, pytest.raises(Exception, match="made"):
            second.execute("FROM made")
