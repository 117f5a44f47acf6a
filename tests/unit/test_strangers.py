"""Orders that only another node than the winner has, and that no user's record knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pure_builders import loaded, write

from lab.metrics.unknownorders import elsewhere
from lab.records import duckdbstore

READS = {
    "west_db1": ("kept", "both"),
    "east_db1": ("kept", "lost", "both", "stray", "watch-1"),
    "east_db2": ("lost", "stray", "other's"),
}


def reads(folder: Path, *nodes: str) -> dict[str, Path]:
    found = {node: folder / f"it's {node}.parquet" for node in nodes}
    for node, path in found.items():
        duckdbstore.to_parquet(path, dict.fromkeys(READS[node], 1))
    return found


def test_orders_that_neither_the_winner_nor_a_record_has_are_named_once(tmp_path: Path) -> None:
    with loaded([write("kept"), write("lost")]) as told:
        found = elsewhere(told, reads(tmp_path, *READS), "west_db1")
    assert found == ("other's", "stray", "watch-1")


@pytest.mark.parametrize("name", ["r*", "run[1]", "a?b", "key=x"])
def test_reads_come_from_their_own_folder_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path / name, tmp_path / "run1", tmp_path / "axb"):
        folder.mkdir()
    found = reads(tmp_path / name, "west_db1", "east_db1")
    for node, path in found.items():
        for neighbour in ("run1", "axb"):
            duckdbstore.to_parquet(tmp_path / neighbour / path.name, {f"{neighbour}-{node}": 1})
    with loaded([write("kept"), write("lost")]) as told:
        assert elsewhere(told, found, "west_db1") == ("stray", "watch-1")


def test_where_the_winner_alone_was_read_nothing_else_is_known(tmp_path: Path) -> None:
    with loaded([write("kept")]) as told:
        assert elsewhere(told, reads(tmp_path, "west_db1"), "west_db1") == ()


def test_a_record_of_everything_leaves_nothing(tmp_path: Path) -> None:
    keys = {key for each in READS.values() for key in each}
    with loaded([write(key) for key in keys]) as told:
        assert elsewhere(told, reads(tmp_path, *READS), "west_db1") == ()
