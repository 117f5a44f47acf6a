"""Documents with damage in them: each is refused in words, with the file and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kept_runs import OTHER, RUN, SERIES, run, shelf

folder = shelf
Raw = Callable[[pytest.MonkeyPatch, Path], None]
DIGITS = "9" * 400

RESULTS = {
    "no number": (("rpo_seconds",), "NaN", "rpo_seconds: no finite number"),
    "an infinite number": (("duration",), "Infinity", "duration: no finite number"),
    "a number beyond all": (("duration",), "1e999", "duration: no finite number"),
    "a number of 400 digits": (("duration",), DIGITS, "duration: no finite number"),
    "a count of 400 digits": (("lost",), DIGITS, "lost: not below 9,007,199,254,740,992"),
    "a negative count": (("acknowledged",), "-1", "acknowledged: less than 0"),
    "a negative time": (("rto_seconds", "east"), "-1", "rto_seconds, east: less than 0 →"),
    "text for a number": (("lost",), '"5"', "lost: no whole number"),
    "true for a number": (("recovered",), "true", "recovered: no whole number"),
    "true for a time": (("rto_window",), "true", "rto_window: no number"),
    "half a count": (("lost",), "2.5", "lost: no whole number"),
    "a seed of 400 digits": (("seed",), DIGITS, "seed: not below 9,007,199,254,740,992"),
    "another lost write": (
        ("lost_ids", 0), '"east-x"', "an entry of lost_ids is east-x, but lost_writes has there ",
    ),
    "nothing": (("winner",), "null", "winner: no text"),
    "a time that no run has": (("marks", "detected"), "1e10", "marks, detected: more than 604,800"),
    "a row of no number": (
        ("traffic", 3, "count"), "NaN", "traffic 3, count: no whole number",
    ),
    "a setting that is no number": (
        ("settings", "writes_per_second"), "Infinity",
        "settings, writes_per_second: neither a text nor a finite number",
    ),
    "an unknown verdict": (("verdict",), '"fine"', "verdict: none of 'pass', 'unknown' or 'fail'"),
    "a verdict that the objectives do not have": (
        ("verdict",), '"unknown"', "verdict is unknown, but the worst of the objectives is",
    ),
    "an objective of another figure": (
        ("objectives", 0, "found"), "1.25", "the objective rto_seconds is 1.25, but the figure is",
    ),
    "an objective that does not hold": (
        ("objectives", 0, "limit"), "0.001", "the objective rto_seconds is pass, but it found",
    ),
    "a population without a row": (("populations",), "[]", "populations is [], but with those of"),
    "another count of lost writes": (("lost",), "5", "lost is 5, but the number of lost_ids is"),
    "another count of acknowledged writes": (
        ("acknowledged",), "7", "acknowledged is 7, but outcomes told ok",
    ),
    "no witness": (
        ("objectives", 0, "name"), '"tide_agrees"',
        "the objective tide_agrees is pass, but its opinion is missing",
    ),
    "a population without a record": (
        ("unheard",), '["east"]', "record_gaps is none, but populations without a record: 1",
    ),
    "a list for an object": (("machine",), "[]", "machine: no object"),
    "an object for a list": (("steps",), "{}", "steps: no list"),
}  # fmt: skip

JOURNALS = {
    "no number": (("events", 3, "at"), "NaN", "events 3, at: no finite number"),
    "text for a number": (("events", 3, "at"), '"5"', "events 3, at: no number"),
    "true for a number": (("steps", 0, "ended"), "true", "steps 0, ended: no number"),
    "a time before the boot": (("events", 0, "at"), "-1e10", "since it booted"),
    "a time far beyond": (("events", 0, "at"), "1e308", "since it booted"),
    "a time a year off": (("events", 0, "at"), "3e7", "further apart than a week"),
    "a step that ends before it starts": (
        ("steps", 1, "ended"), "0", "the step 'confirm' ends before it starts",
    ),
    "an unknown mark": (("events", 0, "name"), '"begun"', "events 0, name: none of"),
    "no events": (("events",), "7", "events: no list"),
}  # fmt: skip

SPREADS = {
    "no number": (("spread", 0, "median"), "NaN", "spread 0, median: no finite number"),
    "a median that is none": (("spread", 0, "median"), "1.5", "the spread of acknowledged is not"),
    "a figure of a run": (("runs", 0, "figures", "lost"), "0.5", "the spread of lost is not"),
    "a figure too many": (("runs", 0, "figures", "x"), "1", "other figures than its runs"),
    "another verdict": (("verdict",), '"pass"', "verdict is pass, and not the worst"),
    "another count": (("verdicts", "pass"), "9", "verdicts are not those of the runs"),
    "a negative count": (("asked",), "-2", "asked: less than 0"),
    "text for a number": (("asked",), '"5"', "asked: no whole number"),
}


def damaged(path: Path, where: tuple[str | int, ...], text: str) -> None:
    """Put a text in the place of one value of a document."""
    document = json.loads(path.read_text())
    inside: Any = document
    for each in where[:-1]:
        inside = inside[each]
    inside[where[-1]] = "HERE"
    path.write_text(json.dumps(document).replace('"HERE"', text))


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """What is said by a command that ends with exit code 2 or 3."""
    assert run(monkeypatch, *arguments) in {2, 3}
    told = capsys.readouterr()
    assert told.out == ""
    assert "\u2192" in told.err, "what to do is missing"
    return " ".join(told.err.split())


@pytest.mark.parametrize(("where", "text", "told"), RESULTS.values(), ids=RESULTS)
def test_a_result_with_a_figure_that_is_none_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    where: tuple[str | int, ...], text: str, told: str,
) -> None:  # fmt: skip
    damaged(folder / RUN / "result.json", where, text)
    said = refused(monkeypatch, capsys, "report", "--compare", OTHER, RUN)
    assert "result.json is no result of this lab" in said
    assert told in said


@pytest.mark.parametrize(("where", "text", "told"), JOURNALS.values(), ids=JOURNALS)
def test_a_journal_with_a_time_that_is_none_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    where: tuple[str | int, ...], text: str, told: str,
) -> None:  # fmt: skip
    damaged(folder / RUN / "journal.json", where, text)
    said = refused(monkeypatch, capsys, "report", RUN)
    assert "journal.json is no journal" in said
    assert told in said


@pytest.mark.parametrize(("where", "text", "told"), SPREADS.values(), ids=SPREADS)
def test_a_series_whose_figures_are_not_those_of_its_runs_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    where: tuple[str | int, ...], text: str, told: str,
) -> None:  # fmt: skip
    damaged(folder / SERIES / "spread.json", where, text)
    said = refused(monkeypatch, capsys, "report", SERIES)
    assert "spread.json is no series of this lab" in said
    assert told in said


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
@pytest.mark.parametrize("name", ["result.json", "journal.json"])
def test_a_file_that_is_no_document_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, text: bytes,
) -> None:  # fmt: skip
    (folder / RUN / name).write_bytes(text)
    assert name in refused(monkeypatch, capsys, "report", RUN)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_that_leads_nowhere(path: Path) -> None:
    path.symlink_to("gone")


@pytest.mark.parametrize("made", [a_folder, a_loop, a_link_that_leads_nowhere])
@pytest.mark.parametrize(
    ("run_name", "name"),
    [(RUN, "result.json"), (RUN, "journal.json"), (RUN, "report.html"), (SERIES, "spread.json"),
     (SERIES, "spread.html")],
)  # fmt: skip
def test_what_stands_in_the_place_of_a_file_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    made: Callable[[Path], None], run_name: str, name: str,
) -> None:  # fmt: skip
    path = folder / run_name / name
    path.unlink(missing_ok=True)
    made(path)
    assert str(path) in refused(monkeypatch, capsys, "report", run_name)
    assert not (folder / run_name / "gone").exists()


def test_a_page_of_a_comparison_that_cannot_be_written_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / OTHER / "compare.html").mkdir()
    assert "compare.html" in refused(monkeypatch, capsys, "report", "--compare", RUN, OTHER)


@pytest.mark.parametrize("name", ["x" * 5_000, "x/" * 2_500, "..\x01"])
def test_a_name_that_no_folder_can_have_is_answered_briefly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for command in (("report", name), ("report", "--compare", RUN, name), ("reconcile", name)):
        said = refused(monkeypatch, capsys, *command)
        assert "there is no finished run" in said
        assert len(said) < 300
