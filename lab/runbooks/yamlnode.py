"""A YAML text as items that know their line, and say so when they are not what they must be. Pure.

Nothing is made of what stands in a text: a tag in it is a word like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

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
_WHOLE: Final = re.compile(r"0|[1-9][0-9]*")
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


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
    def is_nothing(self) -> bool:
        """True where a value could stand and none does."""
        return self.node.tag == f"{_TAG}null" and isinstance(self.node, yaml.ScalarNode)

    @property
    def is_text(self) -> bool:
        """True for what is read as text, and as nothing else."""
        return self._is("str")

    @property
    def is_mapping(self) -> bool:
        """True for keys with values."""
        return isinstance(self.node, yaml.MappingNode)

    def called(self, label: str) -> Item:
        """The same under another name."""
        return Item(self.source, label, self.node)

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
        if not self.is_text:
            raise self._not("a text", "put it in quotes" if self._is() else "")
        words = " ".join(self.node.value.split())
        if not words:
            raise self.wrong(f"{self.label} is empty")
        odd = next((each for each in words if not each.isprintable()), "")
        if odd:
            raise self.wrong(f"{self.label} holds U+{ord(odd):04X}, which cannot be printed")
        return words

    def flag(self) -> bool:
        """True or false, in the two words that every reader of YAML understands."""
        word = self.node.value.lower() if self._is("bool") else ""
        if word not in ("true", "false"):
            raise self._not("true or false")
        return bool(word == "true")

    def whole(self) -> int:
        """A whole number: not signed, and in tens, which every reader of YAML understands."""
        return int(self._digits("a whole number", _WHOLE, "int"))

    def number(self) -> float:
        """A number: neither signed nor infinite."""
        return self._digits("a number", _NUMBER, "int", "float")

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
        if not isinstance(self.node, yaml.MappingNode):
            raise self._not("a mapping of keys to values")
        lines: dict[str, int] = {}
        for node, _ in self.node.value:
            key = Item(self.source, "a key", node)
            name = key.text()
            if name in lines:
                first = lines[name]
                raise key.wrong(f"key {shortened(name)!r} is on line {first} already")
            lines[name] = key.line
        return tuple(
            (Item(self.source, "a key", key), Item(self.source, name, value))
            for name, (key, value) in zip(lines, self.node.value, strict=True)
        )

    # ── what it is ───────────────────────────────────────────────────────────────────────────

    def _is(self, *kinds: str) -> bool:
        """True for a single value: of any kind but nothing, or of one of some kinds."""
        if not isinstance(self.node, yaml.ScalarNode) or self.is_nothing:
            return False
        return not kinds or self.node.tag.removeprefix(_TAG) in kinds

    def _digits(self, wanted: str, shape: re.Pattern[str], *kinds: str) -> float:
        if not (self._is(*kinds) and shape.fullmatch(self.node.value)):
            raise self._not(wanted, "write it like 32: no sign, no unit, no zero in front")
        whole, _, rest = self.node.value.partition(".")
        # Longer ones are not even read: Python refuses numbers of thousands of digits.
        if len(whole) > len(str(LIMIT_NUMBER)) or int(whole) > LIMIT_NUMBER:
            raise self.wrong(f"{self.label} is more than {LIMIT_NUMBER}")
        return float(f"{whole}.{rest or 0}")

    def _not(self, wanted: str, hint: str = "") -> BadRunbook:
        return self.wrong(f"{self.label} must be {wanted}, not {self._described()}", hint)

    def _described(self) -> str:
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        if self.is_nothing:
            return "nothing"
        kinds = {"str": "the text", "int": "the number", "float": "the number", "bool": "the flag"}
        kind = self.node.tag.removeprefix(_TAG)
        tagged = "" if self.node.tag.startswith(_TAG) else f" tagged {shortened(kind)}"
        return f"{kinds.get(kind, '')} {shortened(self.node.value)!r}{tagged}".lstrip()


# ── from a text ──────────────────────────────────────────────────────────────────────────────────


def document(text: str, source: str, label: str) -> Item:
    """The one document of a text. Raises BadRunbook for what is no YAML, or more than is sane."""
    refuse = _refusal(text, source)
    if len(text) > LIMIT_BYTES:
        raise too_large(source)
    odd = _FORBIDDEN.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        refuse(line, f"U+{ord(odd[0]):04X} is a character that YAML does not know", "take it out")
    node = _composed(text, refuse)
    if node is None or Item(source, label, node).is_nothing:
        refuse(1, "there is nothing in it", "see chaos/runbooks for what a runbook looks like")
    return Item(source, label, node)


def too_large(source: str) -> BadRunbook:
    """The error of a file that a program wrote."""
    return BadRunbook(
        source, 0, f"more than {LIMIT_BYTES // 1024} KiB: that is no runbook", SHIPPED
    )


_Refuse = Callable[[int, str, str], NoReturn]


def _refusal(text: str, source: str) -> _Refuse:
    lines = text.count("\n") + 1

    def refuse(line: int, reason: str, hint: str) -> NoReturn:
        raise BadRunbook(source, min(line, lines), reason, hint) from None

    return refuse


class _Composer(yaml.SafeLoader):
    """Composes no deeper than is sane, and nothing that contains itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open: list[str | None] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor, mark = getattr(event, "anchor", None), event.start_mark
        line = mark.line + 1 if mark else 1
        if isinstance(event, yaml.AliasEvent) and anchor in self._open:
            raise _Twisted(line, f"*{shortened(str(anchor))} stands inside of what it stands for")
        if len(self._open) == LIMIT_DEPTH:
            raise _Twisted(line, f"nested more than {LIMIT_DEPTH} levels deep")
        self._open.append(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._open.pop()


class _Twisted(Exception):
    """Good YAML that is refused all the same."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def _composed(text: str, refuse: _Refuse) -> yaml.Node | None:
    loader = _Composer(text)
    try:
        return loader.get_single_node()
    except _Twisted as error:
        refuse(error.line, error.reason, "")
    except yaml.MarkedYAMLError as error:
        refuse(*_explained(error))
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML leaves numbers in escapes and directives to Python, whose errors have no line.
        refuse(loader.line + 1, "not YAML: no such character or version", "")


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
