"""Work that has an end of its own, such as healing: Ctrl-C interrupts the work, never the end.

Python raises KeyboardInterrupt at any instruction. So a Ctrl-C can keep a `finally` from beginning,
and a second one can end it half-way.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")
ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does. The second one says that its terminal is gone."""

SIGNALS: Final = (signal.SIGINT, *ENDING)


def interrupt(number: int, _frame: object) -> None:
    """The handler of these signals."""
    _leave_a_lost_terminal(number)
    raise KeyboardInterrupt


def caused(error: BaseException) -> bool:
    """Whether an error came of a Ctrl-C: Python wraps what is raised while a class is made."""
    origin: BaseException | None = error
    while origin is not None:
        if isinstance(origin, KeyboardInterrupt):
            return True
        origin = origin.__cause__
    return False


def _leave_a_lost_terminal(number: int) -> None:
    """After SIGHUP, send all output to /dev/null.

    Writing to a terminal that is gone would fail, and end the healing.
    """
    if number != signal.SIGHUP:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(each).st_mode):
                os.dup2(nowhere, each)
    os.close(nowhere)


class _Presses:
    """The handler of Ctrl-C: the first one interrupts the work, each later one is answered.

    It raises at most once. So two `finally`, one around the other, are enough: the exception can
    keep one of them from beginning, but not both.
    """

    def __init__(self) -> None:
        self.pressed, self.ending, self.over = False, False, False
        self.untold: SimpleQueue[bool] = SimpleQueue()
        """One entry for each Ctrl-C to answer. A handler cannot take a lock: the code that it
        interrupted may hold it. To put into this queue takes none."""

    def __call__(self, number: int, _frame: object) -> None:
        _leave_a_lost_terminal(number)
        first, self.pressed = not self.pressed, True
        if self.over or (first and not self.ending):
            raise KeyboardInterrupt
        self.untold.put(True)


def ended(work: Callable[[], T], end: Callable[[], object], going_on: str) -> T:
    """Do `work`, then `end` in any case, and return what came of the work.

    The first Ctrl-C interrupts the work. `end` is always done as a whole: a Ctrl-C that comes
    later is answered with `going_on`, and KeyboardInterrupt is raised when the end is done.
    """
    presses = _Presses()
    with _told(presses.untold, going_on), _handled_by(presses):
        try:
            try:
                result = work()
            finally:
                presses.ending = True
        finally:
            end()
    if presses.pressed:
        raise KeyboardInterrupt
    return result


@contextmanager
def _handled_by(presses: _Presses) -> Iterator[None]:
    """Install the handler: in the main thread alone, and for signals that are not ignored."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    mine = threading.current_thread() is threading.main_thread()
    taken = [each for each in SIGNALS if mine and callable(before[each])]
    try:
        for each in taken:
            signal.signal(each, presses)
        yield
    finally:
        presses.over = True  # a Ctrl-C from here on raises, even if it keeps the handler installed
        for each in taken:
            signal.signal(each, before[each])


@contextmanager
def _told(untold: SimpleQueue[bool], text: str) -> Iterator[None]:
    """Answer on stderr, from a thread: the interrupted one may be writing there."""

    def tell() -> None:
        while untold.get():
            sys.stderr.write(f"{text}\n")

    teller = threading.Thread(target=tell, name="interrupts", daemon=True)
    teller.start()
    try:
        yield
    finally:
        untold.put(False)
        teller.join(1.0)
