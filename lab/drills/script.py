"""Loads a drill from a user's own Python file, and names each mistake by file and line."""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from lab.core.errors import BadDrill, LabError, UnknownName
from lab.core.verdict import Objective
from lab.drills.row import Drill, Timed
from lab.faults.row import Aimed
from lab.records.metricrows import metric
from lab.runbooks.runbook import Call
from lab.runbooks.runbookfile import NAME

_KEYWORD: Final = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_MISSING: Final = re.compile(r"Drill\.__init__\(\) missing \d+ required .*?: (.*)")
_IMPORT: Final = re.compile(r"cannot import name '(\w+)' from 'lab\.api'")
_ITEMS: Final = {
    "expectations": (str, "a sentence in quotes"),
    "faults": (Aimed, "fault(…)"),
    "objectives": (Objective, "at_most(…) or at_least(…)"),
    "arrange": (Call, "step(…)"),
    "meanwhile": (Timed, "later(…)"),
    "afterwards": (Call, "step(…)"),
}
"""What the items of a drill's lists are, and how one is written."""


def load(path: Path) -> Drill:
    """The drill of a script. Raises BadDrill, which names the line and the nearest word."""
    try:
        source = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadDrill(
            str(path), 0, f"cannot be read: {getattr(error, 'strerror', error)}"
        ) from error
    space: dict[str, object] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), space)  # noqa: S102 - that is what a script is for
    except (Exception, SystemExit) as error:
        raise explained(error, path) from error
    found = {id(each): each for each in space.values() if isinstance(each, Drill)}
    if len(found) != 1:
        raise BadDrill(
            str(path), 0, f"it has {len(found) or 'no'} drill{'s' if found else ''}",
            "a script has one: DRILL = Drill(…), or DRILL = based_on(…)",
        )  # fmt: skip
    drill = replace(*found.values(), file=path)
    _refuse_unfit(drill, path, source)
    return drill


def explained(error: BaseException, path: Path) -> BadDrill:
    """What is wrong in a script, with the line, and the nearest word for a wrong one."""
    if isinstance(error, SyntaxError):
        return BadDrill(str(path), error.lineno or 0, f"this is no Python: {error.msg}")
    line, text = _line_of(error, path), str(error)
    if isinstance(error, LabError):
        return BadDrill(str(path), line, error.message, error.next_step)
    if found := _KEYWORD.search(text):
        known = [each.name for each in fields(Drill)] if found[1] == "Drill" else []
        return _unknown(path, _line_of_keyword(path, found[2]) or line, f"field of {found[1]}",
                        found[2], known)  # fmt: skip
    if found := _MISSING.search(text):
        return BadDrill(str(path), line, f"the drill does not say its {found[1]}")
    public = getattr(sys.modules.get("lab.api"), "__all__", ())
    if found := _IMPORT.search(text):
        return _unknown(path, line, "name in lab.api", found[1], public)
    if isinstance(error, NameError) and error.name:
        return _unknown(path, line, "name", error.name, public)
    return BadDrill(str(path), line, f"{type(error).__name__}: {error}")


def _unknown(path: Path, line: int, kind: str, word: str, known: Iterable[str]) -> BadDrill:
    told = UnknownName(kind, word, known)
    return BadDrill(str(path), line, told.message, told.next_step)


def _line_of(error: BaseException, path: Path) -> int:
    """The last line of the script itself that led to an error; 0 if none did."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((each.lineno or 0 for each in reversed(frames) if each.filename == str(path)), 0)


def _line_of_keyword(path: Path, name: str) -> int:
    """Where a field is given a value; 0 if that is nowhere to be seen."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    keywords = (each for node in calls for each in node.keywords if each.arg == name)
    return next((each.value.lineno for each in keywords), 0)


def _line_of_text(source: str, text: str) -> int:
    """Where a text stands in quotes; 0 if that is nowhere to be seen."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return next((node.lineno for node in nodes if node.value == text), 0)


def _refuse_unfit(drill: Drill, path: Path, source: str) -> None:
    """Raise BadDrill for a field that holds something else than it should."""

    def bad(name: str, reason: str, hint: str = "") -> BadDrill:
        return BadDrill(str(path), _line_of_keyword(path, name), f"{name}: {reason}", hint)

    if not (isinstance(drill.name, str) and re.fullmatch(NAME, drill.name)):
        raise bad("name", f"{drill.name!r} is no name", "small letters, digits and hyphens")
    for name, (kind, written) in _ITEMS.items():
        value = getattr(drill, name)
        if not isinstance(value, tuple) or not all(isinstance(each, kind) for each in value):
            raise bad(name, "is no tuple of its items", f"write {name}=({written},)")
    for each in drill.objectives:
        try:
            metric(each.name)
        except UnknownName as error:
            line = _line_of_text(source, each.name)
            raise BadDrill(str(path), line, error.message, error.next_step) from error
    if not drill.objectives:
        raise bad("objectives", "is empty, and the drill would be judged by nothing")
