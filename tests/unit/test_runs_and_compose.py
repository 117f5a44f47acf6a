"""Run folders, and Compose's failures in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.errors import MachineError, UsageError
from lab.infra.compose import explained
from lab.records.runfolders import (
    dropped_if_empty,
    find_run,
    names,
    new_run,
    unfinished_after,
)


def test_two_runs_in_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    first, second = new_run("zone-loss", tmp_path), new_run("zone-loss", tmp_path)
    assert first != second
    assert (first / "logs").is_dir()


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for parent in (tmp_path / "file", Path("/proc/nowhere")):
        with pytest.raises(MachineError, match="LAB_RUNS") as caught:
            new_run("zone-loss", parent)
        assert caught.value.exit_code == 3


def test_the_newest_run_is_found_and_an_unknown_one_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    for name in (None, "a"):
        with pytest.raises(UsageError, match="make one: lab drill region-loss"):
            find_run(name)
    for name in ("2026-01-01T00-00-00Z-a", "2026-01-02T00-00-00Z-a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text("{}")
    assert find_run(None).name.startswith("2026-01-02")
    assert find_run("2026-01-01T00-00-00Z-a").name.startswith("2026-01-01")
    with pytest.raises(UsageError, match="did you mean 2026-01-02T00-00-00Z-a"):
        find_run("2026-01-02t00-00-00z-A")
    with pytest.raises(UsageError, match="see: ls "):
        find_run("2026-01-03")


LATER, LATEST = "2026-01-02T00-00-00Z-b", "2026-01-03T00-00-00Z-c"


@pytest.mark.parametrize("file", ["result.json", "runbook.json", "spread.json"])
def test_the_newest_run_may_be_of_any_kind_and_is_found_by_the_time_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    for name, kept in ((LATER, "result.json"), (LATEST, file), ("kept-for-later", "result.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / kept).write_text("{}")
    assert find_run(None).name == LATEST
    assert names() == ["kept-for-later", LATER, LATEST]


def test_a_newer_run_that_has_not_finished_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    for name, file in ((LATER, "result.json"), (LATEST, "journal.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    assert find_run(None).name == LATER
    assert unfinished_after(find_run(None)) == [LATEST]
    (tmp_path / LATEST / "runbook.json").write_text("{}")
    assert unfinished_after(tmp_path / LATER) == []


@pytest.mark.parametrize(
    ("name", "told"), [("matrix", "a matrix"), ("tune", "a comparison of patiences")]
)
def test_what_has_a_page_of_its_own_is_told_from_a_run(
    name: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(UsageError, match=f"is {told} and no run") as caught:
        find_run(str(tmp_path))
    assert f"its page: {tmp_path}/{name}.html" in str(caught.value)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("Bind for 127.0.0.1:5432 failed: port is already allocated", "127.0.0.1:5432 is taken"),
        ("failed: Pool overlaps with other one on this address space", "LAB_SUBNET"),
        ("write /x: no space left on device", "disk is full"),
        ("one\ntwo\nsomething new", "something new"),
    ],
)
def test_a_failure_of_compose_is_told_in_words(output: str, words: str) -> None:
    error = explained("region.yaml", output)
    assert words in str(error)
    assert error.exit_code == 3


def test_the_folder_of_a_run_that_never_began_is_removed(tmp_path: Path) -> None:
    never, began, live = (new_run(name, tmp_path) for name in "abc")
    (began / "journal.json").write_text("{}")
    (live / "runbook.json").write_text("{}")
    for folder in (never, began, live):
        with pytest.raises(MachineError), dropped_if_empty(folder):
            raise MachineError("no engine")
    assert not never.exists()
    assert began.exists()
    assert live.exists(), "a runbook's run that stopped in its first step says how it ended"
