"""Every option and argument of every command, with values that it cannot take.

Each is refused with exit code 2, one sentence in plain words, and the next step; nothing is done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from kept_runs import run

from lab.commands.app import app
from lab.host import engine
from lab.testbed import lifecycle
from lab.testbed.lab import Lab

NO_NUMBER = ("x", "", "inf", "nan", "1e999", "-1", "9" * 400)
NO_AMOUNT = ("", "inf", "nan", "-5s", "5", "9" * 26 + "s", "9" * 400 + "s")
NO_COUNT = ("", "inf", "nan", "-1", "9" * 26)
NO_FILE = ("", ".", "no/such/folder/file", "book.yaml/file", "a" * 300, "loop", "nowhere", "pipe")
NO_FOLDER = (
    "",
    "no/such/folder",
    "book.yaml",
    "book.yaml/in",
    "a" * 300,
    "loop",
    "nowhere",
    "pipe",
)
NO_NAME = ("", "no-such-name", "x" * 500, "\x1b[31m", "\udcff")
NO_LAB = ("", "No Such", "x" * 500, "\x1b[31m", "..")

BAD = {
    "N": NO_NUMBER,
    "MINUTES": NO_NUMBER,
    "DURATION": NO_AMOUNT,
    "VALUE": NO_AMOUNT,
    "COUNT": NO_COUNT,
    "FILE": NO_FILE,
    "FILE[:NAME]": tuple(each for each in NO_FILE if each != "pipe"),  # a shell may write into it
    "DIR": NO_FOLDER,
    "A B": NO_NAME,
    "'FIGURE<=VALUE'": ("", "rto_seconds", "rto_seconds<=inf", "lost<=" + "9" * 26, "\x1b[31m<=1"),
    "'FAULT …'": ("", "no-such", "partition at", "freeze for=0s", "freeze for=inf", "\x1b[31m",
                  "\udcff", "x" * 500, "delay amount=5", "freeze at=" + "9" * 400 + "s"),
    "TEXT": ("", " "),
    "HOST": ("", "a b", "x" * 500, "\x1b[31m", "\udcff"),
    "PER-SECOND": ("", "x", "-1", "nan", "inf", "9" * 26, "\x1b[31m", "x" * 500),
    "'NAME [PART=VALUE …]'": (
        "", "no-such", "default fall", "fall=5s", "fall=0", "after=5", "x" * 500, "alone=inf",
        "alone=" + "9" * 400 + "s", "\x1b[31m", "\udcff",
    ),
    "LAB": NO_LAB,
    "OPTION=VALUE": ("", "x", "=", "fall=", "fall=0", "x" * 500, "\x1b[31m", "\udcff"),
    "URL": ("", "shop", "http://", "http://[", "\x1b[31m", "\udcff", "x" * 500),
    **dict.fromkeys(
        ("NAME", "FAULT", "NODE", "REGION", "FROM:TO:PURPOSE", "SCENARIO", "ORDER", "STEP", "RUN",
         "NAME|FILE", "KIND",
         "POLICY"),
        NO_NAME,
    ),
}  # fmt: skip
"""By what help calls a value: those that are none."""

UNNAMED = {
    "drill NAME": "NAME",
    "logs PLACE": "NODE",
    "logs --tail": "N",
    "psql NODE": "NODE",
    "report RUN": "RUN",
    "report --compare": "A B",
    "reconcile RUN": "RUN",
    "matrix --scenario": "SCENARIO",
    "matrix --labs": "N",
}
"""Values that help shows by their type."""

BASE = {
    "drill": ("region-loss",),
    "fault inject": ("delay",),
    "fault heal": ("delay",),
    "psql": ("east.db1",),
    "lint": ("book.yaml",),
    "dig": ("app",),
    "report": ("--compare", "a", "b"),
    "reconcile": ("a",),
    "runbook show": ("drain",),
    "runbook check": ("drain",),
    "runbook run": ("drain", "--scenario", "healthy"),
}
"""What else a command needs before it looks at an option."""

FOREIGN = re.compile(
    r"Input should|Invalid value|Usage:|Error:|No such (option|command)|Got unexpected|requires an?"
    r"|unable to parse|does not take|Missing (option|argument|parameter)|validation|pydantic|click"
    r"|unexpected:|Errno|Traceback|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]",
)
"""Words of the parser, of pydantic and of Python, and characters that steer a terminal."""


@dataclass(frozen=True)
class Place:
    """Where a value stands: an option or an argument of a command."""

    command: str
    param: Any

    @property
    def name(self) -> str:
        long = (each for each in self.param.opts if each.startswith("--"))
        return next(long, self.param.metavar or self.param.name.upper())

    @property
    def is_option(self) -> bool:
        return self.param.param_type_name == "option"

    @property
    def kind(self) -> str:
        if self.name == "--name":
            return "LAB"
        return UNNAMED.get(str(self), self.param.metavar or "")

    def words(self, value: str) -> list[str]:
        base = BASE.get(self.command, ())
        if not self.is_option:
            return [*self.command.split(), "--", value]
        more = [value] * (self.param.nargs - 1)
        return [*self.command.split(), *base, f"{self.name}={value}", *more]

    def __str__(self) -> str:
        return f"{self.command} {self.name}"


def commands(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in found.commands.items():
        whole = f"{path} {name}".strip()
        yield from commands(each, whole) if hasattr(each, "commands") else [(whole, each)]


def params(command: Any) -> list[Any]:
    with command.make_context("lab", [], resilient_parsing=True) as context:
        return command.get_params(context)


EVERY = dict(commands(typer.main.get_command(app)))
PLACES = [Place(name, each) for name, command in EVERY.items() for each in params(command)]
VALUES = [each for each in PLACES if not getattr(each.param, "is_flag", False)]
FLAGS = [each for each in PLACES if getattr(each.param, "is_flag", False)]
REPEATED = [each for each in VALUES if each.kind in BAD]

Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """Run a command that must be refused before anything is touched; what it says."""
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for module, name in ((lifecycle, "up"), (lifecycle, "disks"), (engine, "ensure_engine")):
        monkeypatch.setattr(module, name, None)  # a call of it is no usage error
    monkeypatch.setattr(Lab, "attached", None)
    (tmp_path / "book.yaml").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("no/such/file")
    before = sorted(tmp_path.rglob("*"))

    def act(*words: str) -> str:
        code = run(monkeypatch, *words)
        told = capfd.readouterr()
        assert code == 2, told.err
        assert told.out == ""
        sentence, step, *more = told.err.splitlines()
        assert more == []
        assert sentence.startswith("error: ")
        assert re.match(r"  → \w", step)
        assert not FOREIGN.search(told.err.replace("\n", "")), told.err
        assert len(told.err) < 800
        left = [each for each in sorted(tmp_path.rglob("*")) if "state" not in str(each)]
        assert left == before
        return told.err

    return act


def test_every_value_is_of_a_kind_that_is_tried_here() -> None:
    assert [str(each) for each in VALUES if each.kind not in BAD] == []


@pytest.mark.parametrize("place", REPEATED, ids=str)
def test_a_value_that_cannot_be_taken_is_refused(place: Place, refused: Refused) -> None:
    for value in BAD[place.kind]:
        told = refused(*place.words(value))
        assert place.kind not in {"N", "MINUTES"} or place.name in told


@pytest.mark.parametrize("place", VALUES, ids=str)
def test_an_option_without_its_value_says_what_to_write(place: Place, refused: Refused) -> None:
    if place.is_option:
        assert "need" in refused(*place.command.split(), place.name)


@pytest.mark.parametrize("place", FLAGS, ids=str)
def test_a_flag_with_a_value_is_refused(place: Place, refused: Refused) -> None:
    told = refused(*place.command.split(), f"{place.name}=yes")
    assert f"{place.name} takes no value" in told


@pytest.mark.parametrize("command", EVERY)
def test_an_option_that_is_not_there_and_a_word_too_many_are_refused(
    command: str, refused: Refused
) -> None:
    if command == "psql":
        return  # they go to psql
    assert "there is no option called '--no-such'" in refused(*command.split(), "--no-such")
    assert "there is no option called '-q'" in refused(*command.split(), "-q")
    if all(each.param.nargs == 1 for each in PLACES if each.command == command):
        many = ("x",) * 5
        assert "is one word too many" in refused(*command.split(), *many)


@pytest.mark.parametrize("command", [each.command for each in VALUES if each.param.required])
def test_an_argument_that_is_needed_is_named(command: str, refused: Refused) -> None:
    assert "is missing" in refused(*command.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [(("no-such",), "there is no command called 'no-such'"), (("--no-such",), "no option called"),
     (("fault", "no-such"), "there is no command called"), (("--",), "no command is named"),
     (("runbook", "--"), "no command is named"), (("dril",), "did you mean drill"),
     (("\x1b[31m",), "there is no command called")],
)  # fmt: skip
def test_words_that_are_no_command_are_refused(
    words: tuple[str, ...], told: str, refused: Refused
) -> None:
    assert told in " ".join(refused(*words).split())
