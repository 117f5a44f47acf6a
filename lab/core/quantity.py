"""Amounts as people type them: durations and sizes need a unit, counts take none. Pure.

Every function takes the text and what it was given for (`--rpo`), and raises UsageError that says
what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from lab.core.errors import UsageError, quoted

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_BARE: Final = re.compile(_NUMBER)
_PART: Final = re.compile(rf"({_NUMBER})(ms|[hms])")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_SIZE: Final = re.compile(rf"({_NUMBER})(B|KiB|MiB|GiB)")
_COUNT: Final = re.compile(r"[0-9]+")

_SECONDS: Final = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
"""Seconds of each unit, the greatest first: so they are written too (1h30m)."""

_WEEK: Final = Decimal(7 * 86_400)
"""Seconds: no run is longer (`lab.records.journalfile`)."""

_MOST: Final = Decimal(2**53 - 1)
"""Up to where every reader of JSON has whole numbers."""

_DIGITS_SHOWN: Final = 20
_DIGITS_KEPT: Final = 6
"""Behind the point, in a fault's own unit: 1001ms are 1001 ms, and not a little less."""

_BYTES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def duration(text: str, what: str, usual: Sequence[str] = ("s", "ms", "m")) -> float:
    """Seconds of `500ms`, `10s`, `5m`, `1h` or `1m30s`. `usual`: the units that a hint names."""
    if _BARE.fullmatch(text):
        raise _bare(text, what, "duration", usual)
    if not _DURATION.fullmatch(text):
        raise _unreadable(text, what, "duration", "500ms, 10s, 5m, 1h or 1m30s")
    parts = _PART.findall(text)
    order = [list(_SECONDS).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        raise _unreadable(text, what, "duration", "each unit once, the greatest first: 1h30m")
    seconds = sum(Decimal(number) * _SECONDS[unit] for number, unit in parts)
    return _up_to(_MOST, f"{_MOST}s", seconds, text, what)


def wait(text: str, what: str) -> float:
    """Seconds that a command is to wait: a duration of a week at most."""
    return _up_to(_WEEK, "168h", Decimal(duration(text, what)), text, what)


def size(text: str, what: str, usual: Sequence[str] = ("B", "KiB")) -> float:
    """Bytes of `512B`, `64KiB` or `1.5MiB`. `usual`: the units that a hint names."""
    if _BARE.fullmatch(text):
        raise _bare(text, what, "size", usual)
    match = _SIZE.fullmatch(text)
    if not match:
        raise _unreadable(text, what, "size", "512B, 64KiB or 1.5MiB")
    return _up_to(_MOST, f"{_MOST}B", Decimal(match[1]) * _BYTES[match[2]], text, what)


def count(text: str, what: str) -> float:
    """A whole number without unit or sign: `0`, `3`."""
    if not _COUNT.fullmatch(text):
        digits = _BARE.match(text)
        example = _example(digits[0].partition(".")[0] if digits else "")
        raise _unreadable(text, what, "count", f"a whole number without a unit, such as {example}")
    return _up_to(_MOST, f"{_MOST}", Decimal(text), text, what)


_READERS: Final[Mapping[str, Callable[[str, str], float]]] = {"s": duration, "bytes": size}


def amount(text: str, unit: str, what: str) -> float:
    """A value of a figure that is measured in `unit` (see `lab.metrics.objectives.Figure`)."""
    return _READERS.get(unit, count)(text, what)


_Reader: TypeAlias = Callable[[str, str, Sequence[str]], float]
_STRENGTHS: Final[Mapping[str, tuple[_Reader, Sequence[str], float]]] = {
    "ms": (duration, ("ms", "s"), 1000.0),
    "s": (duration, ("s", "ms"), 1.0),
    "KiB/s": (size, ("KiB", "MiB"), 1 / 1024),
}
"""By a fault's unit: how its strength is read, in which units it is usually given, the factor."""


def strength(text: str, unit: str, what: str) -> float:
    """How strong a fault is to be: `200ms`, `15s`, or `32KiB` for KiB per second, in `unit`."""
    read, usual, factor = _STRENGTHS[unit]
    return round(read(text.removesuffix("/s"), what, usual) * factor, _DIGITS_KEPT)


def written(value: float, unit: str = "s") -> str:
    """An amount as `strength` reads it: `15s`, `250ms`, `32KiB`."""
    return f"{Decimal(str(value)).normalize():f}{unit.removesuffix('/s')}"


def _up_to(most: Decimal, limit: str, value: Decimal | int, text: str, what: str) -> float:
    """The value. Raises UsageError if it is more than `most`, which people write as `limit`."""
    if value > most:
        raise UsageError(f"{what} {quoted(text)} is more than {limit}", f"write {limit} or less")
    return float(value)


def _example(digits: str) -> str:
    """A number for a hint: the one that was typed, if it is short."""
    return digits if 0 < len(digits) <= _DIGITS_SHOWN else "3"


def _bare(text: str, what: str, kind: str, usual: Sequence[str]) -> UsageError:
    shown = text if text == _example(text) else quoted(text)
    first, *others = (f"{_example(text)}{unit}" for unit in usual)
    return UsageError(
        f"{what} {shown}: a {kind} needs a unit", f"write {first} (or {', '.join(others)})"
    )


def _unreadable(text: str, what: str, kind: str, example: str) -> UsageError:
    return UsageError(f"{what} {quoted(text)} is no {kind}", f"write {example}")
