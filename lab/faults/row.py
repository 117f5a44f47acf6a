"""A fault as a row: what it does, what it teaches, and how its effect is seen and seen to be gone.

One small file of this package per fault, each with `FAULTS`: that is all it takes to add one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

from lab.core.errors import UsageError
from lab.core.fitting import Fit
from lab.core.topology import Link, Place, Region
from lab.records.journalfile import Via

if TYPE_CHECKING:
    from lab.faults.sight import Sight
    from lab.testbed.lab import Lab

Strike = Callable[[], None]


class Takes(StrEnum):
    """What a fault is pointed at."""

    LINKS = "links"
    NODE = "node"
    REGION = "region"
    NOTHING = "nothing"

    @property
    def option(self) -> str:
        """The option that names it; empty for NOTHING."""
        return {"links": "link", "nothing": ""}.get(self.value, self.value)

    @property
    def flag(self) -> str:
        """That option on the command line."""
        return self.option and FLAGS.of(self.option)


@dataclass(frozen=True, slots=True)
class Spelling:
    """How an option of a fault is written, and what to do about one that it does not take."""

    option: str
    alone: str

    def of(self, name: str) -> str:
        """An option of that name."""
        return self.option.format(name)


FLAGS = Spelling("--{}", "use it as it is: lab fault inject {}")
IN_SCRIPT = Spelling("{}", "{} has one target: leave that out")


@dataclass(frozen=True, slots=True)
class Aim:
    """What one injection is pointed at; `amount` is in the unit of the fault's `Amount`."""

    links: tuple[Link, ...] = ()
    node: Place | None = None
    region: Region | None = None
    amount: float | None = None

    def __str__(self) -> str:
        names = [each.name for each in self.links]
        names += [str(self.node)] if self.node else []
        names += [self.region.name] if self.region else []
        return ", ".join(names)


@dataclass(frozen=True, slots=True)
class Amount:
    """How strong a fault is: what the number means, its unit, what it is without being given."""

    what: str
    unit: str
    default: float
    least: float
    most: float

    @property
    def fit(self) -> Fit:
        """What its number must be, whatever the limits; `checked` holds it against those."""
        return Fit(float, self.unit, -inf, example=self.default)

    def checked(self, value: float, fault: str, typed: str = "") -> float:
        """The value, if it is within the limits. Raises UsageError, which shows it as typed."""
        if not self.least <= value <= self.most:
            raise UsageError(
                f"{fault}: {typed or f'{value:g} {self.unit}'} is out of range",
                f"{self.what}: {self.least:g} to {self.most:g} {self.unit}",
            )
        return value


Touched = Link | Place


def no_region(_aim: Aim) -> tuple[Region, ...]:
    """Serves: users of no region in particular."""
    return ()


def at_once(_aim: Aim) -> float:
    """Grows: the effect is whole when it is seen."""
    return 0.0


def itself(aim: Aim) -> tuple[Touched, ...]:
    """What an aim names: its links and its machine."""
    return (*aim.links, *([aim.node] if aim.node else []))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    `why` says in a clause what happens, `teaches` what it is good for, `how` what the lab does for
    it, `noticed` by whom and after what default time-out. `cuts` are the ways that steps can no
    longer take. `default` is what is meant when nothing is said; `purposes` and `nodes` say which
    links and machines it may be pointed at (any, if empty).

    `arm` does what takes time beforehand and returns what strikes at once: the lab's own work must
    not slow users down in the very moment whose losses are counted. `seen` says what was seen
    once the effect is there, and None until then; `gone` likewise once it is over, whatever else
    is broken beside it. `serves` are the regions that should take orders then, if nothing else is.
    `grows` says for how many seconds the effect still grows after it was seen. `unfit` says why no
    run can be measured with the fault in the middle of it, if that is so.
    `present` says where the fault is in force now, from what was asked and never from memory, and
    `touches` which links and machines are broken by it: a narrower fault there needs no mention.

    All of them may be called again and again. `proof_seconds` and `heal_seconds` are how long the
    effect may take to show, and to go. One that is `after_failover` is pointed at a primary that
    was replaced: a lab in its default topology has none.
    """

    name: str
    why: str
    teaches: str
    how: str
    noticed: str
    cuts: tuple[Via, ...]
    takes: Takes
    default: Aim
    arm: Callable[[Lab, Aim], Strike]
    seen: Callable[[Lab, Aim], str | None]
    heal: Callable[[Lab, Aim], None]
    gone: Callable[[Lab, Aim], str | None]
    present: Callable[[Sight], tuple[Aim, ...]]
    amount: Amount | None = None
    touches: Callable[[Aim], tuple[Touched, ...]] = itself
    serves: Callable[[Aim], tuple[Region, ...]] = no_region
    purposes: tuple[str, ...] = ()
    nodes: tuple[Place, ...] = ()
    proof_seconds: float = 15.0
    heal_seconds: float = 40.0
    after_failover: bool = False
    grows: Callable[[Aim], float] = at_once
    unfit: str = ""

    def at(self, aim: Aim | None = None) -> Aimed:
        """The fault, pointed at something."""
        chosen = aim or self.default
        if self.amount is not None and chosen.amount is None:
            chosen = replace(chosen, amount=self.amount.default)
        return Aimed(self, chosen)


@dataclass(frozen=True, slots=True)
class Aimed:
    """A fault and what it is pointed at: what a drill names and a command line asks for."""

    fault: Fault
    aim: Aim

    @property
    def name(self) -> str:
        """The fault's name."""
        return self.fault.name

    def touches(self) -> tuple[Touched, ...]:
        """Links and machines that it breaks."""
        return self.fault.touches(self.aim)

    def serves(self) -> tuple[Region, ...]:
        """Regions that should take orders once it is over."""
        return self.fault.serves(self.aim)

    def arm(self, lab: Lab) -> Strike:
        """Do what takes time; what is returned strikes at once."""
        return self.fault.arm(lab, self.aim)

    def __str__(self) -> str:
        words = [self.fault.name]
        if self.fault.takes is not Takes.NOTHING:
            words.append(str(self.aim))
        if self.fault.amount is not None and self.aim.amount is not None:
            words.append(f"({self.aim.amount:g} {self.fault.amount.unit})")
        return " ".join(words)
