"""A mistake in a user's own Python file, as one error: its file, its line and the nearest word."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from lab.core.errors import BadDrill, BadFile, LabError, LibraryMissing, Unfit, UnknownName
from lab.core.paths import real
from lab.drills.row import Drill

_CALLED: Final = r"(\w+)(?:\.__init__)?\(\) "
_KEYWORD: Final = re.compile(_CALLED + r"got an unexpected keyword argument '(\w+)'")
_MISSING: Final = re.compile(_CALLED + r"missing \d+ required .*?: (.*)")
_ARGUMENTS: Final = re.compile(_CALLED + r"(?:takes .* positional|got multiple values)")
_IMPORT: Final = re.compile(r"cannot import name '(\w+)' from 'lab\.api'")


def explained(error: BaseException, path: Path) -> BadFile:
    """What is wrong in a script, with the line, and the nearest word for a wrong one."""
    if isinstance(error, SyntaxError):
        line = error.lineno or 0
        return BadDrill(error.filename or str(path), line, f"this is no Python: {error.msg}")
    if isinstance(error, BadFile) and error.line:
        return error  # it names the file that the mistake is in, and the line
    file, line = _place_of(error, path)
    if isinstance(error, LabError):
        line = _line_of_word(file, line, error)
        return BadDrill(str(file), line, error.message, error.next_step)
    told = LibraryMissing.told(error) or _of_a_call(error, file, line) or _of_a_name(error)
    if told is None:
        said = " ".join(str(error).split())
        return BadDrill(str(file), line, f"{type(error).__name__}: {said}")
    return BadDrill(str(file), _line_of_word(file, line, told), told.message, told.next_step)


# ── a call that does not fit its function ────────────────────────────────────────────────────


def _of_a_call(error: BaseException, file: Path, line: int) -> LabError | None:
    """What is wrong with a call of the lab's own; None for any other error."""
    text = str(error)
    found = next((m for each in (_KEYWORD, _MISSING, _ARGUMENTS) if (m := each.search(text))), None)
    function = _public().get(found[1]) if found and isinstance(error, TypeError) else None
    if found is None or function is None:
        return None
    if found.re is _KEYWORD:
        return _no_such_option(function, found[1], found[2])
    if found.re is _MISSING:
        who = "the drill" if function is Drill else f"{found[1]}()"
        return LabError(f"{who} does not say its {found[2]}", f"write {written(function)}")
    return LabError(f"the values of {found[1]}() do not fit", f"write {written(function)}")


def _no_such_option(function: Callable[..., Any], called: str, word: str) -> UnknownName:
    kind = "field" if isinstance(function, type) else "option"
    told = UnknownName(f"{kind} of {called}", word, _options(function))
    beside = [name for name, each in _public().items() if word in _options(each)]
    if beside:
        told.next_step = f"{beside[0]}() has it; {called}() has {', '.join(_options(function))}"
    return told


def _public() -> dict[str, Callable[..., Any]]:
    """What a script may call: the public names, and the verbs if it has loaded them."""
    api, byhand = sys.modules.get("lab.api"), sys.modules.get("lab.drills.byhand")
    names = {name: getattr(api, name) for name in getattr(api, "__all__", ())}
    verbs = vars(byhand.Hands).items() if byhand else ()
    return names | {name: each for name, each in verbs if callable(each) and name[0] != "_"}


def _parameters(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    return (each for each in inspect.signature(function).parameters.values() if each.name != "self")


def _options(function: Callable[..., Any]) -> tuple[str, ...]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(each.name for each in _parameters(function) if each.kind in named)


def written(function: Callable[..., Any]) -> str:
    """How a call is written: `fault(name, link=…)`."""
    words = [
        each.name if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        else "OPTION=…" if each.kind is each.VAR_KEYWORD
        else f"{each.name}=…"
        for each in _parameters(function)
    ]  # fmt: skip
    return f"{function.__name__}({', '.join(words)})"


# ── a name that there is not ─────────────────────────────────────────────────────────────────


def _of_a_name(error: BaseException) -> LabError | None:
    """The nearest word for a name that is not there; None for any other error."""
    if found := _IMPORT.search(str(error)):
        return UnknownName("name in lab.api", found[1], _public())
    if isinstance(error, NameError) and error.name:
        return UnknownName("name", error.name, _public())
    if isinstance(error, AttributeError) and error.name:
        kind = type(error.obj)
        if kind.__module__.startswith("lab."):
            known = [each for each in dir(error.obj) if each[0] != "_"]
            what = "verb" if kind.__name__ == "Hands" else f"field of {kind.__name__}"
            return UnknownName(what, error.name, known)
    return None


# ── where it is ──────────────────────────────────────────────────────────────────────────────


def _place_of(error: BaseException, path: Path) -> tuple[Path, int]:
    """The last line of the script, or of a file beside it, that led to an error; else line 0."""
    script = real(path)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = real(Path(frame.filename))
        if not file.is_file():
            continue  # what `exec` runs has no file
        if file == script:
            return path, frame.lineno or 0
        if file.parent == script.parent:
            return path.parent / file.name, frame.lineno or 0
    return path, 0


def _line_of_word(file: Path, line: int, told: LabError) -> int:
    """Where a call that begins at the line gives the field its value, or has the wrong word."""
    if not isinstance(told, Unfit | UnknownName):
        return line
    found = [*_lines_of(file, line, told.name)]
    return next(iter(found), line)


def line_of_keyword(file: Path, name: str) -> int:
    """Where a field is given a value; 0 if that is nowhere to be seen."""
    return next(_lines_of_keyword(_calls(file), name), 0)


def line_of_text(file: Path, text: str) -> int:
    """Where a text is an argument; 0 if that is nowhere to be seen."""
    return next(_lines_of_text(_calls(file), text), 0)


def _lines_of(file: Path, line: int, word: str) -> Iterator[int]:
    calls = [each for each in _calls(file) if each.lineno == line]
    yield from _lines_of_keyword(calls, word)
    yield from _lines_of_text(calls, word)


def _lines_of_text(calls: Iterable[ast.Call], text: str) -> Iterator[int]:
    nodes = (node for call in calls for node in ast.walk(call) if isinstance(node, ast.Constant))
    return (node.lineno for node in nodes if node.value == text)


def _lines_of_keyword(calls: Iterable[ast.Call], name: str) -> Iterator[int]:
    return (each.value.lineno for call in calls for each in call.keywords if each.arg == name)


def _calls(file: Path) -> list[ast.Call]:
    """Every call in a file, the outer ones first; none of a file that cannot be read."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
