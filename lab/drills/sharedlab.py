"""The lab that tests share: brought up once, and healed after each of their measured runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from lab.core.console import Say
from lab.core.errors import LabError
from lab.core.verdict import Verdict
from lab.drills.byhand import Hands
from lab.drills.execution import Held, held
from lab.drills.row import Drill
from lab.drills.withup import Coming, by_hand, hands_on, refuse_no_seed
from lab.records import metricrows
from lab.records.journalfile import DONE
from lab.records.result import Result
from lab.records.runfiles import JOURNAL
from lab.report import sentences
from lab.testbed import turns


@dataclass(frozen=True)
class Record:
    """What a run has shown: figures, and the folder that the report is in. `result` is all of it.

    A figure that was not measured raises LabError, so that no test passes for the lack of it.
    """

    result: Result = field(repr=False)
    folder: Path

    @property
    def lost(self) -> tuple[str, ...]:
        """Keys of acknowledged orders that the final primary does not have."""
        return self.result.lost_ids

    @property
    def rto(self) -> float:
        """Seconds until the users of both regions could order again."""
        return self.figure("rto_seconds")

    @property
    def rpo(self) -> float:
        """Seconds of orders that were lost, back from the fault."""
        return self.figure("rpo_seconds")

    @property
    def split_brain_writes(self) -> int:
        """Orders that an old primary acknowledged after the new one had begun to."""
        return int(self.figure("split_brain_writes"))

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of all that was done, in order: faults, steps of the runbook, other verbs."""
        return tuple(each.name for each in self.result.steps if each.outcome == DONE)

    @property
    def doubt(self) -> str:
        """Why its figures prove nothing: standard checks whose verdict is unknown; empty if none.

        A check that failed does not make the others known.
        """
        rows = (row for row in self.result.objectives if row.verdict is Verdict.UNKNOWN)
        return "; ".join(f"{row.name}: {row.detail or row.why}" for row in rows)

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return self.folder / "report.html"

    def figure(self, name: str) -> float:
        """A figure by its name (docs/figures.md), such as `rto_seconds.west`, in its own unit.

        Raises UnknownName, and LabError if it was not measured.
        """
        found = metricrows.find(name, self.result)
        if found.value is None:
            why = f": {found.detail}" if found.detail else ""
            raise LabError(f"{name} was not measured{why}", f"look at {self.report}")
        return found.value

    def told(self) -> str:
        """What it has shown, in sentences, and where the report is."""
        return "\n".join((*sentences.sentences(self.result), f"Report: {self.report.absolute()}"))


class SharedHands(Hands):
    """The verbs, for one test or several that share a run."""

    written: ClassVar = 'with lab_up("a title") as lab:'
    _measured: Result | None = None

    def measure(self) -> Result:
        """End the load, read every database, heal the lab, and write the run's report."""
        self._measured = super().measure()
        return self._measured

    def record(self) -> Record:
        """What the run has shown: it is measured at the first call.

        Raises LabError if its verdict is unknown: then it has shown nothing.
        """
        found = Record(self._measured or self.measure(), self.folder)
        if doubt := found.doubt:
            raise LabError(
                f"the verdict is unknown: {doubt}",
                f"look at {found.report}, and run the test again",
            )
        return found

    @property
    def at_work(self) -> bool:
        """Whether users are at work, and nothing was measured yet."""
        return self._begun is not None and self._measured is None

    def told(self) -> str:
        """What the run has shown, in sentences; empty if no users were at work.

        It is measured now if it was not.
        """
        if not (self.at_work or self._measured):
            return ""
        try:
            return Record(self._measured or self.measure(), self.folder).told()
        except Exception as error:  # a test that fails anyway is told, and the others go on
            journal = (self.folder / JOURNAL).absolute()
            return f"The lab measured nothing: {error}\nJournal: {journal}"


class SharedLab:
    """One lab for many runs. `runs` has those that began, the newest last."""

    def __init__(self, lab: Held, say: Say) -> None:
        self._lab, self._say = lab, say
        self.runs: list[SharedHands] = []

    def up(
        self, title: str, old: str, new: str, seed: int, file: Path, again: tuple[str, ...]
    ) -> Coming[SharedHands]:
        """The lab for one run. Raises UsageError for wrong names, before the lab is asked."""
        drill = by_hand(title, "test", file, old, new)
        return Coming(SharedHands, self._run(drill, refuse_no_seed(seed), again))

    @contextmanager
    def _run(self, drill: Drill, seed: int, again: tuple[str, ...]) -> Iterator[SharedHands]:
        with hands_on(SharedHands, drill, self._lab, seed, self._say) as hands:
            hands.again = again
            self.runs.append(hands)
            try:
                yield hands
            except Exception:
                hands.told()  # measured before it is healed
                raise


@contextmanager
def shared(name: str, aloud: Say) -> Iterator[SharedLab]:
    """The lab of that name, up, for tests alone. `aloud` is where its coming up is shown."""
    with turns.exclusive(name, "run tests"), held(name, aloud) as lab:
        lab.up()
        yield SharedLab(lab, Say())
