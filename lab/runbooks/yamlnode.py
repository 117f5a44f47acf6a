"""A YAML file as items that know their line, and name it when they have the wrong kind.

No object is ever constructed from the text: a tag in it is a word like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from lab.core.errors import BadFile, BadRunbook, UnknownName

LIMIT_BYTES: Final = 256 * 1024
LIMIT_DEPTH: Final = 12
LIMIT_NUMBER: Final = 10**9
_TAG: Final = "tag:yaml.org,2002:"
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_WHOLE: Final = r"(?:0|[1-9][0-9]*)"
_NAMED: Final = {"str": "the text", "int": "the number", "float": "the number", "bool": "the flag"}


def shortened(text: str, length: int = 40) -> str:
    """A text from a file, short enough for a message."""
    return text if len(text) <= length else f"{text[:length]}…"


@dataclass(frozen=True, slots=True)
class Item:
    """What stands in one place of a file; `label` is what a message calls it.

    `bad` is the error of a mistake in it.
    """

    source: str
    label: str
    node: yaml.Node
    bad: type[BadFile] = BadRunbook

    @property
    def line(self) -> int:
        """The line it begins on, from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def kind(self) -> str:
        """What a single value is read as: `str`, `int`, `null`. Of any other it is empty."""
        return self.node.tag.removeprefix(_TAG) if isinstance(self.node, yaml.ScalarNode) else ""

    @property
    def is_mapping(self) -> bool:
        """True for keys with values."""
        return isinstance(self.node, yaml.MappingNode)

    def called(self, label: str) -> Item:
        """The same under another name."""
        return replace(self, label=label)

    def wrong(self, reason: str, hint: str = "") -> BadFile:
        """An error on this line."""
        return self.bad(self.source, self.line, reason, hint)

    def unknown(self, kind: str, known: Iterable[str]) -> BadFile:
        """The error of a word that is in no table, with the nearest that is."""
        error = UnknownName(kind, shortened(self.text()), known)
        return self.wrong(error.message, error.next_step)

    # ── what it must be ──────────────────────────────────────────────────────────────────────

    def text(self) -> str:
        """A text on one line: however it was folded, there is one space between two words."""
        if self.kind != "str":
            raise self._not("a text", "" if self.kind in ("", "null") else "put it in quotes")
        return self._printable(" ".join(self.node.value.split()))

    def as_written(self) -> str:
        """A text with every space that it has: a program is told it."""
        self.text()
        return self._printable(self.node.value)

    def as_typed(self) -> str:
        """A text or a number, as it stands there: the reader knows its units."""
        if self.kind not in ("str", "int", "float"):
            raise self._not("a value")
        return self._printable(" ".join(self.node.value.split()))

    def _printable(self, words: str) -> str:
        if not words:
            raise self.wrong(f"{self.label} is empty")
        odd = next((each for each in words if not each.isprintable()), "")
        if odd:
            raise self.wrong(f"{self.label} holds U+{ord(odd):04X}, which cannot be printed")
        return words

    def flag(self) -> bool:
        """True or false, in the two words that every reader of YAML understands."""
        if self.kind != "bool" or self.node.value.lower() not in ("true", "false"):
            raise self._not("true or false")
        return bool(self.node.value.lower() == "true")

    def whole(self) -> int:
        """A whole number: not signed, and in tens, which every reader of YAML understands."""
        return int(self._digits("a whole number", _WHOLE, "int"))

    def number(self) -> float:
        """A number: neither signed nor infinite."""
        return self._digits("a number", rf"{_WHOLE}(?:\.[0-9]+)?", "int", "float")

    def items(self) -> tuple[Item, ...]:
        """A list that is not empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self._not("a list")
        if not self.node.value:
            raise self.wrong(f"{self.label} is an empty list")
        return tuple(
            replace(self, label=f"{self.label}[{number}]", node=each)
            for number, each in enumerate(self.node.value, 1)
        )

    def pairs(self) -> tuple[tuple[Item, Item], ...]:
        """Keys and values, each key once."""
        if not self.is_mapping:
            raise self._not("a mapping of keys to values")
        found: dict[str, tuple[Item, Item]] = {}
        for node, value in self.node.value:
            key = replace(self, label="a key", node=node)
            name = key.text()
            if name in found:
                first = found[name][0].line
                raise key.wrong(f"key {shortened(name)!r} is on line {first} already")
            found[name] = key, replace(self, label=name, node=value)
        return tuple(found.values())

    def _digits(self, wanted: str, shape: str, *kinds: str) -> float:
        text = self.node.value
        if self.kind not in kinds or not re.fullmatch(shape, text):
            raise self._not(wanted, "write it like 32: no sign, no unit, no zero in front")
        # Longer ones are not even read: Python refuses numbers of thousands of digits.
        if len(text.partition(".")[0]) > len(str(LIMIT_NUMBER)) or float(text) > LIMIT_NUMBER:
            raise self.wrong(f"{self.label} is more than {LIMIT_NUMBER}")
        return float(text)

    def _not(self, wanted: str, hint: str = "") -> BadFile:
        return self.wrong(f"{self.label} must be {wanted}, not {self._described()}", hint)

    def _described(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            return "a mapping" if self.is_mapping else "a list"
        if self.kind == "null":
            return "nothing"
        tagged = "" if self.node.tag.startswith(_TAG) else f" tagged {shortened(self.kind)}"
        return f"{_NAMED.get(self.kind, '')} {shortened(self.node.value)!r}{tagged}".lstrip()


# ── from a text ──────────────────────────────────────────────────────────────────────────────────


def read(path: Path, bad: type[BadFile]) -> str:
    """The text of a file that a person wrote. Raises `bad`."""
    source = str(path)
    try:
        if path.is_dir():
            raise bad(source, 0, "is a folder, not a file", f"name a file in it; {bad.instead}")
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise bad(source, 0, f"cannot be read: {error.strerror}", bad.instead) from error
    except ValueError as error:  # the name itself: a null byte, half a character
        raise bad(repr(source), 0, f"is no name of a file: {error}", bad.instead) from error
    if len(data) > LIMIT_BYTES:
        raise _too_large(source, bad)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise bad(source, line, "is not UTF-8", "save it as UTF-8") from error


def document(text: str, source: str, label: str, bad: type[BadFile] = BadRunbook) -> Item:
    """The one document of a text. Raises `bad` for what is no YAML, or more than is sane."""
    if len(text) > LIMIT_BYTES:
        raise _too_large(source, bad)
    odd = _FORBIDDEN.search(text)
    if odd:
        reason = f"U+{ord(odd[0]):04X} is a character that YAML does not know"
        raise bad(source, text.count("\n", 0, odd.start()) + 1, reason, "take it out")
    node = _composed(text, source, bad)
    if node is None or Item(source, label, node).kind == "null":
        raise bad(source, 1, "there is nothing in it", bad.example)
    return Item(source, label, node, bad)


def _too_large(source: str, bad: type[BadFile]) -> BadFile:
    """The error of a file that a program wrote."""
    reason = f"more than {LIMIT_BYTES // 1024} KiB: that is no {bad.noun}"
    return bad(source, 0, reason, bad.instead)


class _Composer(yaml.SafeLoader):
    """Composes no deeper than is sane, and nothing that contains itself."""

    def __init__(self, text: str, source: str, bad: type[BadFile]) -> None:
        super().__init__(text)
        self._source, self._bad, self._open = source, bad, list[str | None]()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor, line = getattr(event, "anchor", None), event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and anchor in self._open:
            reason = f"*{shortened(str(anchor))} stands inside of what it stands for"
            raise self._bad(self._source, line, reason)
        if len(self._open) == LIMIT_DEPTH:
            raise self._bad(self._source, line, f"nested more than {LIMIT_DEPTH} levels deep")
        self._open.append(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._open.pop()


def _composed(text: str, source: str, bad: type[BadFile]) -> yaml.Node | None:
    loader = _Composer(text, source, bad)
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line, reason, hint = _explained(error, bad.noun)
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML leaves numbers in escapes and directives to Python, whose errors have no line.
        line, reason, hint = loader.line + 1, "not YAML: no such character or version", ""
    raise bad(source, min(line, text.count("\n") + 1), reason, hint)


def _explained(error: yaml.MarkedYAMLError, noun: str) -> tuple[int, str, str]:
    """The line, the reason and what to do about it."""
    problem = shortened(error.problem or "it cannot be read", 100)
    mark = error.problem_mark or error.context_mark
    if "end of stream" in problem and error.context_mark:
        mark = error.context_mark  # where what has no end began
    line = mark.line + 1 if mark else 1
    if error.context == "expected a single document in the stream":
        return line, "a second document begins here", f"a file holds one {noun}"
    if "'\\t'" in problem:
        return line, "not YAML: a tab", "use spaces"
    if "chomping or indentation" in problem:
        return line, "not YAML: a value begins with >", "put it in quotes, such as '>= 1000'"
    around = f" ({shortened(error.context, 100)})" if error.context else ""
    return line, f"not YAML: {problem}{around}", "see that quotes and brackets end, and indents fit"
