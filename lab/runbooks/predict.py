"""What a runbook will do to users, worked out from its steps' rows: nothing is run. Pure.

The observed vector of a real run has the same five parts, and must be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from lab.runbooks.facts import ALLOWED, CANNOT_COMMIT, IS_PRIMARY, MOVED, TAKES_WRITES
from lab.runbooks.model import World
from lab.runbooks.runbook import (
    UNSAFE,
    Call,
    Fact,
    Harm,
    Plan,
    Runbook,
    States,
    Step,
    Stuck,
    after_failure,
    told,
)
from lab.runbooks.scenarios import Scenario


class End(StrEnum):
    """How it ends."""

    RIGHT = "right"  # all users can order, at one primary, the one that was meant
    WRONG = "wrong"  # some can order and some cannot, or at another primary, or at two of them
    STUCK = "stuck"  # no user can order, or a step could not be done


@dataclass(frozen=True, slots=True)
class Vector:
    """What users saw of a runbook. Errors and the end are of users who honour TTLs.

    `split_brain`: an order was acknowledged on an old timeline after one on a newer.
    `cold_reads`: a user who was sent to another region found its cache empty.
    """

    split_brain: bool
    write_errors: bool
    read_errors: bool
    cold_reads: bool
    end: End

    def __str__(self) -> str:
        words = [
            f"{name.replace('_', ' ')} {'some' if getattr(self, name) else 'none'}"
            for name in PARTS
        ]
        return ", ".join([*words, f"end {self.end}"])


PARTS = ("split_brain", "write_errors", "read_errors", "cold_reads")


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with the order, in one sentence; `line` is the step's, 0 for a missing one."""

    step: str
    sentence: str
    harm: Harm
    line: int = 0

    @property
    def unsafe(self) -> bool:
        """True when it harms data, or does not end well."""
        return self.harm in UNSAFE


@dataclass(frozen=True, slots=True)
class Played:
    """A step as it goes in one scenario. `needed` is False when all it makes was so before.

    `stuck` says why it cannot be done. `skipped`: a failure before it led to a later step.
    """

    call: Call
    needed: bool
    violations: tuple[Violation, ...] = ()
    stuck: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a runbook does in one scenario.

    `worlds` are the model's states before the first step and after each.
    """

    scenario: Scenario
    vector: Vector
    played: tuple[Played, ...]
    missing: tuple[Violation, ...]
    worlds: tuple[World, ...]

    @property
    def last(self) -> World:
        """The state that it ends in."""
        return self.worlds[-1]

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that is wrong with it, in the order of steps; what is missing comes last."""
        return (*(each for step in self.played for each in step.violations), *self.missing)

    @property
    def unsafe(self) -> bool:
        """True when it does harm here."""
        return self.vector.split_brain or self.vector.end is not End.RIGHT


@dataclass(frozen=True, slots=True)
class _Users:
    """What users have met so far."""

    newest: int = 0
    split_brain: bool = False
    write_errors: bool = False
    read_errors: bool = False
    cold_reads: bool = False

    def after(self, world: World) -> _Users:
        """Users at work in a state of the world for a while."""
        lineages = {world.databases[node].lineage for node in world.acknowledging()}
        newest = max((self.newest, *lineages))
        return replace(
            self,
            newest=newest,
            split_brain=self.split_brain or any(each < newest for each in lineages),
            write_errors=self.write_errors or any(True for _ in world.cannot_write()),
            read_errors=self.read_errors or any(True for _ in world.cannot_read()),
            cold_reads=self.cold_reads or bool(world.read_where() - world.warm),
        )


@dataclass
class _Play:
    """The play as far as it has gone."""

    worlds: list[World]
    users: _Users
    played: list[Played] = field(default_factory=list)
    stuck: bool = False

    @property
    def world(self) -> World:
        """The state as it is now."""
        return self.worlds[-1]

    def went(self, step: Played, world: World | None = None) -> None:
        """A step is over, and changed the world to this one, if it did."""
        self.played.append(step)
        self.worlds.append(world or self.world)


def predict(runbook: Runbook, specs: Iterable[Step], scenario: Scenario) -> Prediction:
    """Play a runbook in a scenario, as it is written: nothing refuses a dangerous step.

    What becomes possible where a step fails that may fail is among that step's violations.
    """
    rows = {each.name: each for each in specs}
    whole = _predicted(runbook, rows, scenario)
    known = set(whole.violations)

    def doubted(number: int, step: Played) -> Played:
        if not (step.call.may_fail and step.needed):
            return step
        worse = _predicted(runbook, rows, scenario, number).violations
        told = (
            replace(each, sentence=_FAILS.format(step.call, each.sentence))
            for each in worse
            if each not in known
        )
        return replace(step, violations=(*step.violations, *told))

    return replace(whole, played=tuple(doubted(*each) for each in enumerate(whole.played)))


_FAILS: Final = "if {} fails, the runbook goes on, and then {}"


def _predicted(
    runbook: Runbook, rows: Mapping[str, Step], scenario: Scenario, failing: int | None = None
) -> Prediction:
    """Play it to its end; the step of the number `failing` fails and changes nothing."""
    play = _Play([scenario.begin(runbook.plan)], _Users())
    play.worlds = [_through(play, (play.world,))]
    number = 0
    while number < len(runbook.steps) and not play.stuck:
        call, done = runbook.steps[number], False
        if number == failing:
            play.went(Played(call, needed=False))
        else:
            done = _do(play, call, rows[call.step], runbook.plan)
        follows = number + 1 if done else after_failure(runbook.steps, number)
        for each in runbook.steps[number + 1 : follows]:
            play.went(Played(each, needed=False, skipped=True))
        number = follows
    return Prediction(
        scenario=scenario,
        vector=_vector(play, runbook),
        played=tuple(play.played),
        missing=() if play.stuck else tuple(_missing(play.world, runbook)),
        worlds=tuple(play.worlds),
    )


def _do(play: _Play, call: Call, row: Step, plan: Plan) -> bool:
    """Play a step; False when it failed and the runbook goes on."""
    early = tuple(_early(row, play.world, plan, call))
    try:
        states = row.makes(play.world, plan, row.chosen(call.options))
    except Stuck as reason:
        return _stuck(play, call, early, reason)
    needed = any(each != play.world for each in states)
    # What is so already breaks nothing by being said again.
    play.went(Played(call, needed, early if needed else ()), _through(play, states))
    return True


def _stuck(play: _Play, call: Call, early: tuple[Violation, ...], reason: Stuck) -> bool:
    """Play a step that cannot be done, as far as it came."""
    world = _through(play, reason.states)
    if call.may_fail:
        play.went(Played(call, needed=False, stuck=str(reason)), world)
        return False
    stuck = Violation(call.step, f"{call.step} cannot be done: {reason}", Harm.END, call.line)
    play.went(Played(call, True, (*early, stuck), str(reason)), world)
    play.stuck = True
    return True


def _through(play: _Play, states: States) -> World:
    """Users at work in each of some states; what they leave behind them."""
    world = play.world
    for state in states:
        play.users = play.users.after(state)
        world = replace(state, warm=state.warm | state.read_where()).after_orders()
    return world


def _early(row: Step, world: World, whole: Plan, call: Call) -> Iterator[Violation]:
    plan = row.seen_from(call, whole)
    for each in row.needed(call, world):
        if not each.fact.holds(world, plan):
            fact, otherwise = told(each.fact.says, plan), told(each.otherwise, plan)
            sentence = f"{call.step} comes too early. It needs: {fact}. Otherwise {otherwise}"
            yield Violation(call.step, sentence, each.harm, call.line)


def _vector(play: _Play, runbook: Runbook) -> Vector:
    users = play.users
    return Vector(
        split_brain=users.split_brain,
        write_errors=users.write_errors,
        read_errors=users.read_errors,
        cold_reads=users.cold_reads,
        end=End.STUCK if play.stuck else end_of(play.world, runbook),
    )


def end_of(world: World, runbook: Runbook) -> End:
    """How a state would do as the last one."""
    taken = [world.takes_orders_from(where) for _, where in world.sent()]
    if not any(taken):
        return End.STUCK
    meant = runbook.ends_at
    alone = world.primaries() == (meant,)
    return End.RIGHT if alone and all(node == meant for node in taken) else End.WRONG


_GOALS: tuple[tuple[str, Fact, str, Harm], ...] = (
    ("fence", CANNOT_COMMIT,
     "{old} keeps acknowledging orders that {new} will never receive", Harm.DATA),
    ("promote", IS_PRIMARY, "no user can order", Harm.END),
    ("repoint", TAKES_WRITES, "no user in {target} can order", Harm.END),
    ("resume-writes", ALLOWED,
     "{target}'s shop refuses orders until its read-only mode is ended", Harm.END),
    ("shift-traffic", MOVED, "users are still sent to {lost}", Harm.OUTAGE),
)  # fmt: skip


def _missing(world: World, runbook: Runbook) -> Iterator[Violation]:
    if runbook.ends_at != runbook.plan.new or end_of(world, runbook) is End.RIGHT:
        return
    for step, fact, consequence, harm in _GOALS:
        if not fact.holds(world, runbook.plan):
            says, harm_told = told(fact.says, runbook.plan), told(consequence, runbook.plan)
            sentence = f"at the end it is still not true that {says}, so {harm_told}"
            yield Violation(step, sentence, harm)
