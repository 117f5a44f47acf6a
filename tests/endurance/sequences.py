"""Runbooks that a seed makes from the whole vocabulary, each with a situation. Pure.

They are sequences that no person would write: a prediction must be right about these as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from lab.core.errors import BadRunbook
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1
from lab.runbooks.option import Option, Value
from lab.runbooks.runbook import CONTINUE, GO_TO, Call, Plan, Runbook, Step
from lab.runbooks.runbookfile import parse, text_of
from lab.runbooks.scenarios import SCENARIOS
from lab.steps.catalogue import step, vocabulary

LEAST, MOST = 4, 9
"""How many steps a sequence has."""

DECISIVE: Final = ("stop", "fence", "promote", "repoint", "shift-traffic", "switch-over", "steer")
"""Half of the steps of a sequence of any steps: without one of them users notice nothing."""

STORIES: Final = (
    ("stop-writes", "fence", "promote", "repoint", "warm-caches", "shift-traffic", "resume-writes"),
    ("catch-up", "stop", "compare", "promote", "repoint", "demote", "go-sync"),
    ("fence", "choose", "promote", "repoint", "refollow", "rebuild", "verify"),
    ("pause-replication", "hold", "resume-replication", "catch-up", "switch-over", "verify"),
    ("go-async", "stop", "start", "rebuild", "go-sync", "verify"),
    ("lower-ttl", "warm-caches", "shift-traffic", "gate", "steer", "restore-ttl"),
)
"""What a person might write. Every second sequence is one of these with three mistakes in it."""

_LEFT_OUT: Final = ("run", "manual")  # the model takes their word for what they do
_PLANS: Final = (
    *3 * [Plan(EAST_DB1, WEST_DB1)], *2 * [Plan(EAST_DB1, EAST_DB2)], Plan(WEST_DB1, EAST_DB1),
)  # fmt: skip
_SHORT: Final[Mapping[tuple[str, str], tuple[Value, ...]]] = {
    ("check-lag", "rpo"): (300,),
    ("compare", "within"): (5,),
    ("detect", "after"): (0, 1),
    ("gate", "seconds"): (3,),
    ("gate", "errors"): (1,),
    ("hold", "minutes"): (1,),
    ("hold", "speed"): (30,),
    ("lower-ttl", "seconds"): (1,),
    ("promote", "force"): (True,),  # the model shows what comes without the safety net
    ("scale-up", "connections"): (48, 64),
    ("shift-traffic", "share"): (100, 100, 50),
    ("wait", "seconds"): (1.0,),
}
"""Values by step and option, where any value would do or take long."""


@dataclass(frozen=True, slots=True)
class Made:
    """A runbook, the text of its file, and the situation in which it is rehearsed."""

    runbook: Runbook
    text: str
    scenario: str


def made(seed: int, number: int) -> Made:
    """The sequence of that number, from 1 on. The same arguments give the same one."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - no secret
    return next(each for each in _tried(chance, f"made-{seed}-{number}") if each is not None)


def _tried(chance: Random, name: str) -> Iterator[Made | None]:
    """Sequences until one is a runbook; None for each that is none."""
    while True:
        where = chance.choice([each.name for each in SCENARIOS if each.lasts and not each.leads])
        book = _book(chance, name, where)
        text = text_of(book)
        try:
            yield Made(parse(text, name, vocabulary()), text, where)
        except BadRunbook:  # such as a step that may not come twice
            yield None


def _book(chance: Random, name: str, where: str) -> Runbook:
    names = chance.choice([_any, _mistaken])(chance)
    return Runbook(
        name=name,
        title="A sequence that a seed has made",
        why="a prediction must be right about any sequence",
        plan=chance.choice(_PLANS),
        steps=tuple(_call(chance, each, names[place:]) for place, each in enumerate(names, 1)),
        scenarios=(where,),
        planned=where == "healthy",
        promotes=bool({"promote", "switch-over"} & {*names}),
    )


def _any(chance: Random) -> list[str]:
    """Any steps. Half of them are decisive: a runbook of looks alone says little."""
    chosen = [chance.choice(DECISIVE)]
    more = range(chance.randint(LEAST, MOST) - 1)
    chosen += [chance.choice(chance.choice([_names(), DECISIVE])) for _ in more]
    chance.shuffle(chosen)
    return chosen


def _mistaken(chance: Random) -> list[str]:
    """A story in which one step is missing, two have changed places, and one is too many."""
    chosen = [*chance.choice(STORIES)]
    chosen.pop(chance.randrange(len(chosen)))
    one, other = chance.sample(range(len(chosen)), 2)
    chosen[one], chosen[other] = chosen[other], chosen[one]
    chosen.insert(chance.randint(0, len(chosen)), chance.choice(_names()))
    return chosen


def _names() -> tuple[str, ...]:
    return tuple(each.name for each in vocabulary() if each.name not in _LEFT_OUT)


def _call(chance: Random, name: str, later: list[str]) -> Call:
    row = step(name)
    options = {each.name: _value(chance, row, each) for each in row.options}
    told = {name: value for name, value in options.items() if value is not None}
    ways = [CONTINUE, CONTINUE, *(f"{GO_TO}{name}" for name in later[:1])]
    failing = chance.choice(ways) if chance.random() < 0.6 else "stop"
    return Call(row.name, told, retry=int(chance.random() < 0.2), on_failure=failing)


def _value(chance: Random, row: Step, option: Option) -> Value | None:
    """A value that fits; None for the default."""
    fitting = _SHORT.get((row.name, option.name)) or option.choices
    if not fitting and option.kind is bool:
        fitting = (True, False)
    return chance.choice(fitting) if fitting else None
