"""Every error the lab raises on purpose, and the exit code that each one ends with.

    LabError                     3  the lab or the machine is broken
    ├── UsageError               2  wrong flag, name, setting or file given by the user
    │   ├── UnknownName          2  a name that is in no table (carries the nearest ones)
    │   ├── Unfit                2  a value of another kind, unit or range (see lab.core.fitting)
    │   ├── DamagedFile          2  a record with a line that cannot be trusted
    │   │   ├── DamagedHistory   2  a history (lab.records.history)
    │   │   └── DamagedRecord    2  a stopwatch's record (lab.records.stopwatchrecord)
    │   ├── BadFile              2  a file that a person wrote, with a mistake in it
    │   │   ├── BadRunbook       2  a runbook's (lab.runbooks.runbookfile)
    │   │   ├── BadTargets       2  sets of objectives (lab.drills.targets)
    │   │   └── BadDrill         2  a drill's (lab.drills.script)
    │   └── DuplicateKey         2  two writes under one client key (lab.metrics.classify)
    ├── MachineError             3  engine, Compose, disk, port or image problems
    │   ├── EngineMissing        3  no engine answers and none may be installed
    │   └── EngineGone           3  the engine stopped answering in the middle
    ├── LibraryMissing           3  only the libraries of `lab runbook check` are installed
    ├── Refused                  1  the answer is no: a step refuses, and nothing is broken
    ├── LabNotUp                 3  a command needs a running lab
    ├── MachineDown              3  one machine of a running lab does not run
    ├── Busy                     4  another command holds this lab: nothing was done
    ├── CommandFailed            3  a command inside a node failed (node, command, code, output)
    ├── WinnerUnread             3  the winner could not be read (see lab.metrics.classify)
    ├── TooBusy                  4  the machine was too busy for a drill: the verdict is unknown
    ├── Unplayed                 3  what a drill was to do before or beside its runbook was not done
    └── WaitExpired              3  a condition did not come true before its deadline
        ├── FaultUnseen          3  no probe saw what a fault does
        └── LossUnseen           1  a runbook waited for a loss, and none was noticed

Exit codes 0, 1 and 4 are verdicts (pass, fail, unknown), see `lab.core.verdict`. An error ends with
1 if the answer is no and the lab is in order, and with 4 if there is no answer now: the same
command may get one later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from lab.core.nearest import nearest


class LabError(Exception):
    """Something the user is told about in one message: what happened, and what to do next."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.next_step}" if self.next_step else self.message


class UsageError(LabError):
    """The request was wrong; nothing was done."""

    exit_code: ClassVar[int] = 2


class UnknownName(UsageError):
    """A name that is in no table; names the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = nearest(name, names, most=2, least=0.5)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
        )
        super().__init__(f"there is no {kind} called {quoted(name)}", hint)
        self.name, self.nearest = name, near


class Unfit(UsageError):
    """A value that the field called `name` cannot have; the hint says what to write instead."""

    def __init__(self, name: str, reason: str, instead: str) -> None:
        super().__init__(f"{name} {reason}", instead)
        self.name = name


_SHOWN = 300
_WORD_SHOWN = 80


def quoted(word: str) -> str:
    """A word of the user's in a message, in quotation marks: of a very long one its beginning."""
    return repr(word) if len(word) <= _WORD_SHOWN else f"{word[:_WORD_SHOWN]!r}…"


def brief(text: str) -> str:
    """A text that may hold what a damaged file says, as long as a message can bear."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class DamagedFile(UsageError):
    """A file that cannot be trusted: names the file, the line (from 1) and the reason."""

    consequence: ClassVar[str]

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(
            f"{source}, line {line}: {brief(reason)}", f"{self.consequence}; run the drill again"
        )
        self.source, self.line, self.reason = source, line, reason


class BadFile(UsageError):
    """A file that a person wrote: names it, the line (from 1; 0 for all of it) and the reason."""

    about: ClassVar[str] = ""
    """The next step where a mistake has none of its own."""

    instead: ClassVar[str] = ""
    """The next step where the file is something else altogether."""

    example: ClassVar[str] = ""
    """The next step where the file is empty."""

    noun: ClassVar[str] = "file"

    def __init__(self, source: str, line: int, reason: str, hint: str = "") -> None:
        where = f"{source}:{line}" if line else source
        super().__init__(f"{where}: {reason}", hint or self.about)
        self.source, self.line, self.reason = source, line, reason


class BadRunbook(BadFile):
    """A file that is no runbook."""

    about = "how a runbook is written: docs/runbooks.md"
    instead = "see those that come with the lab: lab runbook list"
    example = "see chaos/runbooks for what a runbook looks like"
    noun = "runbook"


class BadTargets(BadFile):
    """A file that holds no sets of objectives."""

    about = "how sets of objectives are written: README.md, “Objectives of your own”"
    instead = about
    noun = "file of objectives"


class BadDrill(BadFile):
    """A script that is no drill."""

    about = "how a drill is written: docs/drills.md"


class MachineError(LabError):
    """The machine under the lab cannot do what is asked."""


class EngineMissing(MachineError):
    """No container engine answers, and none may be installed here."""


class EngineGone(MachineError):
    """The engine answered before and does not now."""


LIBRARIES: Final = (
    "dns", "docker", "duckdb", "jwt", "numpy", "psycopg", "pydantic", "requests", "toxiproxy",
    "trustme",
)  # fmt: skip
"""What the extra `lab` installs (pyproject.toml), as it is imported."""


class LibraryMissing(LabError):
    """A command needs a library of the extra `lab`, and that is not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"this needs the library {library}, which is not installed",
            "in a checkout of the lab: pip install --editable '.[lab]'",
        )

    @classmethod
    def told(cls, error: BaseException) -> LibraryMissing | None:
        """The error of an import that failed; None for any other error."""
        if not isinstance(error, ModuleNotFoundError):
            return None
        library = str(error.name).partition(".")[0]
        return cls(library) if library in LIBRARIES else None


class Refused(LabError):
    """The answer is no: a step of a runbook, or a person, refuses. Lab and machine are in order."""

    exit_code: ClassVar[int] = 1


class LabNotUp(LabError):
    """The command needs a lab that is running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"lab {name!r} is not up", "run: lab up")


_STATES: Final = {
    "paused": "frozen", "exited": "stopped", "created": "stopped", "dead": "stopped",
}  # fmt: skip
"""The lab's words for the engine's."""


class MachineDown(LabError):
    """One machine does not run; `status` is the engine's word for it, `absent` if there is none.

    `word` is the lab's.
    """

    def __init__(self, place: object, status: str) -> None:
        way = "run: lab up" if status == "absent" else "if a fault did that: lab fault heal --all"
        what = "is frozen and may resume" if status == "paused" else "does not run"
        self.word = _STATES.get(status, status)
        super().__init__(f"{place} {what}: it is {self.word}", f"see: lab status; {way}")


class Busy(LabError):
    """Another command holds the lab. Nothing was done, and the same command may go later."""

    exit_code: ClassVar[int] = 4


class CommandFailed(LabError):
    """A command inside a node failed."""

    def __init__(self, node: str, command: str, code: int, output: str) -> None:
        tail = "\n    ".join(output.strip().splitlines()[-8:])
        super().__init__(
            f"{node}: `{command}` ended with code {code}" + (f":\n    {tail}" if tail else ""),
            f"look at: lab logs {node}",
        )
        self.node, self.command, self.code, self.output = node, command, code, output


class TooBusy(LabError):
    """The machine has no room for a drill now, so its result is unknown."""

    exit_code: ClassVar[int] = 4

    def __init__(self, missed: str) -> None:
        super().__init__(
            f"the verdict is unknown: this machine is too busy: {missed}",
            "end what else keeps this machine busy, or see what is wrong: lab status",
        )


class Unplayed(LabError):
    """What a drill was to do before or beside its runbook was not done: it is another run."""


def last_seen(last: object) -> str:
    """The end of a message about a wait: what a probe saw last, if it saw or raised anything."""
    told = last.message if isinstance(last, LabError) else last
    return f"; last seen: {told}" if told else ""


class WaitExpired(LabError):
    """A condition did not come true before its deadline."""

    def __init__(self, what: str, timeout: float, last: object) -> None:
        super().__init__(f"waited {timeout:g} s for {what}{last_seen(last)}")
        self.what, self.timeout, self.last = what, timeout, last


class FaultUnseen(WaitExpired):
    """A fault was injected and no probe saw its effect: whatever follows proves nothing."""


class LossUnseen(WaitExpired):
    """No loss was noticed: there may be none, or the eyes that were to see it do not see."""

    exit_code: ClassVar[int] = 1
