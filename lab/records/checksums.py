"""SHA256SUMS of a folder: which of its files are still those that the lab wrote.

`sha256sum -c SHA256SUMS` in the folder says the same.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lab.core import jsondocuments
from lab.core.errors import UsageError

FILE: Final = "SHA256SUMS"
_UNLISTED: Final = f"not listed in {FILE}"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S.{0,99})")


def write(folder: Path, names: Iterable[str]) -> None:
    """Write down the sums of these files."""
    text = "".join(f"{_sum(folder / name)}  {name}\n" for name in sorted(names))
    (folder / FILE).write_text(text, encoding="utf-8")


def changed(folder: Path, names: Iterable[str] = ()) -> dict[str, str]:
    """What is not as it was written: names of files, and what became of each.

    `names` are files that must be listed, beside those that are. Nothing without SHA256SUMS.
    Raises UsageError when that file is damaged.
    """
    known = _listed(folder)
    if known is None:
        return {}
    found = {name: _became(folder / name, wanted) for name, wanted in known.items()}
    found |= {name: _UNLISTED for name in names if name not in known}
    return {name: what for name, what in sorted(found.items()) if what}


def is_there(folder: Path) -> bool:
    """Whether the folder has any."""
    return os.path.lexists(folder / FILE)


def listed(folder: Path) -> tuple[str, ...]:
    """Files that are listed; none without SHA256SUMS."""
    return tuple(_listed(folder) or ())


def refuse_changed(folder: Path, wanted: Iterable[str], hint: str) -> None:
    """Raise UsageError with `hint` when one of these files is not the one that was written."""
    known = _listed(folder)
    if known is None:
        raise UsageError(f"{folder / FILE} is gone: nothing tells what else is", hint)
    for name in sorted(wanted):
        if what := _became(folder / name, known[name]) if name in known else _UNLISTED:
            raise UsageError(f"{folder / name} is {what}: it is not what the lab wrote", hint)


def _listed(folder: Path) -> dict[str, str] | None:
    if not is_there(folder):
        return None
    path = folder / FILE
    try:
        lines = jsondocuments.content(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no list of checksums", jsondocuments.CHANGED) from error
    known: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in known or ".." in Path(match[2]).parts:
            raise UsageError(f"{path}, line {number}: no checksum of a file", jsondocuments.CHANGED)
        known[match[2]] = match[1]
    if not known:
        raise UsageError(f"{path} lists no file", jsondocuments.CHANGED)
    return known


def _became(path: Path, wanted: str) -> str:
    """What became of a file; nothing if it is as it was."""
    if not os.path.lexists(path):
        return "gone"
    try:
        return "" if path.is_file() and _sum(path) == wanted else "changed"
    except OSError:
        return "changed"


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
