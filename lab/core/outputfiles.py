"""Files that a command was asked to write, such as `--svg graph.svg`.

A command says at once that one cannot be written, before it does anything. No folder is made: a
folder that is not there is more often a mistake in the name than meant.
"""

from __future__ import annotations

import errno
import io
import os
import shlex
from pathlib import Path
from typing import Final

from lab.core.errors import UsageError, quoted
from lab.core.paths import is_folder, real

_EXAMPLE: Final = "out"
_ELSEWHERE: Final = "name a file in a folder that can be written"
_REASONS: Final = {
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is a pipe that nothing reads",
    errno.ELOOP: "it is a symbolic link to itself",
}


def prove_writable(path: Path, flag: str) -> None:
    """Raise UsageError if the file could not be written later; leaves nothing behind."""
    target = real(path)
    folder = target.parent
    if is_folder(folder):
        new = not os.path.lexists(target)
        try:
            opened(path).close()
        except OSError as error:
            raise _unwritable(path, flag, error) from error
        if new:
            target.unlink()
    elif os.path.lexists(folder):
        raise UsageError(f"{flag} {path} cannot be written: {folder} is no folder", _ELSEWHERE)
    else:
        raise UsageError(
            f"{flag} {path} cannot be written: there is no folder {folder}",
            f"make it: mkdir -p {shlex.quote(str(folder))}; or name a file in another one",
        )


def write(path: Path, text: str, flag: str) -> None:
    """Write the file. Raises UsageError."""
    try:
        with opened(path, os.O_TRUNC) as file:
            file.write(text.encode())
    except OSError as error:
        raise _unwritable(path, flag, error) from error


def folder(named: str, flag: str) -> Path:
    """A folder to write files into. It is made if the folder around it is there.

    Raises UsageError.
    """
    path = Path(named)
    instead = f"name a folder, such as {flag} {_EXAMPLE}"
    if not named or (os.path.lexists(path) and not is_folder(path)):
        raise UsageError(f"{flag} {quoted(named)} is no folder", instead)
    try:
        path.mkdir(exist_ok=True)
        prove_writable(path / _EXAMPLE, flag)
    except (OSError, ValueError) as error:
        reason = os.strerror(getattr(error, "errno", 0) or errno.EINVAL)
        raise UsageError(f"{flag} {quoted(named)} cannot be made: {reason}", instead) from error
    return path


def opened(path: Path, more: int = 0) -> io.BufferedWriter:
    """The file, made if it is not there. A pipe without a reader is an OSError, not waited for."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | more, 0o666)
    os.set_blocking(number, True)
    return os.fdopen(number, "wb")


def _unwritable(path: Path, flag: str, error: OSError) -> UsageError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return UsageError(f"{flag} {path} cannot be written: {reason}", _ELSEWHERE)
