"""Two made-up runs and a series, where the lab looks for them, and its command line on them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from made_up import journal
from several import a_run, a_series

from lab import cli
from lab.commands import terminal
from lab.records import checksums, journalfile, result, spread
from lab.report import folders, seriespages

RUN, OTHER, SERIES = "2026-01-02T03-00-00Z-a", "2026-01-03T03-00-00Z-a", "2026-01-04T03-00-00Z-a-x6"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that they lie in."""
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    for path, text in texts().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    for folder in tmp_path.iterdir():
        seal(folder)
    return tmp_path


def seal(folder: Path) -> None:
    """Write the sums of a run or series as it lies there, and in its place what is not made up."""
    names = [path.name for path in folder.iterdir() if path.suffix in {".json", ".csv"}]
    if (folder / "result.json").is_file():
        names = sorted({*names, *folders.summed(result.from_file(folder / "result.json"))})
    for path in (folder / name for name in names):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    checksums.write(folder, names)


@cache
def texts() -> dict[str, str]:
    """All files of the folder."""
    return {
        f"{RUN}/result.json": result.to_json(a_run(7)),
        f"{OTHER}/result.json": result.to_json(a_run(8)),
        f"{RUN}/journal.json": journalfile.to_json(journal()),
        f"{OTHER}/journal.json": journalfile.to_json(journal()),
        f"{SERIES}/spread.json": spread.to_json(a_series()),
        f"{SERIES}/spread.html": seriespages.spread(a_series()),
    }


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """A command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["lab", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    terminal.say.cache_clear()
    terminal.out.cache_clear()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)
