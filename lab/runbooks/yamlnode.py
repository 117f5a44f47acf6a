"""A YAML text as items that know their line, and name it when they have the wrong kind. Pure.

No object is ever constructed from the text: a tag in it is a word like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import yaml

from lab.core.errors import BadRunbook, UnknownName

LIMIT_BYTES: Final = 256 * 1024
LIMIT_DEPTH: Final = 12
LIMIT_NUMBER: Final = 10**9
SHIPPED: Final = "see those that come with the lab: lab runbook list"
"""The next step where a file is no runbook at all."""

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
    """What stands in one place of a file; `label` is what a message calls it."""

    source: str
    label: str
    node: yaml.Node

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

    def wrong(self, reason: str, hint: str = "") -> BadRunbook:
        """An error on this line."""
        return BadRunbook(self.source, self.line, reason, hint)

    def unknown(self, kind: str, known: Iterable[str]) -> BadRunbook:
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
            Item(self.source, f"{self.label}[{number}]", each)
            for number, each in enumerate(self.node.value, 1)
        )

    def pairs(self) -> tuple[tuple[Item, Item], ...]:
        """Keys and values, each key once."""
        if not self.is_mapping:
            raise self._not("a mapping of keys to values")
        found: dict[str, tuple[Item, Item]] = {}
        for node, value in self.node.value:
            key = Item(self.source, "a key", node)
            name = key.text()
            if name in found:
                first = found[name][0].line
                raise key.wrong(f"key {shortened(name)!r} is on line {first} already")
            found[name] = key, Item(self.source, name, value)
        return tuple(found.values())

    def _digits(self, wanted: str, shape: str, *kinds: str) -> float:
        text = self.node.value
        if self.kind not in kinds or not re.fullmatch(shape, text):
            raise self._not(wanted, "write it like 32: no sign, no unit, no zero in front")
        # Longer ones are not even read: Python refuses numbers of thousands of digits.
        if len(text.partition(".")[0]) > len(str(LIMIT_NUMBER)) or float(text) > LIMIT_NUMBER:
            raise self.wrong(f"{self.label} is more than {LIMIT_NUMBER}")
        return float(text)

    def _not(self, wanted: str, hint: str = "") -> BadRunbook:
        return self.wrong(f"{self.label} must be {wanted}, not {self._described()}", hint)

    def _described(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            return "a mapping" if self.is_mapping else "a list"
        if self.kind == "null":
            return "nothing"
        tagged = "" if self.node.tag.startswith(_TAG) else f" tagged {shortened(self.kind)}"
        return f"{_NAMED.get(self.kind, '')} {shortened(self.node.value)!r}{tagged}".lstrip()


# ── from a text ──────────────────────────────────────────────────────────────────────────────────


def document(text: str, source: str, label: str) -> Item:
    """The one document of a text. Raises BadRunbook for what is no YAML, or more than is sane."""
    if len(text) > LIMIT_BYTES:
        raise too_large(source)
    odd = _FORBIDDEN.search(text)
    if odd:
        reason = f"U+{ord(odd[0]):04X} is a character that YAML does not know"
        raise BadRunbook(source, text.count("\n", 0, odd.start()) + 1, reason, "take it out")
    node = _composed(text, source)
    if node is None or Item(source, label, node).kind == "null":
        hint = "see chaos/runbooks for what a runbook looks like"
        raise BadRunbook(source, 1, "there is nothing in it", hint)
    return Item(source, label, node)


def too_large(source: str) -> BadRunbook:
    """The error of a file that a program wrote."""
    return BadRunbook(
        source, 0, f"more than {LIMIT_BYTES // 1024} KiB: that is no runbook", SHIPPED
    )


class _Composer(yaml.SafeLoader):
    """Composes no deeper than is sane, and nothing that contains itself."""

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text)
        self._source, self._open = source, list[str | None]()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor, line = getattr(event, "anchor", None), event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and anchor in self._open:
            reason = f"*{shortened(str(anchor))} stands inside of what it stands for"
            raise BadRunbook(self._source, line, reason)
        if len(self._open) == LIMIT_DEPTH:
            raise BadRunbook(self._source, line, f"nested more than {LIMIT_DEPTH} levels deep")
        self._open.append(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._open.pop()


def _composed(text: str, source: str) -> yaml.Node | None:
    loader = _Composer(text, source)
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line, reason, hint = _explained(error)
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML leaves numbers in escapes and directives to Python, whose errors have no line.
        line, reason, hint = loader.line + 1, "not YAML: no such character or version", ""
    raise BadRunbook(source, min(line, text.count("\n") + 1), reason, hint)


def _explained(error: yaml.MarkedYAMLError) -> tuple[int, str, str]:
    """The line, the reason and what to do about it."""
    problem = shortened(error.problem or "it cannot be read", 100)
    mark = error.problem_mark or error.context_mark
    if "end of stream" in problem and error.context_mark:
        mark = error.context_mark  # where what has no end began
    line = mark.line + 1 if mark else 1
    if error.context == "expected a single document in the stream":
        return line, "a second document begins here", "a file holds one runbook"
    if "'\\t'" in problem:
        return line, "not YAML: a tab", "use spaces"
    around = f" ({shortened(error.context, 100)})" if error.context else ""
    return line, f"not YAML: {problem}{around}", "see that quotes and brackets end, and indents fit"
