"""What the losers' disks add to a run: the second opinion, and the orders that can be carried over.

The glue between a drill's record and the pure modules `walopinion` and `orphans`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import orphans
from lab.classify import Classification
from lab.drill import Drill
from lab.homecoming import Recorded
from lab.ledger import Ledger
from lab.lsn import format_lsn
from lab.result import Result
from lab.rows import Opinion
from lab.verdict import Judgement
from lab.walopinion import Told, judged, second_opinion


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The second opinion of a run, and its orphans."""

    opinion: Opinion
    orphans: tuple[orphans.Orphan, ...]

    @property
    def judgement(self) -> Judgement:
        """The opinion as an objective of the run."""
        return judged(self.opinion)

    def added_to(self, result: Result, folder: Path) -> Result:
        """The result with both in it; the orphans' files are written next to it."""
        for name, text in (
            (orphans.CSV_FILE, orphans.to_csv(self.orphans)),
            (orphans.SQL_FILE, orphans.to_sql(self.orphans, f"{result.drill} {result.started}")),
        ):
            if self.orphans:
                (folder / name).write_text(text)
        file = orphans.CSV_FILE if self.orphans else None
        return result.model_copy(update={"opinions": (self.opinion,), "orphans_file": file})


def look_back(chosen: Drill, recorded: Recorded, told: Ledger, fates: Classification) -> Aftermath:
    """Hold the losers' disks against what users were told."""
    answers = _answers(told, recorded)
    old, fork = chosen.takeover.old.server_name, recorded.fork
    opinion = second_opinion(
        [(fate.key, fate.operation.timeline, fate.operation.xid) for fate in fates.lost],
        answers.get,
        old,
        {name: each.evidence for name, each in recorded.examined.items()},
        promoted=chosen.takeover.promotes and recorded.winner == chosen.takeover.new,
        fork=f"{format_lsn(fork.lsn)} on timeline {fork.timeline}" if fork else "",
    )
    # The old primary first: what several losers have is carried over from there.
    names = sorted(recorded.examined, key=lambda name: (name != old, name))
    rows = {name: recorded.examined[name].rows for name in names}
    return Aftermath(
        opinion,
        orphans.collect(rows, lambda key: answers[key].outcome if key in answers else None),
    )


def _answers(told: Ledger, recorded: Recorded) -> Mapping[str, Told]:
    """What users were told of the orders that the losers' disks name, by client key."""
    every = recorded.examined.values()
    keys = {owner.key for each in every for owner in each.evidence.owners.values()}
    keys |= {row.key for each in every for row in each.rows}
    return {
        item.key: Told(item.outcome.value, item.timeline, item.xid) for item in told.of_keys(keys)
    }
