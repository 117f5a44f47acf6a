"""Run folders with one damage each: a clear error, a difference that is shown, or the right figure.

A few of them; `python tests/endurance damage 600` makes as many as one likes.
"""

from __future__ import annotations

import os

import packed
import pytest
from damaged.held import looked_at, said, sound_one
from damaged.shelf import Case, damaged, laid_out
from damaged.ways import WAYS

SEEDS = range(6)
PARTS = ("history.jsonl", "stopwatch.jsonl", "journal.json", "disks.json", "reads/west_db1.parquet")


def test_no_damage_ends_as_unexpected_or_as_another_figure() -> None:
    for seed in SEEDS:
        with damaged(seed) as case:
            assert looked_at(case) == (), case.told


def test_the_damages_are_those_of_their_seed() -> None:
    cases: list[Case] = []
    for _ in range(2):
        with damaged(5) as case:
            cases.append(case)
    assert cases[0] == cases[1]
    assert len({way.name for way in WAYS}) == len(WAYS)


def test_commands_on_a_sound_folder_have_results() -> None:
    found = sound_one("region-loss", summed=True)
    assert {command: told.code for command, told in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.parametrize("base", [*packed.names(), "series"])
def test_nothing_but_a_new_computation_has_results_where_the_checksums_are_gone(base: str) -> None:
    found = sound_one(base, summed=False)
    wanted = dict.fromkeys(found, 2) | ({} if base == "series" else {"recompute": 0})
    assert {command: told.code for command, told in found.items()} == wanted
    assert "SHA256SUMS is gone" in found["report"].err


@pytest.mark.parametrize("part", PARTS)
def test_no_report_has_a_verdict_where_a_part_of_the_record_is_missing(part: str) -> None:
    with laid_out("region-loss", summed=True) as folder:
        (folder / part).unlink()
        for command in ("report", "compare"):
            told = said(command, folder.name)
            assert (told.code, told.out) == (2, "")
            assert f"{part} is gone: it is not what the lab wrote" in told.err
            assert "lab report --recompute" in told.err


@pytest.mark.parametrize(
    ("command", "page", "code"),
    [("report", "report.html", 3), ("compare", "report.html", 0), ("compare", "compare.html", 3)],
)
def test_a_loop_of_links_in_the_place_of_a_page_is_named_where_the_page_is_written(
    command: str, page: str, code: int
) -> None:
    with laid_out("region-loss", summed=True) as folder:
        (folder / page).unlink(missing_ok=True)
        (folder / page).symlink_to(page)
        told = said(command, folder.name)
    assert told.code == code
    assert "unexpected" not in told.err
    assert not code or page in told.err


@pytest.mark.parametrize(
    ("name", "command", "code"),
    [("history.jsonl", "recompute", 2), ("reads/west_db1.parquet", "recompute", 2),
     ("stopwatch.jsonl", "recompute", 1), ("report.html", "report", 3)],
)  # fmt: skip
def test_a_pipe_in_the_place_of_a_file_is_named_and_waits_for_no_reader(
    name: str, command: str, code: int
) -> None:
    with laid_out("region-loss", summed=True) as folder:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
        told = said(command, folder.name)
    assert told.code == code
    assert code == 1 or name in told.err
