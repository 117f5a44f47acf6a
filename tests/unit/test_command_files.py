"""A command is found in the file that is named as it is typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lab import commands
from lab.commands.app import app

FOLDER = Path(commands.__file__).parent
HELPERS = {"app", "emptying", "handson", "onerun", "terminal"}


def typed(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, with the words that are typed for it."""
    if not hasattr(command, "commands"):
        yield words, command
    for name, each in getattr(command, "commands", {}).items():
        yield from typed(each, (*words, name))


TYPED = dict(typed(typer.main.get_command(app)))


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_a_command_is_in_the_file_that_is_named_as_it_is_typed(words: tuple[str, ...]) -> None:
    assert TYPED[words].callback.__module__ == ".".join(("lab.commands", *words))


def test_every_file_is_a_command_or_serves_several() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == {words[0] for words in TYPED if len(words) == 1} | HELPERS
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert folders == {words[0] for words in TYPED if len(words) > 1} | {"parsing"}
