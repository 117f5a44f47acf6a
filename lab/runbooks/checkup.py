"""A runbook checked without running it: what it does in each situation, and whether it may. Pure.

`lab.runbooks.predict` plays it; here that is judged, step by step and as a whole. The worst counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from lab.core import words
from lab.core.topology import Region
from lab.runbooks.predict import End, Played, Prediction, Violation, predict
from lab.runbooks.runbook import Call, Harm, Runbook, Step
from lab.runbooks.scenarios import Scenario


class Level(StrEnum):
    """How bad it is; the worst of several counts.

    What can cost orders is unsafe also where the model loses none: its only users are the shops',
    and they stop when they are told.
    """

    FINE = "fine"
    COSTLY = "costly"  # slower or dearer than need be; it ends well, and keeps what can be kept
    UNSAFE = "unsafe"  # two primaries take orders, or may, or the end is not the one that was meant


_RANK = tuple(Level)


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels; fine without any."""
    return max(levels, key=_RANK.index, default=Level.FINE)


class Word(StrEnum):
    """How a step goes."""

    DONE = "done"
    NOT_NEEDED = "not needed"  # all that it makes was so before
    EARLY = "too early"  # something that it needs was not so yet
    CANNOT = "cannot be done"
    SKIPPED = "skipped"  # an earlier one could not be done, and led to a later one
    NOT_REACHED = "not reached"  # an earlier one could not be done


@dataclass(frozen=True, slots=True)
class Went:
    """A step of a runbook, and how it goes. `reason` says why it cannot be done."""

    call: Call
    word: Word
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A runbook in one situation, with every step that it has.

    `ending` says what is wrong in the end; empty if nothing is.
    """

    prediction: Prediction
    steps: tuple[Went, ...]
    ending: str

    @property
    def scenario(self) -> str:
        """The situation's name."""
        return self.prediction.scenario.name

    @property
    def missing(self) -> tuple[Violation, ...]:
        """What is not so in the end, each with the step that would make it so."""
        there = {each.call.step for each in self.steps}
        return tuple(
            replace(each, sentence=f"{each.sentence}. The step `{each.step}` {_lacks(each, there)}")
            for each in self.prediction.missing
        )

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All that is wrong, with a word about the end if no step explains it."""
        of_steps = (each for step in self.prediction.played for each in step.violations)
        found = (*of_steps, *self.missing)
        if not self.ending or any(each.harm is Harm.END for each in found):
            return found
        return (*found, Violation("the end", self.ending, Harm.END))

    @property
    def level(self) -> Level:
        """How bad it is here."""
        found = self.violations
        if self.prediction.unsafe or any(each.unsafe for each in found):
            return Level.UNSAFE
        return Level.COSTLY if found else Level.FINE


def _lacks(each: Violation, there: Collection[str]) -> str:
    return (
        ("is in the runbook, but its effect is not there at the end")
        if each.step in there
        else "is missing"
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation, and the situations in which there is one."""

    violation: Violation
    scenarios: tuple[str, ...]

    @property
    def level(self) -> Level:
        """How bad it is."""
        return Level.UNSAFE if self.violation.unsafe else Level.COSTLY


def _place(found: Finding) -> tuple[float, bool]:
    """By lines, the worse ones of a line first."""
    return found.violation.line or float("inf"), not found.violation.unsafe


@dataclass(frozen=True, slots=True)
class Checkup:
    """A runbook in all situations that were asked about."""

    runbook: Runbook
    checked: tuple[Checked, ...]

    @property
    def level(self) -> Level:
        """The worst of all."""
        return worst(each.level for each in self.checked)

    @property
    def exit_code(self) -> int:
        """1 if it is unsafe in one of them."""
        return 1 if self.level is Level.UNSAFE else 0

    @property
    def worst(self) -> Checked:
        """The first of the situations in which it is worst."""
        return next(each for each in self.checked if each.level is self.level)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every violation once, in the order of lines; what belongs to none comes last."""
        where: dict[Violation, list[str]] = {}
        for each in self.checked:
            for violation in each.violations:
                where.setdefault(violation, []).append(each.scenario)
        found = [Finding(violation, tuple(names)) for violation, names in where.items()]
        return tuple(sorted(found, key=_place))

    def among(self, found: Finding) -> str:
        """What follows the sentence of a finding that is not in all situations: which they are."""
        everywhere = len(found.scenarios) == len(self.checked)
        return "" if everywhere else f" (in {words.listed([*found.scenarios])})"

    def as_json(self) -> dict[str, object]:
        """All of it as data."""
        return {
            "runbook": self.runbook.name,
            "level": self.level,
            "scenarios": [_plain(each) for each in self.checked],
        }


def check(runbook: Runbook, specs: Iterable[Step], scenarios: Iterable[Scenario]) -> Checkup:
    """What a runbook does in each of some situations."""
    rows = tuple(specs)
    played = (predict(runbook, rows, each) for each in scenarios)
    return Checkup(runbook, tuple(_checked(runbook, each) for each in played))


def _checked(runbook: Runbook, found: Prediction) -> Checked:
    return Checked(found, tuple(_steps(runbook, found)), _ending(found, runbook))


def _steps(runbook: Runbook, found: Prediction) -> Iterator[Went]:
    yield from (Went(each.call, _word(each), each.stuck) for each in found.played)
    for call in runbook.steps[len(found.played) :]:
        yield Went(call, Word.NOT_REACHED)


def _word(step: Played) -> Word:
    if step.skipped:
        return Word.SKIPPED
    if step.stuck:
        return Word.CANNOT
    if step.violations:
        return Word.EARLY
    return Word.DONE if step.needed else Word.NOT_NEEDED


# ── the end ──────────────────────────────────────────────────────────────────────────────────


def _ending(found: Prediction, runbook: Runbook) -> str:
    if found.vector.end is End.RIGHT:
        return ""
    stops = (each.call for each in found.played if each.stuck and not each.call.may_fail)
    stop = next((f"the runbook stops at {each}" for each in stops), "at the end")
    return f"{stop}: {'; '.join(_wrongs(found, runbook)) or 'what follows is not done'}"


def _wrongs(found: Prediction, runbook: Runbook) -> Iterator[str]:
    world, meant = found.last, runbook.ends_at
    takers = [(people, world.takes_orders_from(where)) for people, where in world.sent()]
    if refused := [people for people, node in takers if node is None]:
        yield f"{_users(refused)} cannot order"
    for node in dict.fromkeys(node for _, node in takers if node is not None):
        if node != meant:
            astray = [people for people, each in takers if each == node]
            yield f"{_users(astray)} order at {node}, but should order at {meant}"
    for node in world.primaries():
        if node != meant:
            both = meant in world.primaries()
            yield (
                (f"{node} is also primary, in addition to {meant}")
                if both
                else f"{node} is primary"
            )


def _users(regions: Iterable[Region]) -> str:
    return f"users of {words.listed([*dict.fromkeys(each.name for each in regions)])}"


# ── as data ──────────────────────────────────────────────────────────────────────────────────


def _plain(each: Checked) -> dict[str, object]:
    return {
        "scenario": each.scenario,
        "level": each.level,
        "predicted": asdict(each.prediction.vector),
        "ending": each.ending,
        "steps": [
            {"step": step.call.step, "line": step.call.line, "word": step.word}
            for step in each.steps
        ],
        "violations": [
            {**asdict(violation), "unsafe": violation.unsafe} for violation in each.violations
        ],
    }
