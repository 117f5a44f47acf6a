"""The program `lab`, also as `python -m lab`: the first of the lab's code that runs.

Python raises KeyboardInterrupt wherever it is, and shows where that was if nothing catches it.
Nothing can while the modules of the command line are loaded, which takes a tenth of a second, and
again when Python ends. In both times a Ctrl-C has nothing to put right: it ends the process.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the module `signal` takes time itself
import os

INTERRUPTED = 130


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


def _leave_at_once() -> None:
    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:  # as `nohup` and `&` in scripts do
        _signal.signal(_signal.SIGINT, _leave)


_leave_at_once()

from lab import cli  # noqa: E402


def main() -> None:
    """Run the command line. Its own handling of Ctrl-C begins and ends with it."""
    try:
        cli.main()
    finally:
        _leave_at_once()


if __name__ == "__main__":
    main()
