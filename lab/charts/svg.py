"""A few words of SVG: elements as escaped text, and the scale that charts share. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from lab.core.words import visible

_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(text: str) -> str:
    """XML has no way to write most control characters, not even escaped."""
    return _ILLEGAL.sub("\ufffd", text)


def shown(value: object) -> object:
    """A value as a page shows it: what steers a terminal or the direction of text is written out.

    Markup stays markup.
    """
    if not isinstance(value, str) or (told := visible(value)) == value:
        return value
    return type(value)(told)


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """One element. `font_size=11` becomes font-size="11", `class_` becomes class.

    Numbers are rounded to a tenth of a pixel; text is escaped, other elements are not.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(visible(each) if type(each) is str else each for each in children)
    return Markup(f"<{name}{pairs}>{body}</{name}>")  # noqa: S704 - every part is escaped


def _text(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else visible(str(value))


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    """A piece of text with its baseline at (x, y)."""
    return tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def drawing(width: float, height: float, title: str, *children: str, class_: str = "") -> Markup:
    """A whole picture that scales with its place; `title` is read to those who cannot see it."""
    return tag(
        "svg",
        *children,
        viewBox=f"0 0 {_text(float(width))} {_text(float(height))}",
        class_=class_ or None,
        role="img",
        aria_label=title,
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low`..`high` to pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.stop - self.start)


def ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """At most `most` round values (1, 2 or 5 times a power of ten apart) within low..high."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / max(most, 1)))
    step = next(power * m for m in (1, 2, 5, 10, 20) if span / (power * m) <= max(most - 1, 1))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(n * step, 10) for n in range(first, last + 1))


TEXT_WIDTH = 6.2
"""Pixels that one character of an 11 px label takes, on the safe side."""


def width_of(text: str) -> float:
    """About how wide a label is, in pixels."""
    return len(text) * TEXT_WIDTH
