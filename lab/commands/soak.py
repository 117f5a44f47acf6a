"""The command `lab soak`: episodes until the time is over, each one kept as a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Json, Name, any_seed
from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted
from lab.core.errors import EngineGone, EngineMissing, LabError, UsageError

if TYPE_CHECKING:
    from lab.core.verdict import Verdict
    from lab.drills.execution import Held
    from lab.drills.soak import Episode
    from lab.records.result import Result

_MINUTES = 10


def soak(
    minutes: Annotated[
        float | None,
        typer.Option(
            help=f"Start new episodes for this many minutes (default: {_MINUTES}).",
            min=0.1, max=10_080,
            metavar="MINUTES", show_default=False,
        ),
    ] = None,
    seed: Annotated[int, any_seed("The same seed gives the same episodes.")] = 1,
    episode: Annotated[
        int | None,
        typer.Option(
            help="Run only this episode of the seed.", metavar="N", min=1, max=2**53 - 1,
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Break things at random, and check what must always hold.

    Brings the lab up if it is not, and empties it.
    """
    if episode is not None and minutes is not None:
        raise UsageError(
            "--episode plays one episode, however long it takes", "leave --minutes out"
        )
    raise typer.Exit(_run(minutes or _MINUTES, seed, episode, name, as_json))


@dataclass(frozen=True, slots=True)
class _Ended:
    """One episode as it ended; `problem` is empty if everything held."""

    episode: Episode
    folder: str
    verdict: Verdict
    problem: str
    acknowledged: int
    lost: int


def _run(minutes: float, seed: int, only: int | None, name: str | None, as_json: bool) -> int:
    """Play episodes; the exit code says what the worst of them was."""
    from lab.core.verdict import worst
    from lab.drills import execution
    from lab.testbed import turns

    lab_name = chosen_name(name)
    ended: list[_Ended] = []
    with (
        turns.exclusive(lab_name, f"soak with seed {seed}"),
        told_when_interrupted(),
        execution.held(lab_name, say()) as held,
    ):
        try:
            for each in _episodes(minutes, seed, only):
                say().note(f"episode {each.number}, seed {seed}: {each.drill.title}")
                ended.append(_play(each, held))
        except KeyboardInterrupt:
            say().warn(f"interrupted after {len(ended)} episodes")
            _tell(ended, as_json)
            raise
    _tell(ended, as_json)
    return worst(each.verdict for each in ended).exit_code


def _episodes(minutes: float, seed: int, only: int | None) -> Iterator[Episode]:
    from lab.drills import soak

    if only is not None:
        yield soak.episode(seed, only)
        return
    end = time.monotonic() + minutes * 60
    number = 1
    while time.monotonic() < end:
        yield soak.episode(seed, number)
        number += 1


def _play(each: Episode, held: Held) -> _Ended:
    from lab.core.verdict import Verdict
    from lab.drills import drill, evaluate, livepanel
    from lab.records import runfolders

    folder = runfolders.new_run(f"soak-{each.seed}-{each.number}")
    try:
        with runfolders.dropped_if_empty(folder):
            lab = held.up()
            with livepanel.watching(say(), each.drill.title, lab.users) as observers:
                recorded = drill.run(each.drill, lab, folder, each.seed, observers)
            found = evaluate.evaluate(
                each.drill, recorded, lab, folder, each.seed, each.again.split()
            )
    except (EngineGone, EngineMissing):
        raise
    except LabError as error:
        held.close()
        return _Ended(each, folder.name, Verdict.UNKNOWN, error.message.splitlines()[0], 0, 0)
    if recorded.unhealed:
        held.close()
    return _judged(each, folder.name, found, recorded.unhealed)


def _judged(each: Episode, folder: str, found: Result, unhealed: str) -> _Ended:
    from lab.core.verdict import Verdict, worst
    from lab.drills import soak

    rows = soak.broken(found)
    problems = [f"{row.name}: {row.detail or row.verdict}" for row in rows]
    problems += [f"not healed: {unhealed}"] if unhealed else []
    healing = Verdict.FAIL if unhealed else Verdict.PASS
    verdict = worst([healing, *(row.verdict for row in rows)])
    return _Ended(each, folder, verdict, "; ".join(problems), found.acknowledged, found.lost)


def _tell(ended: list[_Ended], as_json: bool) -> None:
    from rich.text import Text

    from lab.core.plaintable import plain_table
    from lab.report.runtables import VERDICT_STYLE

    if as_json:
        print_json([_plain(each) for each in ended])
        return
    table = plain_table("", "episode", "verdict", "acknowledged", "lost", "what*")
    for each in ended:
        what = f"{each.problem}. Again: {each.episode.again}" if each.problem else (
            f"{each.episode.drill.title}. {each.episode.drill.situation}"
        )  # fmt: skip
        table.add_row(
            str(each.episode.number), Text(each.verdict, style=VERDICT_STYLE[each.verdict]),
            str(each.acknowledged), str(each.lost), Text(what),
        )  # fmt: skip
    out().print(table)


def _plain(each: _Ended) -> dict[str, object]:
    return {
        "seed": each.episode.seed,
        "episode": each.episode.number,
        "drill": each.episode.drill.name,
        "situation": each.episode.drill.situation,
        "verdict": str(each.verdict),
        "problem": each.problem,
        "acknowledged": each.acknowledged,
        "lost": each.lost,
        "folder": each.folder,
    }
