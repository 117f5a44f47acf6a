"""Which rows of live tests run by commit: the one that always does, and all in eight turns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import budget
import pytest
from chooser import ALL, COMMIT, PARTS, Row, chosen, told, turn_of

ROWS = [Row("faults", f"fault-{number}", always=number == 3) for number in range(33)]
DRILLS = [Row("drills", "region-loss", always=True), Row("drills", "lag"), Row("drills", "zone")]


def others(turn: int, rows: list[Row]) -> set[Row]:
    return {each for each in chosen(rows, COMMIT, turn) if not each.always}


@pytest.mark.parametrize("turn", [0, 5, 2**160])
def test_any_eight_turns_in_a_row_run_every_row_once(turn: int) -> None:
    runs = [others(turn + later, ROWS + DRILLS) for later in range(PARTS)]
    assert set().union(*runs) == {each for each in ROWS + DRILLS if not each.always}
    assert sum(len(each) for each in runs) == len(ROWS + DRILLS) - 2


@pytest.mark.parametrize("turn", range(PARTS))
def test_the_row_that_always_runs_does_and_of_the_others_an_eighth(turn: int) -> None:
    assert {ROWS[3], DRILLS[0]} <= chosen(ROWS + DRILLS, COMMIT, turn)
    assert len(others(turn, ROWS)) == 4
    assert len(others(turn, DRILLS)) <= 1


def test_the_choice_depends_on_the_names_and_not_on_their_order() -> None:
    assert chosen(ROWS, COMMIT, 6) == chosen(ROWS[::-1], COMMIT, 6)


def test_all_rows_or_those_that_are_named_run_when_asked_for() -> None:
    assert chosen(ROWS + DRILLS, ALL, 0) == set(ROWS + DRILLS)
    assert chosen(ROWS + DRILLS, "lag,fault-1?", 0) == {DRILLS[1], *ROWS[10:20]}
    with pytest.raises(ValueError, match="no row is called 'lagg'"):
        chosen(DRILLS, "lag,lagg", 0)


def test_the_header_says_what_runs_what_waits_and_how_to_run_all() -> None:
    lines = told(DRILLS, frozenset(DRILLS[:2]))
    assert lines[:2] == ["drills: 2 of 3 run: lag, region-loss*", "  wait: zone"]
    assert "make test-all" in lines[2]
    assert told(DRILLS, frozenset(DRILLS)) == ["drills: 3 of 3 run: lag, region-loss*, zone"]


def test_two_commits_have_different_turns_and_no_git_has_the_first(tmp_path: Path) -> None:
    assert turn_of(tmp_path) == 0
    git = ("git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run([*git, "init", "--quiet"], check=True)
    for turn in (1, 2):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "some"], check=True)
        assert turn_of(tmp_path) == turn


def test_each_family_of_live_tests_has_a_row_that_always_runs() -> None:
    """The rows themselves, as they are collected: a misspelt name would drop one in silence."""
    drills = Path(__file__).parents[1] / "drill"
    command = [sys.executable, "-m", "pytest", "--collect-only", str(drills)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    families = [line for line in ran.stdout.splitlines() if " run: " in line]
    assert len(families) >= 7, ran.stdout + ran.stderr
    assert [line for line in families if "*" not in line] == []


def test_a_file_over_its_budget_is_marked_and_the_quick_ones_share_a_line() -> None:
    spent = {"tests/unit/test_a.py": 21.0, "tests/drill/test_b.py": 9.0, "tests/unit/test_c.py": 1}
    assert budget.over(spent) == ["tests/unit/test_a.py"]
    assert budget.table(spent) == [
        "    21 of   20 s  tests/unit/test_a.py  OVER",
        "     9 of   60 s  tests/drill/test_b.py",
        "     1            1 other files",
    ]
