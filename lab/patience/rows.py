"""The rows of `lab tune`: kinds of blips, their lengths, and how patient one may be with them.

A patience is a name, or changes to one: `default after=5s`, `interval=1s fall=5`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final, TypeVar

from lab.core import quantity
from lab.core.errors import LabError, UnknownName, UsageError, quoted
from lab.core.fitting import Fit
from lab.core.steering import FIELDS, Steering
from lab.core.topology import EAST, Link, Region, links_into

_Row = TypeVar("_Row")
LOST: Final[Region] = EAST
"""The region that blips and losses hit. The other region's steering and standby watch it."""

_WAYS_IN: Final = tuple(each for each in links_into(LOST) if each.origin != "guest")
"""Every way into the region but the lab's own."""

_TO_SHOP: Final = tuple(each for each in _WAYS_IN if each.purpose.name == "app")


@dataclass(frozen=True, slots=True)
class Blip:
    """A kind of blip: the fault that it is while it lasts, on which links, and how strong."""

    name: str
    fault: str
    why: str
    links: tuple[Link, ...] = _WAYS_IN
    amount: float | None = None


BLIPS: Final = (
    Blip("refused", "refused", "connections end, and new ones are refused"),
    Blip("silent", "silent", "connections stay open, and all bytes are dropped"),
    Blip("one-way", "one-way-back", "requests arrive, and responses are dropped"),
    Blip("jitter", "jitter", "each answer of the shop is late by 0 to 1.2 s", _TO_SHOP, amount=600),
    Blip("slow", "delay", "every byte takes 250 ms longer, each way", amount=250),
)
LENGTHS: Final = (0.25, 0.75, 2.0, 4.0, 8.0)
"""Seconds that recorded blips last."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Thresholds of both steerings, and for how many seconds `detect` lets an alarm last."""

    name: str
    steering: Steering
    after: int = 0
    why: str = ""


DEFAULT: Final = Patience("default", Steering(), why="what the lab comes with")
PATIENCES: Final = (
    Patience(
        "rash",
        Steering(fall=1, rise=1, together=0, alone=0, late=0, unready=0, recover=0, away=0, home=0),
        why="each check is believed",
    ),
    Patience(
        "keen",
        Steering(fall=2, together=0.2, alone=0.5, late=0.8, unready=1),
        why="half as much evidence as the default",
    ),
    DEFAULT,
    Patience(
        "balancer",
        Steering(interval=1, urgent=1, fall=5),
        why="a usual load balancer: a check each second, of which five must fail",
    ),
    replace(DEFAULT, name="alarm-5s", after=5, why="the default, and an alarm counts after 5 s"),
)
_LENGTH: Final = Fit(float, "s", above=True, most=60, example=2)
_FIELDS: Final[Mapping[str, Fit]] = {**FIELDS, "after": Fit(int, "s", most=600, example=5)}
"""What a text may change: thresholds of steerings, and the option of the step `detect`."""


def blip(name: str) -> Blip:
    """The kind of that name. Raises UnknownName with the nearest."""
    return _named("kind of blip", name, {each.name: each for each in BLIPS})


def length(text: str) -> float:
    """Seconds of a blip. Raises UsageError."""
    seconds = quantity.wait(text, "--length")
    _LENGTH.refuse("--length", seconds)
    return seconds


def patience(text: str) -> Patience:
    """The patience that a text means. Raises UsageError, which shows the text."""
    known = {each.name: each for each in PATIENCES}
    first, *words = text.split() or [""]
    if "=" in first:
        words, first = [first, *words], DEFAULT.name
    try:
        base = _named("patience", first, known)
        given = dict(map(_change, words))
        after = int(given.pop("after", base.after))
        changed = Steering(**{**asdict(base.steering), **given})
        return replace(base, name=text, steering=changed, after=after)
    except LabError as error:
        raise UsageError(
            f"--patience {quoted(text)}: {error.message}",
            f"{error.next_step}; for example --patience 'default fall=5 after=10s'",
        ) from error


def _change(word: str) -> tuple[str, float]:
    """A name and its value. Raises UsageError."""
    name, sign, value = word.partition("=")
    if name not in _FIELDS:
        raise UnknownName("part of a patience", name, _FIELDS)
    if not sign or not value:
        raise UsageError(f"{name} has no value", f"write {name}=VALUE, without a space")
    fit = _FIELDS[name]
    number = quantity.wait(value, name) if fit.unit == "s" else quantity.count(value, name)
    whole = fit.kind is int and not number % 1
    fit.refuse(name, int(number) if whole else number)
    return name, int(number) if whole else number


def _named(kind: str, name: str, known: Mapping[str, _Row]) -> _Row:
    if name not in known:
        raise UnknownName(kind, name, known)
    return known[name]
