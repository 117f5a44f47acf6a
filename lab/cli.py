"""The command line's frame: runs the commands, and turns every way to fail into an exit code.

Results go to stdout, everything else to stderr. Exit codes: 0 pass, 1 the drill's verdict is fail
or a step of a runbook refuses, 2 wrong usage or input, 3 the lab or the machine is broken, 4 the
verdict is unknown or another command holds the lab, 130 interrupted.

Only the standard library is imported before `main` runs: so a Ctrl-C is caught from then on, also
while the commands are loaded. What is before that is in `lab.__main__`.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from lab.core import interrupts
from lab.core.errors import LabError, LibraryMissing
from lab.core.paths import state_folder

INTERRUPTED = 130
_NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)
_GARBAGE_AFTER = 50_000
"""How many objects are made before garbage is looked for. Loading a command makes tens of
thousands and throws none away: at the usual 700 a tenth of its time went into looking."""


def main() -> None:
    """Run the command line; no traceback reaches the user."""
    _need_somewhere_to_write()
    try:
        for each in interrupts.SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup does
                signal.signal(each, interrupts.interrupt)
        _run()
    except KeyboardInterrupt:
        sys.stderr.write("Aborted.\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _need_somewhere_to_write() -> None:
    """A command without standard output says so on standard error, if that is open."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - until the process ends
    if sys.stdout is None:
        sys.stderr.write("error: standard output is closed\n  → redirect it: > /dev/null\n")
        sys.exit(2)


def _run() -> None:
    try:
        _commands()
    except LabError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        raise
    except Exception as error:
        if interrupts.caused(error):
            raise KeyboardInterrupt from error
        _tell(_explained(error))
        sys.exit(LabError.exit_code)


def _commands() -> None:
    gc.set_threshold(_GARBAGE_AFTER)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # it would look into every package
    from lab.commands.app import app
    from lab.commands.parsing.bashcompletion import in_whole_words

    try:
        with in_whole_words():
            app()
    finally:
        sys.stdout.flush()  # a reader that has gone, or a full disk, is noticed here


def _explained(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" in {error.filename}" if error.filename else ""
        return (
            f"{error.strerror}: the results could not be written{where}"
            "\n  → free some space, and run the command again"
        )
    if isinstance(error, OSError) and error.errno in _NOT_ALLOWED and error.filename:
        return (
            f"{error.strerror}: {error.filename}"
            "\n  → give this user access, or name other folders by LAB_STATE and LAB_RUNS"
        )
    if missing := LibraryMissing.told(error):
        return str(missing)
    return f"unexpected: {type(error).__name__}: {error}\n  → details: {_crash_file(error)}"


def _tell(text: str) -> None:
    from lab.commands.terminal import say

    say().error(text)


def _crash_file(error: BaseException) -> Path:
    path = state_folder("logs") / f"crash-{os.getpid()}.log"
    with suppress(OSError):
        path.write_text("".join(traceback.format_exception(error)))
    return path
