"""Every list of the command line: aligned columns and one line a row, in terminals and in pipes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.cells import cell_len

from lab.commands import terminal
from lab.commands.app import app
from lab.core.console import Terminal


def lists(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """What is typed for each list: commands, and options, whose help begins with "List"."""
    if (command.help or "").startswith("List "):
        yield words
    for each in command.params:
        if (getattr(each, "help", "") or "").startswith("List "):
            yield (*words, each.opts[0])
    for name, each in getattr(command, "commands", {}).items():
        yield from lists(each, (*words, name))


LISTS = [*lists(typer.main.get_command(app))]


def printed(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], width: int, *, piped: bool = False
) -> str:
    """What a list prints in a terminal of that width, or in a pipe."""
    text = io.StringIO()
    console = Terminal(file=text, force_terminal=not piped, width=width, color_system=None)
    monkeypatch.setattr(terminal, "out", lambda: console)
    monkeypatch.setattr("sys.stdout", text)
    app([*words], standalone_mode=False)
    return text.getvalue()


def test_the_tree_of_commands_has_the_lists_that_are_known() -> None:
    known = {("drill", "--list"), ("fault", "list"), ("runbook", "list"), ("runbook", "steps")}
    assert known <= {*LISTS}


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
@pytest.mark.parametrize(("width", "piped"), [(80, False), (120, False), (80, True), (120, True)])
def test_each_row_of_a_list_is_one_line_with_its_name_and_aligned_columns(
    words: tuple[str, ...], width: int, piped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [each["name"] for each in json.loads(printed(monkeypatch, (*words, "--json"), width))]
    head, *rows = printed(monkeypatch, words, width, piped=piped).splitlines()
    assert len(names) > 3
    assert [row.split()[0] for row in rows] == names
    starts = [at for at in range(2, len(head)) if head[at - 2 : at] == "  " and head[at] != " "]
    assert len(starts) == len(head.split("  ")) - head.split("  ").count("") - 1
    for row in rows:
        assert all(row[at - 2 : at] == "  " for at in starts), row
        assert row[starts[-1]] != " ", row
        assert piped or cell_len(row) <= width
        assert not (piped and "…" in row)


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_terminal_shortens_the_last_column_alone_and_a_pipe_has_all_of_it(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = printed(monkeypatch, words, 80, piped=True).splitlines()
    shown = printed(monkeypatch, words, 80).splitlines()
    begins = whole[0].rindex("  ") + 2
    assert any("…" in row for row in shown)
    for row, told in zip(shown, whole, strict=True):
        assert told.startswith(row.removesuffix("…").rstrip()), row
        assert "…" not in row[:begins]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_terminal_too_narrow_for_the_other_columns_gets_all_of_the_list(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = printed(monkeypatch, words, 120, piped=True)
    assert printed(monkeypatch, words, 12) == piped
