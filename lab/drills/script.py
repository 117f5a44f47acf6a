"""Loads a drill from a user's own Python file; each mistake in it is told by file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.core.errors import BadDrill, UnknownName, UsageError
from lab.core.paths import real
from lab.drills.mistakes import explained, line_of_keyword, line_of_text
from lab.drills.row import Drill
from lab.records.metricrows import figure
from lab.runbooks import shipped
from lab.runbooks.runbookfile import LIMIT_NAME, NAME

_loading: list[Path] = []
"""Scripts that are being loaded: each one but the first is what the one before is based on."""


def load(path: Path) -> Drill:
    """The drill of a script. Raises BadFile, which names the line and the nearest word."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise BadDrill(str(path), 0, f"cannot be read: {error.strerror}") from error
    space: dict[str, object] = {"__name__": path.stem, "__file__": str(path)}
    with _once(path):
        try:
            exec(compile(source, str(path), "exec"), space)  # noqa: S102 - a script is for that
        except (Exception, SystemExit) as error:
            told = explained(error, path)
            raise told from (error if told is not error else error.__cause__)
    found = {id(each): each for each in space.values() if isinstance(each, Drill)}
    if len(found) != 1:
        raise BadDrill(
            str(path), 0, f"it has {len(found) or 'no'} drill{'s' if found else ''}",
            "a script has one: DRILL = Drill(…), or DRILL = based_on(…)",
        )  # fmt: skip
    drill = replace(*found.values(), file=path)
    _refuse_unfit(drill, path)
    _refuse_no_runbook(drill, path)
    _refuse_no_step(drill, path)
    return drill


@contextmanager
def _once(path: Path) -> Iterator[None]:
    """Inside this block the script is being loaded. Raises UsageError if it is already."""
    if real(path) in _loading:
        raise UsageError(f"based_on leads back to {path}", "base one of them on another drill")
    _loading.append(real(path))
    try:
        yield
    finally:
        _loading.pop()


def _refuse_unfit(drill: Drill, path: Path) -> None:
    """Raise BadDrill for what a script's drill may not have."""

    def bad(name: str, reason: str, hint: str = "") -> BadDrill:
        return BadDrill(str(path), line_of_keyword(path, name), f"{name}: {reason}", hint)

    if len(drill.name) > LIMIT_NAME or not re.fullmatch(NAME, drill.name):
        shown = drill.name if len(drill.name) <= LIMIT_NAME else f"{drill.name[:LIMIT_NAME]}…"
        hint = f"small letters, digits and hyphens, a letter first, {LIMIT_NAME} at most"
        raise bad("name", f"{shown!r} is no name", hint)
    for each in drill.objectives:
        try:
            figure(each.name)
        except UnknownName as error:
            line = line_of_text(path, each.name)
            raise BadDrill(str(path), line, error.message, error.next_step) from error
    if not drill.objectives:
        raise bad("objectives", "is empty, and the drill would be judged by nothing")


def _refuse_no_runbook(drill: Drill, path: Path) -> None:
    """Raise BadDrill for a runbook that is not there, with the nearest that is."""
    if not isinstance(drill.runbook, str):
        return
    name, there = drill.runbook, path.parent
    files = [each.name for each in there.iterdir() if each.suffix in (".yaml", ".yml")]
    known = [*files, *(each.stem for each in shipped.shipped())]
    try:
        if shipped.find(name, there).exists():
            return
    except UnknownName:
        pass
    told = UnknownName("runbook", name, known)
    raise BadDrill(str(path), line_of_keyword(path, "runbook"), told.message, told.next_step)


def _refuse_no_step(drill: Drill, path: Path) -> None:
    """Raise BadDrill for a moment at a step that the runbook does not have."""
    try:
        drill.refuse_no_step()
    except UnknownName as error:
        line = line_of_text(path, error.name)
        raise BadDrill(str(path), line, error.message, error.next_step) from error
