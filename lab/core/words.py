"""Figures as people read them. What was not measured is said to be so, never shown as a number."""

from __future__ import annotations

import re
from collections.abc import Iterable

NOT_MEASURED = "not measured"

_NAMED = (
    "doctor|up|down|reset|status|logs|psql|dig|drill|matrix|soak|tune|reconcile"
    "|fault inject|fault heal|load start|load stop|load mark|load status|report"
    "|runbook run|runbook check|shop check|route set|route show"
)
_NAMELESS = (
    "images save|images load|fault list|lint|route list|route check|runbook list|runbook show"
    "|runbook steps"
)
_COMMAND = re.compile(rf"(?<!the )(?<!this )\blab (?:(?P<named>{_NAMED})|{_NAMELESS})\b(?! --name)")
"""One of the lab's own commands in a text; `named` are those that take the name of a lab."""

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that steer a terminal or turn the direction of text, and halves of characters."""


def visible(text: str) -> str:
    """A text as it may be shown: what would steer the terminal is written out, as in JSON.

    Names of files, and texts of documents that were changed, may hold anything.
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def seconds(value: float | None) -> str:
    """0 s, 0.034 s, 3.21 s, 41.3 s, 8 min 20 s."""
    if value is None:
        return NOT_MEASURED
    if value == 0:
        return "0 s"
    size = abs(value)
    if size >= 180:
        minutes, rest = divmod(round(size), 60)
        return f"{'-' if value < 0 else ''}{minutes} min {rest} s"
    digits = 3 if size < 0.1 else 2 if size < 10 else 1
    return f"{value:.{digits}f} s"


def moment(value: float | None) -> str:
    """Seconds before (−) or after (+) the fault: +3.21 s."""
    return NOT_MEASURED if value is None else f"{value:+.2f} s".replace("-", "−")


def rate(value: float | None) -> str:
    """Operations per second: 49.9/s."""
    return NOT_MEASURED if value is None else f"{value:,.1f}/s"


def milliseconds(value: float | None) -> str:
    """A latency: 4.2 ms, 83 ms."""
    if value is None:
        return NOT_MEASURED
    return f"{value * 1000:.{1 if value < 0.01 else 0}f} ms"


def size(value: float | None) -> str:
    """Bytes with a unit that fits: 512 B, 14.2 KiB."""
    if value is None:
        return NOT_MEASURED
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def number(value: float | None, unit: str = "") -> str:
    """A figure with its unit: counts with separators, seconds and bytes in their own way."""
    if value is None:
        return NOT_MEASURED
    if unit in ("s", "bytes"):
        return seconds(value) if unit == "s" else size(value)
    shown = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{shown} {unit}".strip()


def limit(value: float, unit: str = "") -> str:
    """What an objective asks for, as exact as it was given: 0.5 s, 300 s, 1,000 writes."""
    return f"{value:g} s" if unit == "s" else number(value, unit)


def count(value: int, one: str, many: str | None = None) -> str:
    """1 write, 12 writes, no writes."""
    word = one if value == 1 else many or f"{one}s"
    return f"{'no' if value == 0 else f'{value:,}'} {word}"


def listed(items: Iterable[object]) -> str:
    """a, b and c."""
    return _joined(items, " and ")


def either(items: Iterable[object]) -> str:
    """a, b or c."""
    return _joined(items, " or ")


def _joined(items: Iterable[object], last: str) -> str:
    told = [*map(str, items)]
    return last.join(filter(None, [", ".join(told[:-1]), *told[-1:]]))


def typed(text: str, program: str, flag: str) -> str:
    """A text with commands of the lab as they are typed here, for the lab that the flag names."""

    def as_typed(found: re.Match[str]) -> str:
        command = found[0].removeprefix("lab")
        return f"{program}{command}{flag if found['named'] else ''}"

    return _COMMAND.sub(as_typed, text)
