"""Temporary folders of the columnar engine: those of killed processes go, all others stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.core.errors import UsageError
from lab.records import duckdbstore

ODD_NAMES = ("r*", "run[1]", "a?b", "**", "[!x]", "copies=3", "key=x", "it's", "a\\b", "{x,y}", "~")
"""Names of folders that are patterns, partitions or escapes to DuckDB."""


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
    duckdbstore.remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([own, other])


def test_a_folder_names_its_process() -> None:
    folder = duckdbstore.temporary_folder()
    folder.rmdir()
    assert folder.name.startswith(f"lab-ledger-{os.getpid()}-")


def test_tables_of_one_computation_are_gone_afterwards() -> None:
    with duckdbstore.scratch() as first:
        first.execute("CREATE TEMP TABLE made AS SELECT 1")
        with duckdbstore.scratch() as second, pytest.raises(Exception, match="made"):
            second.execute("FROM made")


@pytest.fixture
def read(tmp_path: Path) -> Path:
    return tmp_path / "west_db1.parquet"


def write_rows(path: Path, rows: str) -> None:
    """A Parquet file of rows as SQL has them: `('a', 1), ('b', 2)`."""
    with duckdbstore.scratch() as database:
        database.execute(
            f'COPY (SELECT "key", copies::INT AS copies FROM (VALUES {rows}) AS t("key", copies))'  # noqa: S608
            f" TO {duckdbstore.quoted(str(path))} (FORMAT parquet)"
        )


def test_a_final_read_with_one_row_per_key_is_accepted(read: Path) -> None:
    for copies in ({}, {"a": 1, "b": 2}):
        duckdbstore.to_parquet(read, copies)
        duckdbstore.refuse_damaged(read)


@pytest.mark.parametrize("rows", ["('a', 1), ('b', 1), ('a', 1)", "('a', 1), ('a', 2)"])
def test_a_final_read_with_a_key_in_two_rows_is_refused(read: Path, rows: str) -> None:
    write_rows(read, rows)
    with pytest.raises(UsageError, match="no final read: a client key is in it twice"):
        duckdbstore.refuse_damaged(read)


@pytest.mark.parametrize("rows", ["('a', 0)", "('a', NULL)", "('', 1)", "(NULL, 1)"])
def test_a_final_read_that_counts_no_keys_is_refused(read: Path, rows: str) -> None:
    write_rows(read, rows)
    with pytest.raises(UsageError, match="no final read: it does not count client keys"):
        duckdbstore.refuse_damaged(read)


def test_a_final_read_is_found_in_its_own_folder_whatever_the_folder_is_called(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in (*ODD_NAMES, "run1", "run2", "axb")]
    for folder in folders:
        folder.mkdir()
        duckdbstore.to_parquet(folder / "read.parquet", {folder.name: 2})
    for folder in folders:
        duckdbstore.refuse_damaged(folder / "read.parquet")
        with duckdbstore.scratch() as database:
            found = database.execute(f"FROM {duckdbstore.rows(folder / 'read.parquet')}").fetchall()
        assert found == [(folder.name, 2)]
