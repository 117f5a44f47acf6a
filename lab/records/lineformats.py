"""The shapes of an operation's line, spelled exactly as the users' process spells them. Pure.

One pattern holds all of them: the fields in the writer's order, strict numbers, texts without
escapes. A line that it matches gives a `Layout`: which byte may stand at which place. Lines of one
layout are held against it and read together, as a matrix of bytes. What fits no layout is not
wrong: the strict reader decides about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.records.history import Kind, Outcome

Bytes: TypeAlias = NDArray[np.uint8]

_WORD: Final = 8


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a value is written, as a pattern; `quoted` between quotation marks."""

    value: str
    quoted: bool = False


_TEXT: Final = Spelling(r"[ !#-\[\]-~]+", quoted=True)
_WHOLE: Final = Spelling(r"0|[1-9][0-9]{0,8}")
_INSTANT: Final = Spelling(r"(?:0|[1-9][0-9]{0,8})\.[0-9]{1,6}")  # exact in 53 bits
_XID: Final = Spelling(r"0|[1-9][0-9]{0,18}", quoted=True)  # within 64 bits
_FLAG: Final = Spelling("true|false")
_KIND: Final = Spelling("|".join(Kind), quoted=True)
_OUTCOME: Final = Spelling("|".join(Outcome), quoted=True)


@dataclass(frozen=True, slots=True)
class Field:
    """One field, in the place that the writer gives it."""

    name: str
    spelling: Spelling
    always: bool = True

    @property
    def pattern(self) -> str:
        """The field with its name and its comma."""
        mark = '"' if self.spelling.quoted else ""
        whole = f',"{self.name}":{mark}(?P<{self.name}>{self.spelling.value}){mark}'
        return whole if self.always else f"(?:{whole})?"


FIELDS: Final = (
    Field("key", _TEXT),
    Field("kind", _KIND),
    Field("start", _INSTANT),
    Field("end", _INSTANT),
    Field("tried", _INSTANT, always=False),
    Field("population", _TEXT),
    Field("user", _WHOLE),
    Field("honours_ttl", _FLAG),
    Field("outcome", _OUTCOME),
    Field("attempts", _WHOLE),
    Field("status", _WHOLE, always=False),
    Field("region", _TEXT, always=False),
    Field("node", _TEXT, always=False),
    Field("timeline", _WHOLE, always=False),
    Field("xid", _XID, always=False),
    Field("lsn", _TEXT, always=False),
    Field("address", _TEXT, always=False),
    Field("request_id", _TEXT, always=False),
    Field("found", _FLAG, always=False),
    Field("cache", _TEXT, always=False),
    Field("error", _TEXT, always=False),
)
_LINE: Final = re.compile(
    (r'\{"record":"op"' + "".join(each.pattern for each in FIELDS) + r"\}").encode()
)
_NUMBERS: Final = (_WHOLE, _INSTANT, _XID)
_VARYING: Final = tuple(each for each in FIELDS if each.spelling in (_TEXT, *_NUMBERS))

# What a text may have where another line of its layout has anything but a blank or "!": from the
# character after the quotation mark on. Lines with a backslash never get here.
_FIRST: Final = ord("#")
_LAST: Final = ord("~")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What lines of one shape and length have in common.

    The byte at a place is from `low` to `low + span`. `at` has the fields whose value differs from
    line to line; `fixed` has the others, as they are written.
    """

    low: Bytes
    span: Bytes
    at: Mapping[str, slice]
    fixed: Mapping[str, bytes]

    def fits(self, lines: Bytes) -> NDArray[np.bool_]:
        """Which rows are lines of this layout."""
        odd = np.greater(lines - self.low, self.span).view(np.uint64)
        found: NDArray[np.bool_] = np.logical_not(odd.any(axis=1))
        return found

    def text(self, name: str, lines: Bytes) -> Bytes:
        """The bytes of a field, a row per line."""
        return lines[:, self.at[name]]

    def number(self, name: str, lines: Bytes) -> NDArray[np.float64]:
        """A number of each line, exactly as it is written."""
        digits = lines[:, self.at[name]]
        point = np.flatnonzero(self.low[self.at[name]] == ord("."))
        places = digits.shape[1] - 1 - point[0] if len(point) else 0
        if len(point):
            digits = np.delete(digits, point[0], axis=1)
        weights = 10.0 ** np.arange(digits.shape[1] - 1, -1, -1)
        whole: NDArray[np.float64] = (digits - np.uint8(ord("0"))).astype(np.float64) @ weights
        return whole / 10.0**places


def padded(length: int) -> int:
    """Bytes of a row that holds a line of that length."""
    return -(-length // _WORD) * _WORD


def layout(line: bytes) -> Layout | None:
    """The layout of a line without its line feed; None when the pattern does not match it."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    low = np.zeros(padded(len(line)), np.uint8)
    low[: len(line)] = np.frombuffer(line, np.uint8)
    high = low.copy()
    high[len(line) :] = 255
    at = {each.name: slice(*found.span(each.name)) for each in _VARYING if found[each.name]}
    for each in _VARYING:
        if each.name in at:
            place = at[each.name]
            bounds = _digits if each.spelling in _NUMBERS else _characters
            low[place], high[place] = bounds(low[place])
    fixed = {name: value for name, value in found.groupdict().items() if value and name not in at}
    return Layout(low, high - low, at, fixed)


def _digits(written: Bytes) -> tuple[Any, Any]:
    """A digit for a digit; the first of several is no 0."""
    digit = np.not_equal(written, ord("."))
    low, high = np.where(digit, ord("0"), written), np.where(digit, ord("9"), written)
    if len(digit) > 1 and digit[1]:
        low[0] = ord("1")
    return low, high


def _characters(written: Bytes) -> tuple[Any, Any]:
    """Any character for a character; a blank and "!" stand for themselves."""
    any_one = written >= _FIRST
    return np.where(any_one, _FIRST, written), np.where(any_one, _LAST, written)
