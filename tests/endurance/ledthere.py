"""Situations that only a failover leads to: it is led there, and then users meet the runbook."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from tool import NAME, WORK, last_words, must, operations, ran

from lab.core.errors import LabError
from lab.core.load import Load
from lab.core.wait import pause
from lab.drills.observedmatrix import PATIENCE, Evidence, observe
from lab.drills.rehearsal import spaced
from lab.records.runfiles import HISTORY
from lab.runbooks.predict import Vector
from lab.runbooks.runbook import Runbook
from lab.runbooks.runbookfile import text_of
from lab.testbed import service
from lab.testbed.journalwriter import EngineClock
from lab.testbed.lab import Lab

LEADS: Final[Mapping[tuple[str, str], tuple[tuple[str, ...], ...]]] = {
    ("returned", "west.db1"): (
        ("fault", "inject", "blackout", "--region", "east"),
        ("runbook", "run", "region-failover", "--yes"),
    ),
    ("returned", "east.db1"): (
        ("runbook", "run", "switchover", "--yes"),
        ("fault", "inject", "blackout", "--region", "west"),
        ("runbook", "run", "region-failover-west", "--yes"),
    ),
    ("zone-returned", "east.db2"): (
        ("fault", "inject", "zone-loss", "--node", "east.db1"),
        ("runbook", "run", "zone-failover", "--yes"),
    ),
}
"""Commands by the situation that they lead to and the node that is primary in it."""

_STEADY, _STEADY_PATIENCE, _LAST = 3.0, 30.0, 7.0


def seen_after(runbook: Runbook, where: str, wait: float) -> tuple[Vector | None, str]:
    """What users saw of a runbook in such a situation; None, and why not, if it is not reached."""
    lead = LEADS.get((where, str(runbook.plan.old)))
    if lead is None:
        return None, f"nothing leads to {where} with {runbook.plan.old} as primary"
    must("reset", "--yes")
    for words in lead:
        must(*words)
    path = WORK / f"{runbook.name}-{where}.yaml"
    path.write_text(text_of(spaced(runbook, wait)), encoding="utf-8")
    with Lab.attached(NAME) as lab:
        try:
            return _met(lab, runbook, str(path))
        finally:
            with suppress(LabError):
                lab.stop_load()
            must("reset", "--yes")


def _met(lab: Lab, runbook: Runbook, path: str) -> tuple[Vector, str]:
    clock, load = EngineClock.calibrate(lab.users["east"].clock), Load()
    for number, users in enumerate(lab.users.values()):
        users.start(load, number)
    service.wait_for_service(lab, load.writes_per_second, _STEADY, _STEADY_PATIENCE)
    struck = clock.now()
    done = ran("runbook", "run", path, "--yes", "--force")
    settled = clock.now()
    pause(_LAST + PATIENCE)
    stopped, primaries = clock.now(), lab.databases.primaries()
    lab.stop_load()
    history = WORK / HISTORY
    with history.open("wb") as file:
        for users in lab.users.values():
            users.history(file)
    said = last_words(done.stderr) if done.returncode else ""
    found = Evidence(
        operations=operations(history),
        struck=struck,
        settled=settled,
        stopped=stopped,
        kept=frozenset(),
        primary=runbook.ends_at.server_name,
        primaries=tuple(place.server_name for place in primaries),
        failed=said,
    )
    return observe(found).vector, said
