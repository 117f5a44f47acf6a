"""What a drill collects before figures are computed from it: records, final reads, the fork."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lab.core.errors import LabError, Unplayed
from lab.core.topology import DATABASES, PLACES, Place
from lab.metrics.entrycounts import ATTEMPTS
from lab.records.runfiles import HISTORY, STOPWATCH

if TYPE_CHECKING:
    from lab.core.load import Load
    from lab.metrics.measure import Fork
    from lab.metrics.placing import Row
    from lab.postgres.finalread import Examined
    from lab.records.journalfile import Journal
    from lab.records.resultrows import NodeView
    from lab.records.samples import Sampled
    from lab.runbooks.runbook import Plan
    from lab.steps.context import Context
    from lab.testbed.journalwriter import EngineClock, Recorder
    from lab.testbed.lab import Lab


@dataclass(frozen=True, slots=True)
class Held:
    """Orders of a primary by client key, read after `at` (on the engine's clock)."""

    at: float
    orders: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a drill brought home, before figures are computed from it.

    `load` is the one that this machine carried, `written` how many operations each population says
    that it recorded. `failure` says why the runbook did not get to its end, `unhealed` why the lab
    could not be put back; both are empty if all went well. `winner` is the node whose data counts,
    `losers` are those whose data does not, `dead` are machines
    that did not run when the runbook was done, `reads` are the final reads by server name; one that
    could not be read is missing there, with the reason in `unread`. `examined` is what the
    losers' disks tell beyond that, by server name. `watched` is how many entries the stopwatch's
    record has, if it gave one. `samples` are on the engine's clock. `waiting` is the share of time
    that programs waited for a processor (`lab.records.machineload`); None if it was not counted.
    `opening` is what the primary held when the measured part began, if something led to it.
    """

    journal: Journal
    clock: EngineClock
    load: Load
    histories: tuple[Path, ...]
    written: Mapping[str, int]
    watched: Mapping[str, int]
    reads: Mapping[str, Mapping[str, Row]]
    unread: Mapping[str, str]
    fork: Fork | None
    winner: Place
    losers: tuple[Place, ...]
    dead: tuple[Place, ...]
    failure: LabError | None
    before: tuple[NodeView, ...]
    after: tuple[NodeView, ...]
    unhealed: str = ""
    examined: Mapping[str, Examined] = field(default_factory=dict)
    samples: tuple[Sampled, ...] = ()
    waiting: float | None = None
    opening: Held | None = None


def held_by(lab: Lab, recorder: Recorder, plan: Plan) -> Held:
    """What the primary holds that the run begins with. Raises Unplayed where it is no primary."""
    from lab.postgres import finalread

    if not lab.databases[plan.old].is_primary():
        raise Unplayed(f"the run begins with {plan.old} as primary, and it is none: see lab status")
    at = recorder.clock.now()
    return Held(at, finalread.read_living(lab.databases[plan.old]))


def histories(lab: Lab, folder: Path, recorder: Recorder) -> tuple[Path, ...]:
    """All populations' lines in one file: header and operations of each, one after the other.

    Without one of them the drill goes on, and its verdict is unknown. Raises LabError without any.
    """
    path = folder / HISTORY
    problems: list[LabError] = []
    with path.open("wb") as file:
        for name, users in lab.users.items():
            try:
                users.history(file)
            except LabError as error:
                problems.append(error)
                recorder.say(f"no record of users {name}: {error.message}")
    if len(problems) == len(lab.users):
        raise problems[0]
    return (path,)


def stopwatch_record(
    lab: Lab, folder: Path, recorder: Recorder, *, stop: bool = True
) -> Mapping[str, int]:
    """Write the stopwatch's record; how many entries it says that it has (`entrycounts`).

    One that goes on does not say that. Without a record the verdict is unknown.
    """
    try:
        noted = lab.stopwatch.stop() if stop else None
        with (folder / STOPWATCH).open("wb") as file:
            lab.stopwatch.record(file)
    except LabError as error:
        recorder.say(f"no record of the stopwatch: {error.message}")
        return {}
    return {ATTEMPTS: noted.attempts} if noted else {}


Found: TypeAlias = "Mapping[str, Row] | Examined | LabError"
"""Of one database: its orders, what a loser's disk tells, or why it could not be read."""


def final_reads(
    losers: Collection[Place],
    lab: Lab,
    winner: Place,
    fork: Fork | None,
    rested: Future[dict[str, int]],
) -> tuple[dict[str, Mapping[str, Row]], dict[str, str], dict[str, Examined]]:
    """Orders by server name, why a node could not be read, and what the losers' disks tell.

    All databases are read at the same time. `rested` ends when the users have stopped: a dead
    machine changes no more and is read at once, the others are read after that.
    """
    from lab.postgres.finalread import Examined

    history = _forks_or_none(lab, winner)
    with ThreadPoolExecutor(len(DATABASES) + 1) as pool:
        end = pool.submit(_end_of_orders, lab, winner, rested)
        kept = pool.submit(_kept, lab, winner, rested)

        def read(place: Place) -> Found:
            if place == winner:
                return kept.result()
            if place in losers:
                return _loser(lab, place, (fork, history), kept, rested)
            return _living(lab, place, end.result())

        found = dict(zip(DATABASES, lab.engine.each(DATABASES, read), strict=True))
    named = {place.server_name: each for place, each in found.items()}
    examined = {name: each for name, each in named.items() if isinstance(each, Examined)}
    unread = {name: each.message for name, each in named.items() if isinstance(each, LabError)}
    reads = {name: each for name, each in named.items() if isinstance(each, Mapping)}
    return {**reads, **{name: each.read for name, each in examined.items()}}, unread, examined


def _end_of_orders(lab: Lab, winner: Place, rested: Future[dict[str, int]]) -> int | None:
    """The winner's end of WAL when the users have stopped (LSN); None if it does not say."""
    rested.result()
    return _mark_or_none(lab, winner)


def _kept(lab: Lab, winner: Place, rested: Future[dict[str, int]]) -> Mapping[str, Row] | LabError:
    from lab.postgres import finalread

    rested.result()
    try:
        return finalread.read_counting(lab.engine, lab.databases[winner])
    except LabError as error:
        return error


def _living(lab: Lab, place: Place, at_least: int | None) -> Mapping[str, Row] | LabError:
    from lab.postgres import finalread

    try:
        return finalread.read_living(lab.databases[place], at_least)
    except LabError as error:
        return error


def _loser(
    lab: Lab,
    place: Place,
    left: tuple[Fork | None, Mapping[int, int] | None],
    kept: Future[Mapping[str, Row] | LabError],
    rested: Future[dict[str, int]],
) -> Examined | LabError:
    from lab.postgres import finalread

    node = lab.databases[place]
    if not lab.engine.state(place).stopped:
        rested.result()  # what runs, or is only frozen, may still take an order

    def keys() -> Collection[str] | None:
        rows = kept.result()
        return None if isinstance(rows, LabError) else rows

    try:
        return finalread.examine(lab.engine, node, left[0], keys, left[1])
    except LabError as error:
        return error


def losers_of(context: Context, winner: Place, left: Collection[Place] = ()) -> tuple[Place, ...]:
    """Databases whose data does not count: those of `left`, and those that a promotion replaced.

    `left` died, or are primary in the end: a primary was promoted beside the winner.
    """
    plan = context.plan
    replaced = set(DATABASES) - context.after().members if winner == plan.new else set()
    losers = {plan.old, *left, *replaced} - {winner}
    return tuple(place for place in DATABASES if place in losers)


def winner_of(lab: Lab, plan: Plan) -> Place:
    """The node whose data counts: the promoted one, or the old primary if none was promoted."""
    try:
        promoted = lab.databases[plan.new].state().role == "primary"
    except LabError:
        promoted = _promoted_on_disk(lab, plan.new)
    return plan.new if promoted else plan.old


def _promoted_on_disk(lab: Lab, place: Place) -> bool:
    """What the disk of a node says that does not answer; True if that cannot be told either."""
    try:
        return not lab.databases[place].is_standby_on_disk()
    except LabError:
        return True


def _mark_or_none(lab: Lab, primary: Place) -> int | None:
    try:
        return lab.databases[primary].mark()
    except LabError:
        return None


def fork_of(lab: Lab, new: Place) -> Fork | None:
    """Where the new timeline left the old one, from the promoted node's history file."""
    from lab.metrics.measure import Fork

    forks = _forks_or_none(lab, new)
    return Fork(*max(forks.items())) if forks else None


def _forks_or_none(lab: Lab, node: Place) -> Mapping[int, int] | None:
    try:
        return lab.databases[node].forks()
    except LabError:
        return None


def collect_logs(lab: Lab, folder: Path) -> None:
    """Write the log of every container into a folder, one file each."""

    def collect(place: Place) -> None:
        with suppress(LabError):
            (folder / f"{place.container}.log").write_text(lab.engine.logs(place, tail=2000))

    lab.engine.each(PLACES, collect)
