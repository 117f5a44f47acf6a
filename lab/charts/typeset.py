"""How wide text is in a picture, and where its lines end. Pure.

It is not known which font will show a picture. The widths are the larger ones of DejaVu
Sans and Liberation Sans (as wide as Arial and Helvetica), so text may end early and never late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_GROUPS: Final = (
    (290, "'ijl"),
    (330, " ,.I"),
    (380, "/:;\\|f-·’‘"),
    (420, "()[]t!r"),
    (520, '"*`J'),
    (570, "_szc?L–“”"),
    (610, "kvxy"),
    (640, "aeo$0123456789bdghnpquTF{}"),
    (670, "ESPKY"),
    (730, "ABVXZCR"),
    (790, "UNHDG&OQ"),
    (840, "w#+<=>^~×✓✕"),
    (870, "M"),
    (1020, "%mW@—→←…"),
)
_WIDTHS: Final = {letter: width for width, letters in _GROUPS for letter in letters}
"""Thousandths of the font's size."""

_ANY: Final = 1400
"""Of a letter that was not measured."""

_BOLD: Final = 1.19
"""How much wider a bold letter is, at most."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a text takes at a font size, at most."""
    return sum(_WIDTHS.get(letter, _ANY) for letter in text) * size / 1000 * (_BOLD if bold else 1)


def wrapped(text: str, room: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """A text as lines that are no wider than `room` pixels; words that are wider are broken.

    A letter that is wider than the room has a line of its own.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines += _broken(word, room, size, bold)
    return tuple(filter(None, lines))


def _broken(word: str, room: float, size: float, bold: bool) -> Iterator[str]:
    part = ""
    for letter in word:
        if part and width(part + letter, size, bold=bold) > room:
            yield part
            part = ""
        part += letter
    yield part
