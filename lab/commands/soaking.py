"""What `lab soak` does: episodes until the time is over, each one kept as a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted
from lab.core.errors import EngineGone, EngineMissing, LabError
from lab.core.verdict import Verdict, worst
from lab.drills import drill, evaluate, livepanel, soak
from lab.drills import execution as played
from lab.drills.execution import Held
from lab.drills.soak import Episode
from lab.records import runfolders
from lab.records.result import Result
from lab.report.runtables import VERDICT_STYLE
from lab.testbed import lifecycle


@dataclass(frozen=True, slots=True)
class Ended:
    """One episode as it ended; `problem` is empty if everything held."""

    episode: Episode
    folder: str
    verdict: Verdict
    problem: str
    acknowledged: int
    lost: int


def run(minutes: float, seed: int, only: int | None, name: str | None, as_json: bool) -> int:
    """Play episodes; the exit code says what the worst of them was."""
    lab_name = chosen_name(name)
    ended: list[Ended] = []
    with (
        lifecycle.exclusive(lab_name, f"soak with seed {seed}"),
        told_when_interrupted(),
        played.held(lab_name, say()) as held,
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
    if only is not None:
        yield soak.episode(seed, only)
        return
    end = time.monotonic() + minutes * 60
    number = 1
    while time.monotonic() < end:
        yield soak.episode(seed, number)
        number += 1


def _play(each: Episode, held: Held) -> Ended:
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
        return Ended(each, folder.name, Verdict.UNKNOWN, error.message.splitlines()[0], 0, 0)
    if recorded.unhealed:
        held.close()
    return _judged(each, folder.name, found, recorded.unhealed)


def _judged(each: Episode, folder: str, found: Result, unhealed: str) -> Ended:
    rows = soak.broken(found)
    problems = [f"{row.name}: {row.detail or row.verdict}" for row in rows]
    problems += [f"not healed: {unhealed}"] if unhealed else []
    healing = Verdict.FAIL if unhealed else Verdict.PASS
    verdict = worst([healing, *(row.verdict for row in rows)])
    return Ended(each, folder, verdict, "; ".join(problems), found.acknowledged, found.lost)


def _tell(ended: list[Ended], as_json: bool) -> None:
    if as_json:
        print_json([_plain(each) for each in ended])
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for column in ("episode", "verdict", "acknowledged", "lost", "what"):
        table.add_column(column, overflow="fold")
    for each in ended:
        what = f"{each.problem}. Again: {each.episode.again}" if each.problem else (
            f"{each.episode.drill.title}. {each.episode.drill.situation}"
        )  # fmt: skip
        table.add_row(
            str(each.episode.number), Text(each.verdict, style=VERDICT_STYLE[each.verdict]),
            str(each.acknowledged), str(each.lost), Text(what),
        )  # fmt: skip
    out().print(table)


def _plain(each: Ended) -> dict[str, object]:
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
