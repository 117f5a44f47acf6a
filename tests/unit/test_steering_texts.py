"""No text of a file or of its name steers the terminal, or turns the direction of other text."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kept_runs import OTHER, RUN, SERIES, run, seal, shelf
from markupsafe import Markup
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lab.charts.svg import label, shown
from lab.commands import terminal
from lab.core.console import Terminal
from lab.core.words import visible

folder = shelf
NASTY = "\x1b]0;t\x07\x1b[31mred\x9b2J\u202egnol\r\x00\x7f"
STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
BOOK = (Path(__file__).parent.parent.parent / "chaos/runbooks/drain.yaml").read_text()
Capture = pytest.CaptureFixture[str]


def test_what_steers_is_written_out_as_in_json_and_all_else_stays() -> None:
    assert visible("\x1b[31m\x9b\u202e\udcff") == r"\u001b[31m\u009b\u202e\udcff"
    for text in ("a\tb\nc", "é → ✓ 日本 \u0644 👩\u200d👩", "", r"\u001b"):
        assert visible(text) == text


def plain(*what: Any, width: int = 40) -> str:
    file = io.StringIO()
    Terminal(file=file, width=width, highlight=False).print(*what)
    return file.getvalue()


def table(*cells: Any) -> Table:
    found = Table(title=NASTY)
    found.add_column("ok", no_wrap=True)
    found.add_column(NASTY, overflow="fold")
    found.add_row(*cells)
    return found


@pytest.mark.parametrize(
    "what",
    [NASTY, Text(NASTY), Text.assemble(("a", "bold"), (NASTY, "red")), Panel(NASTY, title=NASTY),
     table("a", NASTY), table("a", Text(NASTY, style="bold"))],
    ids=["text", "styled", "parts", "panel", "table", "table of texts"],
)  # fmt: skip
def test_a_console_writes_out_what_steers_wherever_it_stands(what: Any) -> None:
    told = plain(what, width=200)
    assert not STEERING.search(told)
    assert r"\u001b[31mred\u009b2J\u202egnol" in told


def test_styles_stay_where_they_were() -> None:
    file = io.StringIO()
    Terminal(file=file, force_terminal=True, color_system="standard", highlight=False).print(
        Text.assemble("a\x1bb", ("c\x1bd", "red"), "e")
    )
    assert file.getvalue() == "a\\u001bb\x1b[31mc\\u001bd\x1b[0me\n"


def test_pages_and_pictures_write_it_out_and_markup_stays_markup() -> None:
    assert shown(Markup("<b>\x1b</b>")) == Markup(r"<b>\u001b</b>")
    assert isinstance(shown(Markup("<b>\x1b</b>")), Markup)
    assert shown(3) == 3
    assert r">&lt;\u001b&gt;</text>" in label(1, 1, "<\x1b>")


FREE = {"title", "command", "why", "question", "answer", "evidence", "note", "kernel"}


def nasty(value: Any) -> Any:
    """A document whose free texts hold what steers."""
    if isinstance(value, dict):
        return {
            name: each + NASTY
            if name
            in {"title", "command", "why", "question", "answer", "evidence", "note", "kernel"}
            else nasty(each)
            for name, each in value.items()
        }
    return [nasty(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def changed(folder: Path) -> Path:
    """Runs and a series with such texts; their sums are those of the changed files."""
    for path in folder.rglob("*.json"):
        if text := path.read_text():
            path.write_text(json.dumps(nasty(json.loads(text))))
    for each in folder.iterdir():
        seal(each)
    return folder


def pages(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*.html")


@pytest.mark.parametrize(
    "words",
    [("report", RUN), ("report", SERIES), ("report", "--compare", RUN, OTHER)],
    ids=" ".join,
)
def test_a_documents_texts_reach_neither_terminal_nor_page(
    words: tuple[str, ...], changed: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(monkeypatch, *words) == 0
    told = capsys.readouterr()
    for text in (told.out, told.err, *(each.read_text() for each in pages(changed))):
        assert not STEERING.search(text.replace("\t", "")), STEERING.search(text)


def test_a_folders_name_reaches_neither_terminal_nor_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    name = NASTY.replace("\x00", "") + "\udcff"
    (folder / RUN).rename(folder / name)
    for words in (("report", name), ("report", "--compare", name, OTHER)):
        assert run(monkeypatch, *words) == 0
        told = capsys.readouterr()
        assert r"\u001b" in told.out
        for text in (told.out, told.err, *(each.read_text() for each in pages(folder))):
            assert not STEERING.search(text.replace("\t", ""))


@pytest.mark.parametrize(
    "words", [("show",), ("show", "--json"), ("check",), ("check", "--svg", "x.svg")], ids=" ".join
)
def test_a_runbooks_texts_reach_neither_terminal_nor_picture(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[31m\udcff.yaml"
    text = re.sub(r"(?m)^title:.*$", r'title: "All \\e[31m users \\x9b \\u202e"', BOOK)
    (tmp_path / name).write_text(text)
    code = run(monkeypatch, "runbook", words[0], name, *words[1:])
    told = capsys.readouterr()
    assert code in {0, 2}
    for each in (told.out, told.err, *(path.read_text() for path in tmp_path.glob("*.svg"))):
        assert not STEERING.search(each)


def test_what_is_put_on_stdout_as_it_is_stays_json(capsys: Capture) -> None:
    terminal.put(json.dumps({"a": NASTY}, ensure_ascii=False))
    told = capsys.readouterr().out
    assert not STEERING.search(told)
    assert json.loads(told) == {"a": NASTY}
