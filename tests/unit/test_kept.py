"""Runs and series in their folders: found, checked, and shown anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_runs import OTHER, RUN, SERIES, run, shelf
from several import a_run

from lab.core.errors import MachineError, UsageError
from lab.records import result
from lab.records.result import Result
from lab.records.runfolders import find_run, names, new_series
from lab.records.spread import Series
from lab.report import folders

folder = shelf


def test_runs_and_series_are_found_by_name_and_the_newest_of_them_without(folder: Path) -> None:
    assert find_run(None) == folder / SERIES
    assert isinstance(folders.load(SERIES)[1], Series)
    assert isinstance(folders.load(str(folder / RUN))[1], Result)
    assert names() == [RUN, OTHER, SERIES]


def test_a_run_that_did_not_finish_is_told_from_one_that_never_was(folder: Path) -> None:
    (folder / RUN / "result.json").unlink()
    with pytest.raises(UsageError, match="did not finish: it has a journal"):
        find_run(RUN)
    with pytest.raises(UsageError, match=f"did you mean {OTHER}"):
        find_run("2026-01-03T03-00-00Z-b")
    with pytest.raises(UsageError, match="see: ls"):
        find_run("nothing-like-it")


def test_files_of_two_runs_in_one_folder_are_refused(folder: Path) -> None:
    mixed = result.to_json(a_run(7, boot_id="0f1e2d3c-0000-4000-8000-00000000beef"))
    (folder / RUN / "result.json").write_text(mixed)
    with pytest.raises(UsageError, match="holds files of two runs"):
        folders.load(RUN)
    (folder / RUN / "journal.json").unlink()
    assert folders.run_of(folder / RUN).boot_id in mixed


@pytest.mark.parametrize("name", [RUN, SERIES])
def test_a_run_or_series_without_its_checksums_has_no_verdict(folder: Path, name: str) -> None:
    folders.load(name)
    (folder / name / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="SHA256SUMS is gone: nothing tells what else is"):
        folders.load(name)


def test_a_result_of_an_older_schema_is_refused(folder: Path) -> None:
    path = folder / RUN / "result.json"
    path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    with pytest.raises(UsageError, match="is of result schema 1, but this lab reads schema 2"):
        folders.side(RUN)


def test_two_series_in_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    first, second = new_series("zone-loss", 3, tmp_path), new_series("zone-loss", 3, tmp_path)
    assert first != second
    assert first.name.endswith("-zone-loss-x3")
    with pytest.raises(MachineError, match="LAB_RUNS"):
        new_series("zone-loss", 3, Path("/proc/nowhere"))


# --- lab report --------------------------------------------------------------------------------


def test_report_writes_the_page_of_a_series_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / SERIES / "spread.html"
    page.unlink()
    assert run(monkeypatch, "report", SERIES) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert "East is gone, 6 runs" in page.read_text()


def test_the_newest_run_is_shown_and_a_newer_one_that_did_not_finish_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / OTHER / "result.json").unlink()
    (folder / SERIES).rename(folder / "kept")
    assert run(monkeypatch, "report") == 0
    told = capsys.readouterr()
    assert told.out == f"{folder / RUN}/report.html\n"
    assert f"{OTHER} is newer, but has no result: it was cut" in " ".join(told.err.split())


@pytest.mark.parametrize(("first", "second"), [(RUN, OTHER), (SERIES, OTHER), (RUN, SERIES)])
def test_compare_prints_a_table_and_writes_a_page_into_the_second_folder(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first: str,
    second: str,
) -> None:
    assert run(monkeypatch, "report", "--compare", first, second) == 0
    text = capsys.readouterr().out
    assert "RTO, slowest users" in text
    assert f"page  {folder / second}/compare.html" in text
    page = (folder / second / "compare.html").read_text()
    assert f'href="../{first}/' in page


def test_the_page_goes_where_it_is_wanted_and_its_links_still_lead_to_the_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = folder / "here.html"
    assert run(monkeypatch, "report", "--compare", RUN, OTHER, "--out", str(wanted)) == 0
    assert f'href="{RUN}/report.html"' in wanted.read_text()
    assert not (folder / OTHER / "compare.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("--compare", RUN, "nothing"), 2, "no finished run 'nothing'"),
        (("--compare", RUN), 2, "--compare needs 2 values"),
        ((RUN, "--compare", RUN, OTHER), 2, "takes two runs"),
        (("--out", "x.html"), 2, "--compare and --post-mortem alone"),
        (("--recompute", "--post-mortem"), 2, "--recompute and --post-mortem are both given"),
        ((SERIES, "--post-mortem"), 2, "is a series and no run"),
        (("--compare", RUN, OTHER, "--out", "/proc/nowhere/x.html"), 2, "there is no folder"),
    ],
)
def test_wrong_input_to_report_is_answered_in_words(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    hint: str,
) -> None:
    assert run(monkeypatch, "report", *arguments) == code
    told = capsys.readouterr()
    assert hint in told.err
    assert told.out == ""
