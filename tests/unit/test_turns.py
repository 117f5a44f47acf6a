"""A later command's turn: what an earlier one left under way is waited for, or refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.core.errors import Busy
from lab.core.topology import PLACES
from lab.infra import changetoken, settings
from lab.testbed import turns

NAME = "turns"
HOLDER = """
from lab.testbed import turns
with turns.exclusive("turns", "inject something"):
    print("held", flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    return tmp_path


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(turns, "pause", made.append)
    monkeypatch.setattr(turns, "Engine", lambda _: SimpleNamespace(
        each=lambda places, act: list(map(act, places)), close=lambda: None,
        ending=lambda _: bool(made.append(0.0)) or len(made) <= 3,
        toolbox=lambda: SimpleNamespace(clear=lambda: None),
    ))  # fmt: skip
    return made


def _broken_off(with_signal: signal.Signals) -> None:
    """A command that had the lab, and did not come to its end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(with_signal)
        process.wait(timeout=60)


def _exists() -> None:
    file = settings.settings_file(NAME)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_command_after_one_that_was_broken_off_waits_for_what_is_under_way(
    how: signal.Signals, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    _exists()
    _broken_off(how)
    with turns.exclusive(NAME, "heal"):
        assert pauses[:1] == [turns._UNDER_WAY_SECONDS]
        assert len(pauses) > len(PLACES)  # asked until each of them had told the truth
        pauses.clear()
    assert "inject something" in " ".join(capsys.readouterr().err.split())
    with turns.exclusive(NAME, "look again"):
        assert pauses == []


def test_a_command_that_ended_or_failed_is_not_waited_for(pauses: list[float]) -> None:
    _exists()
    with pytest.raises(ValueError, match="in words"), turns.exclusive(NAME, "fail"):
        raise ValueError("in words")
    with turns.exclusive(NAME, "heal"):
        assert pauses == []


def test_there_is_nothing_to_wait_for_where_there_is_no_lab(pauses: list[float]) -> None:
    _broken_off(signal.SIGKILL)
    with turns.exclusive(NAME, "bring the lab up"):
        assert pauses == []


def test_each_command_has_a_higher_number_than_all_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([1_000, 2_000, 2_000, 1_500, 9_000, 9_000])  # it may stand still, or be set back
    monkeypatch.setattr(changetoken.time, "time_ns", lambda: next(clock) * 1_000_000)
    assert [changetoken.take(NAME) for _ in range(4)] == [1_000, 2_000, 2_001, 2_002]
    changetoken.forget(NAME)
    assert changetoken.current(NAME) == 0
    assert changetoken.take(NAME) == 9_000
    with turns.exclusive(NAME, "heal"):
        assert changetoken.current(NAME) == 9_001


def test_a_number_that_was_damaged_is_no_obstacle() -> None:
    changetoken.file_of(NAME).parent.mkdir(parents=True)
    changetoken.file_of(NAME).write_text("none\n")
    assert changetoken.current(NAME) == 0
    assert changetoken.take(NAME) == changetoken.current(NAME) > 0


def test_a_run_that_waits_for_a_person_lets_others_break_the_lab_and_lead_it_not() -> None:
    with turns.exclusive(NAME, "run the runbook drain") as turn:
        with pytest.raises(Busy, match="to run the runbook drain"), turns.amid(NAME, "break"):
            pass
        with turn.rest():
            with turns.amid(NAME, "inject a fault"):
                pass
            with pytest.raises(Busy, match="to run the runbook"), turns.exclusive(NAME, "end"):
                pass
        with pytest.raises(Busy), turns.amid(NAME, "break"):
            pass


def test_a_run_that_has_rested_has_a_turn_of_its_own_again() -> None:
    with turns.exclusive(NAME, "run a runbook") as turn:
        with turn.rest(), turns.amid(NAME, "inject a fault"):
            theirs = changetoken.current(NAME)
        assert changetoken.current(NAME) > theirs
