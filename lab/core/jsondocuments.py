"""JSON documents that the lab wrote, read back strictly; what is wrong is said in words."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from lab.core.errors import UsageError, brief
from lab.core.lazylibraries import lazily

if TYPE_CHECKING:
    import pydantic
else:
    pydantic = lazily("pydantic")

Document = TypeVar("Document")
Model = TypeVar("Model", bound="pydantic.BaseModel")
CHANGED: Final = "it was damaged or changed since the lab wrote it; run the drill again"
_WORDS: Final = {
    "missing": "missing",
    "finite_number": "no finite number",
    "float_type": "no number",
    "int_type": "no whole number",
    "int_from_float": "no whole number",
    "int_parsing": "no whole number",
    "int_parsing_size": "no whole number that a computer counts to",
    "string_type": "no text",
    "string_too_short": "empty",
    "string_pattern_mismatch": "no text of the form {pattern}",
    "bool_type": "neither true nor false",
    "datetime_type": "no moment",
    "datetime_from_date_parsing": "no moment",
    "datetime_parsing": "no moment",
    "tuple_type": "no list",
    "dict_type": "no object",
    "model_type": "no object",
    "dataclass_type": "no object",
    "too_long": "more than {max_length} entries",
    "enum": "none of {expected}",
    "literal_error": "not {expected}",
    "greater_than_equal": "less than {ge:,}",
    "less_than": "not below {lt:,}",
    "less_than_equal": "more than {le:,}",
    "json_invalid": "no JSON: {error}",
    "value_error": "{error}",
}
"""What is wrong, by the name that pydantic has for it."""

_ANY_OF: Final = frozenset({"str", "int", "float", "bool", "constrained-int"})
"""How pydantic names the alternatives of a value that may be of several kinds."""


def reason(error: pydantic.ValidationError) -> str:
    """Where in a document the first thing is wrong, and what: `events 3, at: no number`."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = list(first["loc"])
    context = {name: _whole(value) for name, value in first.get("ctx", {}).items()}
    what = _WORDS.get(first["type"], "").format(**context) or first["msg"]
    what = what.replace(" at line 1 column ", " at column ")  # a record has its own lines
    if where and where[-1] in _ANY_OF:
        where.pop()
        what = "neither a text nor a finite number"
    if where and where[-1] == "[key]":
        where.pop()
        what = f"its name is {what}"
    return brief(f"{place(where)}: {what}" if where else what)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(value: object) -> str:
    """A value of a document as JSON has it, briefly: `null` and not None."""
    return f"{json.dumps(value, default=str):.40}"


def place(where: Iterable[int | str]) -> str:
    """A place in a document: names and, behind a list's name, the entry's number from 0."""
    parts: list[str] = []
    for each in where:
        if isinstance(each, int) and parts:
            parts[-1] += f" {each}"
        else:
            parts.append(str(each))
    return ", ".join(parts)


def read(
    path: Path, check: Callable[[bytes], Document], what: str, hint: str = CHANGED
) -> Document:
    """Read a document, `check` makes it of its bytes. Raises UsageError when it is none."""
    try:
        return check(content(path))
    except pydantic.ValidationError as error:
        raise UsageError(f"{path} is no {what}: {reason(error)}", hint) from error


def content(path: Path) -> bytes:
    """The bytes of a file. Raises UsageError, also when it is no file but something else."""
    refuse_no_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def refuse_no_file(path: Path) -> None:
    """Raise UsageError unless a file is there: from a folder or a pipe nothing can be read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is no file", CHANGED)


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {error.strerror}", CHANGED)


def versioned(path: Path, model: type[Model], names: tuple[str, str], hint: str) -> Model:
    """Read a document whose `schema_version` says how it is to be read.

    `names` are those of the schema and of what it describes. Raises UsageError when it is none of
    this lab, or of another version; then with `hint`.
    """
    kind, what = names
    text = content(path)
    try:
        return model.model_validate_json(text, strict=True)
    except pydantic.ValidationError as error:
        found = {each["loc"]: each for each in error.errors(include_url=False)}
        if other := found.get(("schema_version",)):
            wanted = other.get("ctx", {}).get("expected")
            raise UsageError(
                f"{path} is of {kind} schema {shown(other['input'])},"
                f" but this lab reads schema {wanted}",
                hint,
            ) from error
        raise UsageError(f"{path} is no {what} of this lab: {reason(error)}", CHANGED) from error
