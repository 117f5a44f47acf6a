"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.paths import write_whole


def test_a_file_is_replaced_as_a_whole_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "labs" / "lab.json"
    write_whole(path, "first")
    write_whole(path, "ä", mode=0o600)
    assert path.read_bytes() == "ä".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["lab.json"]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.cut"
    write_whole(path, "east.db1")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "west.db1")
    assert path.read_text() == "east.db1"


def test_files_of_one_lab_that_are_written_at_the_same_time_do_not_share_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[str]()
    monkeypatch.setattr(Path, "replace", lambda self, _target: made.append(self.name))
    for name in ("lab.json", "lab.cut", "lab.turn", "lab.runbook.json"):
        write_whole(tmp_path / name, "")
    assert len({*made}) == 4
