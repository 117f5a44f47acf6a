"""How far a runbook has come, kept between processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import orders, progress
from lab.progress import Progress
from lab.runbook import Call

RUNBOOK = orders.runbook("SPWTR")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))


def test_what_is_kept_is_read_back_and_forgotten() -> None:
    assert progress.kept("lab") is None
    progress.keep("lab", Progress("x", "m").further())
    assert progress.kept("lab") == Progress("x", "m", 1)
    progress.forget("lab")
    progress.forget("lab")
    assert progress.kept("lab") is None


@pytest.mark.parametrize("text", ["", "{", '{"runbook": 1}', "\x00"])
def test_a_damaged_note_is_none(text: str) -> None:
    progress.keep("lab", Progress("x", "m"))
    progress.note_of("lab").write_text(text)
    assert progress.kept("lab") is None


def test_the_mark_changes_with_the_steps_and_not_with_the_title() -> None:
    mark = progress.mark_of(RUNBOOK)
    assert progress.mark_of(replace(RUNBOOK, title="another", name="other")) == mark
    assert progress.mark_of(replace(RUNBOOK, steps=RUNBOOK.steps[1:])) != mark
    first = Call("stop-writes", {"where": "lost"})
    assert progress.mark_of(replace(RUNBOOK, steps=(first, *RUNBOOK.steps[1:]))) != mark
