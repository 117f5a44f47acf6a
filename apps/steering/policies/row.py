"""What a routing policy is: a row with its options, and a pure function that splits the users."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ..decide import Rule, Thresholds, View, choose

Value: TypeAlias = "int | float | str"
PER_REGION = "REGION"  # the name of an option that there is once for each region


class Kind(StrEnum):
    """What an option takes."""

    WHOLE = "whole number"
    SECONDS = "seconds"
    REGION = "region"
    WORD = "word"


@dataclass(frozen=True)
class Option:
    """An option: what it sets, what it takes, and its default."""

    name: str
    what: str
    kind: Kind
    default: Value
    least: float = 0
    most: float = 0
    words: tuple[str, ...] = ()  # what a word may be

    def named(self, regions: Iterable[str]) -> tuple[str, ...]:
        """The names that it has among these regions."""
        return tuple(regions) if self.name == PER_REGION else (self.name,)

    def checked(self, name: str, value: Any, regions: Collection[str]) -> Value:
        """The value, if the option takes it. Raises ValueError."""
        words = {Kind.REGION: tuple(regions), Kind.WORD: self.words}.get(self.kind)
        if words is not None:
            if not isinstance(value, str) or value not in words:
                raise ValueError(f"{name} must be {' or '.join(words)}")
            return value
        kinds = (int,) if self.kind is Kind.WHOLE else (int, float)
        right = isinstance(value, kinds) and not isinstance(value, bool)
        if not right or not self.least <= value <= self.most:
            what = "whole number" if self.kind is Kind.WHOLE else "number of seconds"
            raise ValueError(f"{name} must be a {what}, {self.least:g} to {self.most:g}")
        number: int | float = value
        return number


@dataclass(frozen=True)
class Situation:
    """What a steering knows when it decides; the first of `views` is its own region.

    `last` has the per cent that each region got in the last answer (empty before the first), and
    `took` how many seconds the latest good checks of each region took, the oldest first.
    """

    views: Mapping[str, View]
    last: Mapping[str, int]
    took: Mapping[str, tuple[float, ...]]
    limits: Thresholds
    now: float

    def at(self, region: str) -> bool | None:
        """True if all users were sent to this region last; None if to several, or to none."""
        return region in self.last if len(self.last) == 1 else None

    @property
    def own(self) -> str:
        """The steering's own region."""
        return next(iter(self.views))

    def other(self, region: str) -> str:
        """The region that is not this one."""
        return next(each for each in self.views if each != region)

    def preferring(self, region: str) -> tuple[str, Rule] | None:
        """Where all users go if this region comes first, and by which rule.

        None to leave them where they are.
        """
        first, second = self.views[region], self.views[self.other(region)]
        rule = choose(first, second, self.at(region), self.limits, self.now)
        return None if rule is None else (region if rule.choose_own else self.other(region), rule)


@dataclass(frozen=True)
class Split:
    """How many of a hundred look-ups each region gets, and why."""

    shares: tuple[tuple[str, int], ...]
    why: str


Options: TypeAlias = Mapping[str, Value]


def _anything(options: Options, regions: Collection[str]) -> None:
    """All that each option takes alone is taken together."""


@dataclass(frozen=True)
class Policy:
    """A row: `split` says where users go, None to leave them where they are.

    `refuse` raises ValueError for options that do not go together.
    """

    name: str
    does: str
    split: Callable[[Situation, Options], Split | None]
    options: tuple[Option, ...] = ()
    refuse: Callable[[Options, Collection[str]], None] = _anything
