"""`lab report --recompute`: every figure again from the raw record of a run, beside its result."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import packed
import pytest
from kept_runs import OTHER, SERIES, run, shelf

from lab.records import checksums, result
from lab.records.result import Result

folder = shelf
DRILLED = "2026-01-05T03-00-00Z-region-loss"
Capture = pytest.CaptureFixture[str]


@cache
def drilled() -> Path:
    """A recorded run, with a made-up log of the machine that died: the lost orders' commits."""
    made = Path(mkdtemp(prefix="lab-recompute-"))
    packed.with_orphans("region-loss", made)
    return made


@cache
def without_loss() -> Path:
    """A recorded run that lost nothing."""
    made = Path(mkdtemp(prefix="lab-recompute-"))
    packed.as_left("zone-loss", made)
    return made


@pytest.fixture
def drill(folder: Path) -> Path:
    """Its folder, among others; a copy that may be damaged."""
    return Path(shutil.copytree(drilled(), folder / DRILLED))


def recompute(patch: pytest.MonkeyPatch, capsys: Capture) -> tuple[int, str, str]:
    """Exit code, results and messages, each as one line."""
    code = run(patch, "report", "--recompute", DRILLED)
    told = capsys.readouterr()
    return code, " ".join(told.out.split()), " ".join(told.err.split())


def written(drill: Path) -> Result:
    return result.from_file(drill / "result.json")


# --- The same ------------------------------------------------------------------------------------


def test_a_run_as_the_drill_left_it_has_the_same_figures(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    code, out, err = recompute(monkeypatch, capsys)
    assert code == 0
    assert re.fullmatch(r"all [\d,]+ figures are the same", out)
    assert err == ""
    assert {each.name: each.verdict for each in written(drill).opinions}["wal"] == "pass"


def test_the_checksums_name_every_raw_file_and_the_result(drill: Path) -> None:
    listed = {line.split("  ")[1] for line in (drill / "SHA256SUMS").read_text().splitlines()}
    assert listed >= {
        "inputs.json", "disks.json", "journal.json", "history.jsonl", "stopwatch.jsonl",
        "reads/west_db1.parquet", "reads/east_db1.parquet", "result.json", "orphans.csv",
    }  # fmt: skip
    assert checksums.changed(drill) == {}


def test_a_run_without_checksums_says_so(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (drill / "SHA256SUMS").unlink()
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 0
    assert "there is no SHA256SUMS" in out


# --- Differences ---------------------------------------------------------------------------------


def test_a_figure_that_was_changed_is_shown_beside_the_computed_one(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path, found = drill / "result.json", written(drill)
    changed = found.model_copy(update={"rpo_wal_bytes": 125})
    path.write_text(result.to_json(changed))
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert f"rpo_wal_bytes 125 {found.rpo_wal_bytes}" in out
    assert "file result.json changed" in out
    assert "2 differences" in out
    assert run(monkeypatch, "report", DRILLED) == 2
    told = capsys.readouterr()
    assert "result.json is changed: it is not what the lab wrote" in told.err
    assert f"lab report --recompute {drill}" in told.err.replace("\n", "")


def test_damage_to_the_raw_record_shows_in_the_figures(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "history.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for n, line in enumerate(lines) if n % 10 or n < 10))
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert "file history.jsonl changed" in out
    assert f"acknowledged {written(drill).acknowledged} " in out


def test_a_stopwatch_record_that_is_gone_shows_in_the_second_opinion(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (drill / "stopwatch.jsonl").unlink()
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert "file stopwatch.jsonl gone" in out
    assert "verdict pass unknown" in out


Lines = list[bytes]
CUTS: dict[str, Callable[[Lines], Lines]] = {
    "the beginning": lambda lines: [*lines[:1], *lines[600:]],
    "the beginning and the header": lambda lines: lines[600:],
    "one of the middle": lambda lines: [*lines[:300], *lines[301:]],
    "the end": lambda lines: lines[:-50],
    "a part of the last": lambda lines: [*lines[:-1], lines[-1][:20]],
    "one, and another is there twice": lambda lines: [*lines[:300], lines[1], *lines[301:]],
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_lines_that_the_stopwatchs_record_lacks_show_without_checksums(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, cut: Callable[[Lines], Lines]
) -> None:
    path = drill / "stopwatch.jsonl"
    path.write_bytes(b"".join(cut(path.read_bytes().splitlines(keepends=True))))
    (drill / "SHA256SUMS").unlink()
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert "verdict pass unknown" in out


def test_a_run_that_did_not_count_its_records_is_computed_again(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "inputs.json"
    document = json.loads(path.read_text())
    del document["entries"]
    path.write_text(json.dumps(document))
    (drill / "SHA256SUMS").unlink()
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 0
    assert "figures are the same" in out


def test_a_changed_file_counts_even_where_no_figure_does(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "inputs.json"
    path.write_text(path.read_text() + "\n")
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert "file inputs.json changed" in out
    assert "1 difference," in out


def test_orphans_that_are_not_those_of_the_record_are_a_difference(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "orphans.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    (drill / "SHA256SUMS").unlink()
    lost = written(drill).lost
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert f"orphans.csv {lost - 1} orders {lost} orders, not these" in out


@pytest.mark.parametrize("name", ["orphans.csv", "orphans.sql"])
def test_a_file_of_orphans_that_the_run_did_not_write_is_a_difference(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str
) -> None:
    text = (drill / name).read_text()
    shutil.rmtree(drill)
    shutil.copytree(without_loss(), drill)
    (drill / name).write_text(text)
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert re.search(rf"{re.escape(name)} \d+ (orders|lines) nothing", out)
    assert "1 difference," in out


def test_a_changed_sql_file_of_orphans_is_a_difference(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "orphans.sql"
    path.write_text(path.read_text().replace("COMMIT", "ROLLBACK"))
    (drill / "SHA256SUMS").unlink()
    code, out, _ = recompute(monkeypatch, capsys)
    assert code == 1
    assert re.search(r"orphans\.sql (\d+) lines \1 lines, not these", out)


# --- Checksums that do not name all of a run ------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["stopwatch.jsonl", "history.jsonl", "reads/west_db1.parquet", "orphans.csv", "orphans.sql",
     "inputs.json", "result.json"],
)  # fmt: skip
def test_checksums_that_lack_a_file_of_the_run_are_refused(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str
) -> None:
    path = drill / "SHA256SUMS"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.endswith(f"  {name}\n")))
    for command in (("report",), ("report", "--compare", DRILLED)):
        assert run(monkeypatch, *command, DRILLED) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"{name} is not listed in SHA256SUMS: it is not what the lab wrote" in told


# --- Nothing can be computed ---------------------------------------------------------------------

RAW = ("inputs.json", "disks.json", "journal.json", "history.jsonl", "reads/west_db1.parquet")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def nonsense(path: Path) -> None:
    path.write_bytes(b"\x00\xff nonsense\n" * 9)


def nothing(path: Path) -> None:
    path.touch()


def gone(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize("damage", [gone, nothing, nonsense, a_folder, a_loop])
@pytest.mark.parametrize("name", (*RAW, "SHA256SUMS"))
def test_a_raw_file_that_is_none_is_named(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture,
    name: str, damage: Callable[[Path], None],
) -> None:  # fmt: skip
    if (name, damage) == ("SHA256SUMS", gone):
        return  # an older run: see above
    (drill / name).unlink()
    damage(drill / name)
    code, out, err = recompute(monkeypatch, capsys)
    assert code == 2
    assert out == ""
    assert name in err
    assert "→" in err


def test_a_run_without_its_raw_record_says_what_it_lacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in ("inputs.json", "disks.json", "history.jsonl"):
        (folder / OTHER / name).unlink()
    assert run(monkeypatch, "report", "--recompute", OTHER) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "has no inputs.json, no disks.json, no history.jsonl" in err
    assert "its figures cannot be computed again" in err


def test_times_that_are_a_year_apart_are_refused_and_fill_no_memory(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = drill / "journal.json"
    document = json.loads(path.read_text())
    for each in (*document["events"], *document["steps"]):
        each |= {name: each[name] + 3e7 for name in ("at", "started", "ended") if name in each}
    path.write_text(json.dumps(document))
    code, _, err = recompute(monkeypatch, capsys)
    assert code == 2
    assert "further apart than a week" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--recompute", SERIES), "is a series and no run"),
     (("--recompute", "--compare", OTHER, DRILLED), "both given"),
     (("--recompute", "nothing"), "no finished run 'nothing'")],
)  # fmt: skip
def test_what_cannot_be_computed_again_is_wrong_usage(
    drill: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture,
    arguments: tuple[str, ...], told: str,
) -> None:  # fmt: skip
    assert run(monkeypatch, "report", *arguments) == 2
    assert told in capsys.readouterr().err
