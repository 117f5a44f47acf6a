"""Runs a drill, once or several times in a row, and keeps what each run collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from lab.core.console import Say
from lab.core.errors import EngineGone, EngineMissing, LabError
from lab.core.verdict import Verdict
from lab.drills import drill, evaluate, livepanel, loadrun
from lab.drills.addedfaults import FLAG
from lab.drills.baseline import Baseline
from lab.drills.row import Drill
from lab.metrics.customobjectives import Wanted
from lab.records import runfolders, spread
from lab.records.result import Result
from lab.records.spread import Conditions, Series, SeriesRun
from lab.report import junit
from lab.report.junit import Suite
from lab.testbed import lifecycle
from lab.testbed.lab import Lab


@dataclass(frozen=True, slots=True)
class Plan:
    """What one command line asks for: the drill with `repeat` seeds from `seed` on.

    A run whose verdict is unknown is run again at most `retries` times.
    """

    drill: Drill
    lab: str
    seed: int
    repeat: int = 1
    wanted: Wanted = field(default_factory=Wanted)
    baseline: Baseline = field(default_factory=Baseline)
    retries: int = 0

    @property
    def judged(self) -> Drill:
        """The drill, with the objectives that are in force."""
        return replace(self.drill, objectives=self._wanted.instead_of(self.drill.objectives))

    @property
    def _wanted(self) -> Wanted:
        return self.wanted.before(self.baseline.wanted)

    def command(self, seed: int, *more: str) -> list[str]:
        """The command that runs it again with a seed."""
        return [
            "lab",
            "drill",
            self.drill.named,
            "--seed",
            str(seed),
            *more,
            *again(self.drill),
            *self._wanted.arguments,
        ]


def again(chosen: Drill) -> list[str]:
    """The options that make another run the same: added faults, and that a person acts."""
    hands = ["--manual"] if chosen.by_hand else []
    return [*hands, *(word for text in chosen.added for word in (FLAG, text))]


@dataclass(frozen=True, slots=True)
class Played:
    """A run that has a result. `unhealed` says why the lab could not be put back."""

    result: Result
    unhealed: str


def play(plan: Plan, lab: Lab, folder: Path, seed: int, say: Say) -> Played:
    """Run the drill once on a lab that is up; result.json and report.html are written."""
    chosen = plan.judged
    with livepanel.watching(say, chosen.title, lab.users) as observers:
        recorded = drill.run(chosen, lab, folder, seed, observers)
    with say.step("classifying every operation, measuring, writing the report"):
        found = evaluate.evaluate(chosen, recorded, lab, folder, seed, plan.command(seed))
    return Played(found, recorded.unhealed)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run of a drill in a folder of its own: what came of it, or why it died."""

    folder: Path
    started: str
    played: Played | None = None
    error: LabError | None = None

    @property
    def unknown(self) -> str:
        """Why there is no verdict; empty if there is one, or if lab or machine are broken."""
        if self.played is not None:
            return self.played.result.doubt
        code = Verdict.UNKNOWN.exit_code
        return self.error.message if self.error and self.error.exit_code == code else ""

    def __str__(self) -> str:
        reason = self.unknown.partition("\n")[0]
        return f"unknown: {reason}" + (f" ({self.folder})" if self.folder.is_dir() else "")


def attempts(
    name: str, retries: int, lab: Held, run: Callable[[Path], Played], say: Say
) -> list[Attempt]:
    """Run a drill until it has a verdict, at most `retries` times more; all that was tried.

    A pass, a fail and a lab that is broken are final.
    """
    made: list[Attempt] = []
    for number in range(1, retries + 2):
        made.append(_attempt(name, lab, run))
        if not made[-1].unknown or number > retries:
            break
        say.warn(f"attempt {number} of at most {retries + 1} is {made[-1]}")
    return made


def _attempt(name: str, lab: Held, run: Callable[[Path], Played]) -> Attempt:
    folder = runfolders.new_run(name)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with runfolders.dropped_if_empty(folder):
            played = run(folder)
    except LabError as error:
        lab.close()
        return Attempt(folder, started, error=error)
    if played.unhealed:
        lab.close()
    return Attempt(folder, started, played)


def suite(made: Sequence[Attempt], name: str, seed: int) -> Suite:
    """What CI reads: the last attempt, and in words those before it."""
    last, kept = made[-1], str(made[-1].folder) if made[-1].folder.is_dir() else None
    if last.played is not None:
        found = junit.of_result(last.played.result, str(last.folder))
    else:
        found = junit.of_error(name, seed, kept, last.started, str(last.error))
    return junit.after(found, [*map(str, made[:-1])])


@dataclass(slots=True)
class Taken:
    """What a series has brought home so far.

    `stopped` is why it went no further, `unhealed` in what state the last run left the lab.
    """

    runs: list[SeriesRun] = field(default_factory=list)
    suites: list[Suite] = field(default_factory=list)
    conditions: Conditions | None = None
    stopped: BaseException | None = None
    unhealed: str = ""

    def document(self, plan: Plan, command: str) -> Series:
        """The series as a document."""
        return spread.series(
            drill=plan.drill.name,
            title=plan.drill.title,
            command=command,
            seed=plan.seed,
            asked=plan.repeat,
            interrupted=isinstance(self.stopped, KeyboardInterrupt),
            conditions=self.conditions,
            runs=self.runs,
        )


class Held:
    """The lab between the runs of a series: brought up when it is needed. Each run resets it."""

    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say
        self._lab: Lab | None = None

    def up(self) -> Lab:
        """The lab, brought up if it is not known to be in order."""
        if self._lab is None:
            loadrun.end_first(self._name, self._say)
            self._lab = lifecycle.up(self._name, self._say, to_be_reset=True)
        return self._lab

    def close(self) -> None:
        """Trust the lab no longer: the next `up` looks at all of it."""
        if self._lab is not None:
            self._lab.engine.close()
            self._lab = None


@contextmanager
def held(name: str, say: Say) -> Iterator[Held]:
    """A lab for some runs, closed in the end."""
    lab = Held(name, say)
    try:
        yield lab
    finally:
        lab.close()


def play_all(plan: Plan, say: Say) -> Taken:
    """Run the drill with each seed. A run that dies is listed, and the next one heals the lab.

    It ends early when it is interrupted or the engine is gone; `Taken.stopped` says so.
    """
    taken = Taken()
    with held(plan.lab, say) as lab:
        for number in range(1, plan.repeat + 1):
            seed = plan.seed + number - 1
            say.note(f"run {number} of {plan.repeat}, seed {seed}")
            try:
                _take(plan, lab, number, seed, taken, say)
            except (KeyboardInterrupt, EngineGone, EngineMissing) as reason:
                taken.stopped = reason
                break
    return taken


def _take(plan: Plan, lab: Held, number: int, seed: int, taken: Taken, say: Say) -> None:
    name = plan.drill.name
    made = attempts(
        name, plan.retries, lab, lambda folder: play(plan, lab.up(), folder, seed, say), say
    )
    last, earlier = made[-1], tuple(each.folder.name for each in made[:-1])
    taken.suites.append(suite(made, name, seed))
    if last.played is None:
        _died(last, number, seed, earlier, taken, say)
        return
    taken.unhealed = last.played.unhealed
    if taken.unhealed:
        say.warn(f"the lab could not be healed: {taken.unhealed}")
    result = last.played.result
    taken.runs.append(spread.finished(number, seed, last.folder.name, result, earlier))
    taken.conditions = taken.conditions or spread.conditions(result)


def _died(
    last: Attempt, number: int, seed: int, earlier: tuple[str, ...], taken: Taken, say: Say
) -> None:
    """List a run that has no result. Raises its error if there is no engine any more."""
    kept = last.folder.name if last.folder.is_dir() else None
    reason = str(last.error).partition("\n")[0]
    taken.runs.append(spread.died(number, seed, kept, reason, earlier))
    say.error(f"run {number} died: {reason}")
    if isinstance(last.error, EngineGone | EngineMissing):
        raise last.error
