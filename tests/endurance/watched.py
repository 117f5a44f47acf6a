"""A drill again and again, while an operator logs in to the primary the whole time.

Connections must stay below the server's limit, each log-in must succeed, and users must have full
service within seconds of the healing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tool import NAME, folder_of, last_words, must, operations, ran, tell

from lab.core.errors import LabError
from lab.core.topology import DEFAULT_REPLICATION
from lab.core.wait import pause
from lab.records.history import Kind, Outcome
from lab.records.runfiles import HISTORY
from lab.testbed.journalwriter import EngineClock
from lab.testbed.lab import Lab

LOGIN_EVERY_SECONDS = 0.2
FULL_SERVICE_SECONDS = 2.0
_SESSIONS = """
SELECT count(*), current_setting('max_connections')::int
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Login:
    """One log-in: when it began on the engine's clock, how long it took, what it saw or met."""

    at: float
    seconds: float
    sessions: int = 0
    limit: int = 0
    refused: str = ""


def watched(times: int, drill: str = "standby-loss") -> bool:
    """The drill, with an operator who logs in five times a second."""
    must("up")
    found = [_once(drill, number) for number in range(1, times + 1)]
    tell(times=times, right=sum(found))
    return all(found)


def _once(drill: str, seed: int) -> bool:
    with _logging_in() as logins:
        done = ran("drill", drill, "--json", "--seed", str(seed))
    if not done.stdout:
        tell(seed=seed, verdict=done.returncode, why=last_words(done.stderr))
        return False
    result = json.loads(done.stdout)
    folder = folder_of(result)
    journal = json.loads((folder / "journal.json").read_text())
    # The resets before and after restart the server.
    begin, end = (_marked(journal, name) for name in ("load_started", "load_stopped"))
    seen = [each for each in logins if begin <= each.at and each.at + each.seconds <= end]
    most, refused = max(each.sessions for each in seen), [e.refused for e in seen if e.refused]
    late = _late(journal, folder)
    tell(
        seed=seed, verdict=result["verdict"], lost=result["lost"], local=result["local"],
        rto=result["rto_seconds"]["max"], most=most, limit=seen[0].limit, logins=len(seen),
        slowest_login=round(max(each.seconds for each in seen), 3), refused=refused,
        unserved_after_heal=late,
    )  # fmt: skip
    served = late is not None and late <= FULL_SERVICE_SECONDS
    return result["verdict"] == "pass" and not refused and most < seen[0].limit and served


@contextmanager
def _logging_in() -> Iterator[list[Login]]:
    logins, over = list[Login](), threading.Event()

    def work() -> None:
        with Lab.attached(NAME) as lab:
            clock = EngineClock.calibrate(lab.users["east"].clock)
            while not over.is_set():
                logins.append(_log_in(lab, clock))
                pause(LOGIN_EVERY_SECONDS)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield logins
    finally:
        over.set()
        thread.join()


def _log_in(lab: Lab, clock: EngineClock) -> Login:
    began = clock.now()
    try:
        [(taken, limit)] = lab.databases[DEFAULT_REPLICATION.primary].query(_SESSIONS)
    except LabError as error:
        return Login(began, clock.now() - began, refused=error.message)
    return Login(began, clock.now() - began, taken, limit)


def _marked(journal: dict[str, Any], name: str) -> float:
    return next(float(each["at"]) for each in journal["events"] if each["name"] == name)


def _late(journal: dict[str, Any], folder: Path) -> float | None:
    """Seconds from the end of the healing to the last order after it that was not safe."""
    healed = next((each for each in reversed(journal["steps"]) if each["name"] == "heal"), None)
    if healed is None:
        return None
    ends = [
        each.end for each in operations(folder / HISTORY)
        if each.kind is Kind.WRITE and each.start >= healed["started"]
        and each.outcome is not Outcome.OK
    ]  # fmt: skip
    return round(max(0.0, max(ends, default=0.0) - healed["ended"]), 3)
