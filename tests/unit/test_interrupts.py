"""What a Ctrl-C interrupts ends in order, at whatever instruction it comes, and however often."""

from __future__ import annotations

import os
import pty
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from test_drill_bound import ENDLESS, a_lab, stubbed

from lab.core import interrupts
from lab.core.interrupts import ended
from lab.drills import drill
from lab.steps import catalogue
from lab.steps.context import Context

HERE = (interrupts.__file__, __file__)


@pytest.fixture(autouse=True)
def python_s_own_handlers() -> Iterator[None]:
    """As the command line sets them; what was there before comes back."""
    before = {each: signal.getsignal(each) for each in interrupts.SIGNALS}
    for each in before:
        signal.signal(each, signal.default_int_handler)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


class Pressed:
    """Presses Ctrl-C before instruction `number` of the code under test."""

    def __init__(self, number: int) -> None:
        self.left, self.came = number, False

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if frame.f_code.co_filename not in HERE:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and threading.current_thread() is threading.main_thread():
            self.left -= 1
            if not self.left:
                self.came = True
                signal.raise_signal(signal.SIGINT)
        return self


class Watched:
    """Work with an end, and how far both of them came."""

    def __init__(self, *, pressed: bool) -> None:
        self.seen, self.pressed = list[str](), pressed

    def work(self) -> str:
        self.seen.append("begun")
        if self.pressed:
            signal.raise_signal(signal.SIGINT)
        return "done"

    def end(self) -> None:
        self.seen.append("ending")
        self.seen.append("ended")


def play(number: int, *, pressed: bool) -> tuple[Watched, Pressed, bool]:
    """What was watched, the last Ctrl-C, and whether the caller was interrupted."""
    watched, press, before = Watched(pressed=pressed), Pressed(number), sys.gettrace()
    try:
        sys.settrace(press)
        try:
            ended(watched.work, watched.end, "healing")
        finally:
            sys.settrace(before)
    except KeyboardInterrupt:
        return watched, press, True
    return watched, press, False


@pytest.mark.parametrize("pressed", [False, True], ids=["the only one", "a second one"])
def test_the_end_is_done_as_a_whole_at_whatever_instruction_a_ctrl_c_comes(
    pressed: bool,
) -> None:
    number, whole = 0, 0
    while True:
        number += 1
        watched, press, interrupted = play(number, pressed=pressed)
        if not press.came:
            break
        assert interrupted, number
        assert watched.seen in ([], ["begun", "ending", "ended"], ["ending", "ended"]), number
        whole += "ended" in watched.seen
        for each in interrupts.SIGNALS:
            with pytest.raises(KeyboardInterrupt):  # the next one interrupts again
                signal.raise_signal(each)
            signal.signal(each, signal.default_int_handler)
    assert whole > 30
    assert interrupted is pressed


def test_a_ctrl_c_during_the_end_is_answered_and_raised_when_the_end_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = list[str]()

    def end() -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(each)
        seen.append("ended")

    with pytest.raises(KeyboardInterrupt):
        ended(lambda: seen.append("worked"), end, "healing: wait")
    assert seen == ["worked", "ended"]
    assert capsys.readouterr().err == "healing: wait\n" * 2
    assert {signal.getsignal(each) for each in interrupts.SIGNALS} == {signal.default_int_handler}


def test_work_without_an_interrupt_ends_and_returns_what_came_of_it() -> None:
    seen = list[str]()
    assert ended(lambda: 7, lambda: seen.append("ended"), "") == 7
    with pytest.raises(ZeroDivisionError):
        ended(lambda: 1 / 0, lambda: seen.append("ended again"), "")
    assert seen == ["ended", "ended again"]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert ended(lambda: signal.raise_signal(signal.SIGINT), lambda: None, "") is None
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_in_another_thread_work_ends_too() -> None:
    seen = list[str]()
    thread = threading.Thread(target=lambda: ended(lambda: None, lambda: seen.append("ended"), ""))
    thread.start()
    thread.join(60)
    assert seen == ["ended"]


def test_a_drill_heals_as_a_whole_however_often_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    healed = list[str]()

    def reset(*_: object, **__: object) -> str:
        signal.raise_signal(signal.SIGINT)
        healed.append("whole")
        return ""

    def interrupted(_context: Context) -> str:
        signal.raise_signal(signal.SIGINT)
        return "never"

    stubbed(monkeypatch)
    step = replace(catalogue.step("wait"), act=interrupted)
    monkeypatch.setattr(catalogue, "step", lambda _name: step)
    with pytest.raises(KeyboardInterrupt):
        drill.run(replace(ENDLESS, bound=60.0), a_lab(reset), tmp_path, 1, ())
    assert healed == ["whole"]
    assert drill.HEALING in capsys.readouterr().err


HEALS = """
import signal, sys, time
from pathlib import Path
from lab.core import interrupts

for each in interrupts.ENDING:
    signal.signal(each, interrupts.interrupt)

def work():
    print("at work", flush=True)
    time.sleep(600)

def end():
    print("healing", flush=True)
    Path(sys.argv[1]).write_text("healed")

WAY
"""


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("interrupts.ended(work, end, 'it goes on')", id="ended"),
        pytest.param("try: work()\nfinally: end()", id="a plain command"),
    ],
)
def test_what_a_command_ends_with_is_done_when_its_terminal_is_gone(
    way: str, tmp_path: Path
) -> None:
    healed = tmp_path / "healed"
    child, terminal = pty.fork()
    if not child:
        program = HEALS.replace("WAY", way)
        os.execv(sys.executable, [sys.executable, "-c", program, str(healed)])  # noqa: S606
    assert b"at work" in os.read(terminal, 100)
    os.close(terminal)
    os.waitpid(child, 0)
    assert healed.read_text() == "healed"
