"""A runbook as data: which node takes over from which, and the steps in their order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from lab.core.topology import REGIONS, Place, Region
from lab.records.journalfile import Phase, Via
from lab.runbooks.model import PLANNED, World
from lab.runbooks.option import Option, Options, Value


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes over from whom."""

    old: Place
    new: Place

    @property
    def lost(self) -> Region:
        """The region of the node that is replaced."""
        return self.old.region

    @property
    def target(self) -> Region:
        """The region of the node that takes over."""
        return self.new.region


STOP: Final = "stop"
CONTINUE: Final = "continue"
GO_TO: Final = "go-to "
"""What a runbook does when a step fails."""


@dataclass(frozen=True, slots=True)
class Call:
    """One step of a runbook as it was written: its row's name, options, and the line it is on.

    `why` is what it is for at this place; the row's own words if it is empty. A step that fails is
    tried again `retry` times. `on_failure` says what comes then: `stop`, `continue`, or `go-to` and
    the name of a later step.
    """

    step: str
    options: Options = field(default_factory=dict)
    line: int = 0
    why: str = ""
    retry: int = 0
    on_failure: str = STOP

    def __str__(self) -> str:
        return self.step

    @property
    def may_fail(self) -> bool:
        """True where the runbook goes on after a failure."""
        return self.on_failure != STOP

    @property
    def fallback(self) -> str:
        """The later step that comes next after a failure; empty for the next one."""
        return self.on_failure.removeprefix(GO_TO) if self.on_failure.startswith(GO_TO) else ""


def after_failure(calls: Sequence[Call], number: int) -> int:
    """The number of the step that comes after one that failed and may fail (all from 0)."""
    fallback = calls[number].fallback
    later = range(number + 1, len(calls))
    return next((each for each in later if calls[each].step == fallback), number + 1)


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook.

    `scenarios` are the names of those that it is written for. `planned` ones are run while all is
    well, and no person is asked first; `promotes` is False for one that leaves the
    primary where it is. `pattern` is the lab's pattern that it belongs to. `flaw` says
    for a runbook that is printed as found that something is wrong with it; not what. `file` is
    where it was read from.
    """

    name: str
    title: str
    plan: Plan
    steps: tuple[Call, ...]
    scenarios: tuple[str, ...]
    pattern: str = "hot-single-writer"
    planned: bool = False
    promotes: bool = True
    why: str = ""
    source: str = ""
    flaw: bool = False
    file: Path | None = field(default=None, compare=False)

    @property
    def folder(self) -> Path:
        """The folder that its scripts are in."""
        return self.file.parent if self.file else Path()

    @property
    def ends_at(self) -> Place:
        """The node that is to be primary in the end."""
        return self.plan.new if self.promotes else self.plan.old


class Harm(StrEnum):
    """What comes of a step that is too early, too late or missing."""

    DATA = "data"  # orders are lost or doubled
    END = "end"  # it does not end well: no user can order, or two regions think they may
    OUTAGE = "outage"  # users are refused for longer than they had to be
    COST = "cost"  # it is slower, or colder, or people are not told


UNSAFE: Final = frozenset((Harm.DATA, Harm.END))


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that holds or does not; `says` is a clause with {old}, {new}, {lost}, {target}."""

    name: str
    says: str
    holds: Callable[[World, Plan], bool]


@dataclass(frozen=True, slots=True)
class Need:
    """What should hold when a step is done, and what comes of it otherwise.

    `otherwise` is a clause for the sentence "STEP before FACT: …". `unless` are options of a step
    with which it does not matter. `planned` says that it matters only where nothing is lost at
    first (True), or only where something is (False).
    """

    fact: Fact
    otherwise: str
    harm: Harm
    unless: tuple[tuple[str, Value], ...] = ()
    planned: bool | None = None


class Stuck(Exception):
    """In the model: the step cannot be done, and the runbook stops there.

    `states` are what it went through before it failed; without any, it changed nothing.
    """

    def __init__(self, reason: str, *states: World) -> None:
        super().__init__(reason)
        self.states = states


class Repeats(Enum):
    """How often a runbook may do a step."""

    NO = "it changes something, which is done once"
    OTHERWISE = "with other options than the last time"
    ALWAYS = "it changes nothing"


States: TypeAlias = tuple[World, ...]
Makes = Callable[[World, Plan, Options], States]
"""What a step makes of a world: the states that follow each other, users at work in each."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the catalogue: all that is to be known of a step, and what does it.

    `changes` is the exact change of state, `why` what it is for, `breaks` what comes of it when it
    is late or missing, `seconds` how long it usually takes in the lab, `command` how a person would
    do the heart of it by hand.

    `makes` changes the model, `act` changes a lab: it makes true what the step is for and returns
    its evidence in one line, or raises LabError. Nothing here calls it: checks and predictions need
    no lab. Doing a step again when it is done changes nothing, and says so.

    `fits` raises UsageError for options that each fit and mean nothing together; it asks no lab.

    `prepares` as in `StepRecord`. A `look` changes nothing. What it saw may have changed when a run
    that was cut goes on, so that run does it again (`lab.steps.catalogue.looks_again`). A step that
    `mends` may end what a fault began: it waits for the fault's proof, which no probe could find
    then. Steps `of_drills` make or end a situation: no runbook's file may call them.

    `main` is the option that a value alone fills in a file (`- run: [./move.sh]`); it must be said.
    By the options of a call, `asks` says whether it asks a person, `also` what it needs beside
    `needs`, and `note` what a check has to say of it, if that is anything.
    """

    name: str
    title: str
    changes: str
    via: Via
    phase: Phase | None
    why: str
    breaks: str
    seconds: float
    makes: Makes
    act: Callable[..., str]
    needs: tuple[Need, ...] = ()
    options: tuple[Option, ...] = ()
    command: str = ""
    fits: Callable[[Options], object] = lambda _options: None
    prepares: bool = False
    look: bool = False
    repeats: Repeats = Repeats.NO
    mends: bool = False
    of_drills: bool = False
    main: str = ""
    asks: Callable[[Options], bool] = lambda _options: False
    also: Callable[[Options], Iterable[Need]] = lambda _options: ()
    note: Callable[[Options], str] = lambda _options: ""

    def option(self, name: str) -> Option | None:
        """The option of that name."""
        return next((each for each in self.options if each.name == name), None)

    def needed(self, call: Call, world: World) -> Iterator[Need]:
        """What should hold for the step as a runbook calls it."""
        chosen = self.chosen(call.options)
        for each in (*self.needs, *self.also(chosen)):
            if each.planned not in (None, PLANNED in world.done):
                continue
            if not each.unless or any(chosen[name] != value for name, value in each.unless):
                yield each

    def seen_from(self, call: Call, plan: Plan) -> Plan:
        """The plan as a step means it: what goes to the lost region has that as its target."""
        back = self.chosen(call.options).get("to") == "lost"
        return Plan(plan.new, plan.old) if back else plan

    def chosen(self, given: Options) -> dict[str, Value]:
        """Every option's value: as given, or as it is by default."""
        return {each.name: given.get(each.name, each.default) for each in self.options}


def told(text: str, plan: Plan) -> str:
    """A text with {old}, {new}, {lost} and {target} as they are in a plan."""
    return text.format(old=plan.old, new=plan.new, lost=plan.lost.name, target=plan.target.name)


def regions_of(where: Value, plan: Plan) -> tuple[Region, ...]:
    """The regions that `everywhere`, `lost` or `target` means."""
    return {"lost": (plan.lost,), "target": (plan.target,)}.get(str(where), REGIONS)
