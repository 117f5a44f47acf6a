"""Commands that the lab advises: as they are typed here, for the lab that is meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from lab import cli
from lab.commands import terminal
from lab.commands.app import app
from lab.core import console, words
from lab.core.console import Say
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.testbed import wayback

ROOT = Path(__file__).parents[2]


def commands(group: TyperGroup, called: str = "lab") -> Iterator[tuple[str, bool]]:
    """Every command as it is typed, and whether it takes the name of a lab."""
    for name, each in group.commands.items():
        if isinstance(each, TyperGroup):
            yield from commands(each, f"{called} {name}")
        else:
            yield f"{called} {name}", any("--name" in param.opts for param in each.params)


def started_by(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [path])


@pytest.fixture
def heard(capfd: pytest.CaptureFixture[str]) -> Iterator[Say]:
    terminal.say.cache_clear()
    yield terminal.say()
    terminal.say.cache_clear()


def test_every_command_is_told_by_its_path_and_names_the_lab_if_it_takes_a_name() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for command, named in commands(group):
        typed = words.typed(f"see: {command} x; or not", ".venv/bin/lab", " --name other")
        flag = " --name other" if named else ""
        assert typed == f"see: .venv/bin/{command}{flag} x; or not"


@pytest.mark.parametrize("text", [
    "the lab up there", "bring the lab up", "what this lab reset", "lab 'other' is not up",
    "the lab's status", "lab.reset", "the lab reports", "a lab that is up",
])  # fmt: skip
def test_a_word_about_a_lab_is_no_command(text: str) -> None:
    assert words.typed(text, ".venv/bin/lab", " --name other") == text


def test_a_command_that_names_a_lab_names_no_second_one() -> None:
    assert words.typed("lab down --name old", "lab", " --name other") == "lab down --name old"


def test_a_program_that_no_shell_finds_is_called_by_the_path_that_it_was_started_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "lab"
    for path in (".venv/bin/lab", str(program)):
        started_by(path, monkeypatch)
        assert console.called() == path
    program.touch(mode=0o755)
    assert console.called() == "lab"  # found, and the very program
    started_by(".venv/bin/lab", monkeypatch)
    assert console.called() == ".venv/bin/lab"  # another one is found
    started_by("/somewhere/lab/__main__.py", monkeypatch)
    assert console.called() == "lab"


def test_all_that_is_said_names_the_lab_that_is_meant(
    heard: Say, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started_by("bin/lab", monkeypatch)
    assert terminal.chosen_name("other") == "other"
    heard.note("end it with: lab fault heal --all")
    heard.warn(wayback.way(WEST_DB1, EAST_DB1))
    heard.error("no\n  → see: lab status, lab report RUN")
    assert capfd.readouterr().err.splitlines() == [
        "  end it with: bin/lab fault heal --name other --all",
        "! The failback: bin/lab runbook run --name other failback",
        "error: no",
        "  → see: bin/lab status --name other, bin/lab report --name other RUN",
    ]
    terminal.chosen_name("lab")
    heard.note("see: lab status")
    assert capfd.readouterr().err == "  see: bin/lab status\n"


def test_a_lab_that_is_not_up_is_brought_up_by_a_command_that_works(
    heard: Say, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/lab", "status", "--name", "nowhere"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit):
        cli.main()
    assert "run: .venv/bin/lab up --name nowhere\n" in capfd.readouterr().err


def test_no_command_chooses_a_lab_and_says_nothing_of_it() -> None:
    files = [*(ROOT / "lab" / "commands").rglob("*.py")]
    choose = [each.name for each in files if re.search(r"settings\.chosen_name", each.read_text())]
    assert choose == ["terminal.py"]
