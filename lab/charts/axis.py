"""The time axis that all lanes of a report share, and what every lane is made of. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from lab.charts.svg import Scale, label, tag, ticks, width_of
from lab.core.topology import REGIONS
from lab.records.result import Result

LEFT: Final = 70.0
RIGHT: Final = 12.0
FOOT: Final = 38.0
HOLD: Final = 1.5
"""A sample stands for the time until the next one, and for so many seconds at most."""

_ZEROS: Final = {
    "fault_started": "the fault",
    "runbook_started": "the first step",
    "drill_started": "the start of the drill",
    "load_started": "the start of the load",
}
_LINE: Final = 16.0
_SWATCH: Final = 12.0

HATCHES: Final = {
    "fail": "M-1 1L1 -1M0 6L6 0M5 7L7 5",
    "unknown": "M1.5 1.5h.1M4.5 4.5h.1",
    "local": "M0 3H6",
}


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds to pixels, for one width of picture; `each` is the seconds that a bar stands for."""

    x: Scale
    width: float
    each: int

    @property
    def suffix(self) -> str:
        """What tells ids of this picture from those of the page's others."""
        return f"w{self.width:.0f}"

    def stretch(self, start: float, end: float) -> tuple[float, float] | None:
        """Left edge and width in pixels of a stretch of time; None when none of it is shown."""
        left, right = max(start, self.x.low), min(end, self.x.high)
        return None if right <= left else (self.x(left), self.x(right) - self.x(left))

    def fill(self, name: str) -> str | None:
        """The hatch of that name, None for what is filled by its class."""
        return f"url(#{name}-{self.suffix})" if name in HATCHES else None


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend. `shape` is `box`, `line` or `thin`; `class_` colours or hatches it."""

    text: str
    class_: str
    shape: str = "box"


@dataclass(frozen=True, slots=True)
class Block:
    """What a lane draws, from y = 0 down, and how high that is; `keys` explain its colours."""

    drawn: Markup
    height: float
    keys: tuple[Key, ...] = ()


def of(result: Result, width: float) -> Axis | None:
    """The axis that shows everything recorded per second or sampled; None when nothing was.

    Steps that end later do not stretch it. A bar is 5 px wide at least, and none reaches across
    the fault.
    """
    starts = [
        *(row.at for row in result.traffic),
        *(row.at for row in result.latencies),
        *(row.at for row in result.addresses),
    ]
    moments = [sample.at for sample in result.samples]
    if not starts and not moments:
        return None
    end = max([*(at + 1 for at in starts), *(at + HOLD / 3 for at in moments)])
    begin = min([*starts, *moments, *(s.started for s in result.steps if s.started <= end)])
    room = width - LEFT - RIGHT
    each = max(1, math.ceil((end - begin) * 5 / room))
    low = min(float(min((at // each * each for at in starts), default=begin)), begin)
    high = max(float(max((at // each * each + each for at in starts), default=end)), end)
    return Axis(Scale(low, high, LEFT, width - RIGHT), width, each)


def stretches(moments: Sequence[float]) -> list[tuple[float, float]]:
    """What each moment stands for: until the next one, for `HOLD` at most; the last, a third."""
    ends = [min(later, at + HOLD) for at, later in pairwise(moments)]
    return list(zip(moments, [*ends, *(at + HOLD / 3 for at in moments[-1:])], strict=True))


def grid(axis: Axis, height: float, zero: str) -> Markup:
    """Faint lines through all lanes, and the figures under them; `zero` is the result's."""
    x = axis.x
    unit = f"seconds after {_ZEROS.get(zero, 'the first write')}"
    found = figures(x, height, 11 if axis.width > 600 else 6, _signed, unit)
    line = tag("line", x1=x.start, x2=x.stop, y1=height, y2=height, class_="axis")
    return tag("g", found, line)


def figures(
    x: Scale, y: float, most: int, text: Callable[[float], str], unit: str, top: float = 4.0
) -> Markup:
    """At most so many figures below `y`, with faint lines from `top` down to them."""
    parts = [label(x.stop, y + 31, unit, "unit", "end")]
    for value in ticks(x.low, x.high, most):
        parts.append(tag("line", x1=x(value), x2=x(value), y1=top, y2=y, class_="grid"))
        parts.append(label(x(value), y + 15, text(value), anchor="middle"))
    return tag("g", *parts)


def _signed(value: float) -> str:
    return f"{value:+,g}".replace("-", "−") if value else "0"


def levels(
    axis: Axis, marks: Iterable[tuple[float, str]], top: float = 0.0, bottom: float = 0.0
) -> Markup:
    """Horizontal lines with their figures in the margin, at (y, text); text stays in the lane."""
    parts: list[Markup] = []
    for y, text in marks:
        parts.append(tag("line", x1=axis.x.start, x2=axis.x.stop, y1=y, y2=y, class_="grid"))
        at = min(max(y + 4, top + 8), bottom or y + 4)
        parts.append(label(axis.x.start - 6, at, text, "unit", "end"))
    return tag("g", *parts)


def name(axis: Axis, y: float, text: str) -> Markup:
    """What a row shows, in the margin, its middle at `y`."""
    return label(axis.x.start - 6, y + 4, text, anchor="end")


def region_class(region: str | None) -> str:
    """Each region has a colour of its own, whichever others are in the picture."""
    names = [each.name for each in REGIONS]
    return f"region-{names.index(region) + 1}" if region in names else "region-0"


def legend(keys: Iterable[Key], axis: Axis, top: float) -> tuple[Markup, float]:
    """Entries side by side, wrapped at the right edge; the picture and its height."""
    parts: list[Markup] = []
    x, y = 4.0, top
    for key in keys:
        needed = _SWATCH + 6 + width_of(key.text) + 14
        if x > 4 and x + needed - 14 > axis.width - 4:
            x, y = 4.0, y + _LINE
        parts.append(_swatch(key, axis, x, y))
        parts.append(label(x + _SWATCH + 6, y + 11, key.text, "key"))
        x += needed
    return tag("g", *parts), (y + _LINE - top if parts else 0.0)


def _swatch(key: Key, axis: Axis, x: float, y: float) -> Markup:
    if key.shape == "box":
        size = {"width": _SWATCH, "height": _SWATCH - 2}
        return tag("rect", x=x, y=y + 2, class_=key.class_, fill=axis.fill(key.class_), **size)
    return tag("line", x1=x, x2=x + _SWATCH, y1=y + 7, y2=y + 7, class_=f"{key.shape} {key.class_}")


def patterns(suffix: str) -> Markup:
    """Hatches for what did not go well; ids must differ between pictures of one page."""
    return tag(
        "defs",
        *(
            tag(
                "pattern",
                tag("rect", width=6, height=6, class_=f"back-{each}"),
                tag("path", d=path, class_=f"hatch-{each}"),
                id=f"{each}-{suffix}",
                width=6,
                height=6,
                patternUnits="userSpaceOnUse",
            )
            for each, path in HATCHES.items()
        ),
    )
