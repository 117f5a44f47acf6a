"""Questions to a person: what is an answer, and what was typed before the question is none."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context

from lab.commands import emptying
from lab.commands.runbook import liverun
from lab.commands.runbook import questions as asking
from lab.commands.runbook.run import Wanted
from lab.core.console import Say, Terminal
from lab.core.errors import UsageError
from lab.drills import runner
from lab.drills.runner import Manner
from lab.host import apt
from lab.records.journalfile import MarkName
from lab.runbooks import runbookfile, shipped
from lab.steps import catalogue, deciding
from lab.testbed import inforce
from lab.testbed.runbookprogress import Progress

FAILOVER = runbookfile.read(shipped.find("region-failover"), catalogue.vocabulary())


class Shown(io.StringIO):
    """What the terminal shows. A person answers each question with the next line."""

    def __init__(self, keyboard: int) -> None:
        super().__init__()
        self.keyboard, self.answers = keyboard, list[bytes]()

    def write(self, text: str) -> int:
        if text.endswith(("stops here ", "[y/n] ")) and self.answers:
            os.write(self.keyboard, self.answers.pop(0))
        return super().write(text)


@dataclass(frozen=True)
class Person:
    """A person at a terminal."""

    keyboard: int
    screen: int
    shown: Shown
    say: Say

    def types_ahead(self, text: bytes) -> None:
        """Type before anything is asked; it has arrived when this returns."""
        os.write(self.keyboard, text)
        assert select.select([self.screen], [], [], 10)[0]

    def answers(self, *lines: bytes) -> None:
        """Answer the next questions so."""
        self.shown.answers[:] = lines


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    keyboard, screen = pty.openpty()
    shown, say = Shown(keyboard), Say()
    say.console = Terminal(file=shown, force_terminal=True, width=80, color_system=None)
    for module in (asking, liverun, emptying):
        monkeypatch.setattr(module, "say", lambda: say)
    with open(screen, closefd=False) as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        yield Person(keyboard, screen, shown, say)
    os.close(keyboard)
    os.close(screen)


def first_step() -> None:
    """What `--manual` does before the first step."""
    asking.waiting(FAILOVER)(1, FAILOVER.steps[0])


def test_only_an_empty_line_does_a_step(person: Person) -> None:
    person.answers(b"no\n", b" \n", b"\n")
    first_step()
    assert person.shown.answers == []
    assert person.shown.getvalue().count("Enter does it, Ctrl-C stops here") == 3
    assert "'no' does nothing: Enter alone does the step" in person.shown.getvalue()


def test_what_was_typed_before_a_step_was_shown_does_not_do_it(person: Person) -> None:
    person.types_ahead(b"\n\n\n")
    person.answers(b"no\n", b"\n")
    first_step()
    assert person.shown.answers == []


def test_what_was_typed_before_a_question_is_no_yes(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = list[object]()
    monkeypatch.setattr(apt, "usable", lambda: True)
    monkeypatch.setattr(apt, "_run", ran.append)
    questions: tuple[Callable[[], object], ...] = (
        lambda: emptying.agree("lab down", "7 orders on east.db1"),
        lambda: asking.refuse_when_healthy("nothing is wrong", yes=False),
        lambda: apt.install(person.say, "iptables", why="for the engine"),
    )
    for each in questions:
        person.types_ahead(b"y\n")
        person.answers(b"yess\n", b"\n", b"n\n")
        with pytest.raises(Exception, match=r"nothing was done|was not installed"):
            each()
        assert person.shown.answers == []
    assert ran == []
    person.types_ahead(b"y\n")
    person.answers(b"n\n")
    assert asking.asker(yes=False)("promote?") == ""
    person.answers(b" Y\n")
    assert asking.asker(yes=False)("promote?") == "a person"


@pytest.mark.parametrize("key", [KeyboardInterrupt, EOFError])
def test_a_question_that_is_left_ends_its_line(
    person: Person, monkeypatch: pytest.MonkeyPatch, key: type[BaseException]
) -> None:
    def left() -> str:
        raise key

    monkeypatch.setattr("builtins.input", left)
    for ask in (first_step, lambda: asking.asker(yes=False)("promote?")):
        with pytest.raises(KeyboardInterrupt):
            ask()
        assert person.shown.getvalue().endswith(" \n")


def test_a_run_that_is_interrupted_says_first_how_it_goes_on(
    person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    lasting = inforce.InForce("east's shop refuses customers' orders")
    monkeypatch.setattr(runner, "run", interrupted)
    monkeypatch.setattr(inforce, "look", lambda _lab: (lasting,))
    monkeypatch.setattr("lab.core.console.called", lambda: "lab")
    person.say.flag = " --name other"
    begin, wanted = Progress("region-failover", "mark"), Wanted(manual=True, fresh=True)
    record = liverun._record(FAILOVER, "other", begin, wanted)
    assert record.command == "lab runbook run region-failover --manual --name other"
    with pytest.raises(KeyboardInterrupt):
        liverun._run(
            cast("Any", None), FAILOVER, begin, tmp_path, Manner(), record,
            liverun.watching(FAILOVER, cast("Any", None), wanted),
        )  # fmt: skip
    first, second, *_ = person.shown.getvalue().splitlines()
    assert first == "  to continue this run: lab runbook run --name other region-failover --manual"
    assert second == f"! still in force: {lasting}"


@pytest.mark.parametrize(
    ("by_hand", "said", "note"),
    [
        (True, "confirmed by hand (--manual): Enter was pressed for this step", "by hand"),
        (False, "automatic: no person was asked", "automatic"),
    ],
)
def test_a_decision_says_whether_a_person_confirmed_it(by_hand: bool, said: str, note: str) -> None:
    marks = list[tuple[MarkName, str]]()
    recorder = SimpleNamespace(
        mark=lambda name, note: marks.append((name, note)),
        journal=SimpleNamespace(steps=(SimpleNamespace(name="confirm"),)),
    )
    options = {"approval": "automatic"}
    asked = context(recorder=recorder, options=options, by_hand=by_hand)
    assert deciding._decide(asked) == said
    assert marks == [(MarkName.DECIDED, note)]


def test_steps_that_wait_for_a_person_know_that_they_were_confirmed_by_hand() -> None:
    assert Manner(before=asking.waiting(FAILOVER)).by_hand
    assert not Manner().by_hand
    recorder = SimpleNamespace(mark=lambda _name, note: None)
    options = catalogue.step("decide").chosen({})
    asked = context(recorder=recorder, options=options, by_hand=True)
    assert "by hand" in catalogue.step("decide").act(asked)


def test_a_question_without_a_terminal_is_refused() -> None:
    with pytest.raises(UsageError, match="no terminal to ask on"):
        asking.asker(yes=False)("promote?")


def test_a_step_that_asks_is_refused_before_anything_is_done_where_nobody_can_answer(
    tmp_path: Path,
) -> None:
    file = tmp_path / "undecided.yaml"
    text = shipped.find("region-failover").read_text()
    file.write_text(text.replace("  - decide ", "  - decide: {approval: human} ", 1))
    book = runbookfile.read(file, catalogue.vocabulary())
    with pytest.raises(UsageError, match="the step decide asks a person"):
        asking.refuse_without_person(book, yes=False)
    asking.refuse_without_person(book, yes=True)
    asking.refuse_without_person(FAILOVER, yes=False)
