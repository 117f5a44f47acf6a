"""How a load stands: what its users say of themselves, and what is in its journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.words import count
from lab.records import journalfile
from lab.records.journalfile import MARK_WORDS, ZEROS, Journal
from lab.records.runfiles import JOURNAL

if TYPE_CHECKING:
    from lab.infra.clients import UsersStats
    from lab.testbed.lab import Lab
    from lab.testbed.underway import Underway


@dataclass(frozen=True, slots=True)
class Standing:
    """`since` is empty if no load is on. `stats` are by population; None where none answers."""

    since: str = ""
    folder: Path = field(default_factory=Path)
    load: str = ""
    stats: dict[str, UsersStats | None] = field(default_factory=dict)
    journal: Journal = field(default_factory=lambda: Journal(""))

    def document(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "since": self.since or None,
            "folder": str(self.folder) if self.since else None,
            "load": self.load,
            "populations": {
                name: None if each is None else each.model_dump()
                for name, each in self.stats.items()
            },
            "events": [{"name": e.name, "at": e.at, "note": e.note} for e in self.journal.events],
            "steps": [each.name for each in self.journal.steps],
        }

    def text(self) -> str:
        """The same for people."""
        if not self.since:
            return "no users are at work; to put them to work: lab load start"
        lines = [f"users are at work since {self.since}: {self.load} of each population"]
        lines += map(_told, self.stats, self.stats.values())
        lines += _happened(self.journal)
        return "\n".join([*lines, f"journal: {self.folder / JOURNAL}"])


def look(lab: Lab, found: Underway | None) -> Standing:
    """Ask the users, and read the journal."""
    if found is None:
        return Standing()
    stats: dict[str, UsersStats | None] = {}
    for name, users in lab.users.items():
        stats[name] = None
        with suppress(LabError):
            stats[name] = users.stats()
    journal = journalfile.from_file(found.folder / JOURNAL)
    if found.untold:
        events = tuple(replace(each, note="") for each in journal.events)
        journal = replace(journal, events=events)
    return Standing(found.began, found.folder, str(found.load), stats, journal)


def _told(name: str, stats: UsersStats | None) -> str:
    if stats is None:
        return f"  {name}: the users' program does not answer"
    totals = stats.totals["write"]
    told = f"{totals.ok:,} orders ok, {totals.local} local, {totals.fail} failed, " + (
        f"{totals.unknown} without an answer"
    )
    if stats.running:
        return f"  {name}: {told}"
    why = f": {stats.full}" if stats.full else ""
    return f"  {name}: {told}; they stopped{why}; to measure it: lab load stop"


def _happened(journal: Journal) -> Iterator[str]:
    """What happened, in seconds after the first thing that did."""
    zero = journal.at(*ZEROS) or 0.0
    moments = [
        (mark.at, " ".join(filter(None, [MARK_WORDS[mark.name], mark.note])))
        for mark in journal.events
    ]
    moments += [(step.started, f"{step.name}: {step.outcome}") for step in journal.steps]
    if moments:
        yield f"{count(len(moments), 'entry', 'entries')} in its journal:"
    for at, told in sorted(moments):
        yield f"  {at - zero:+8.1f} s  {told}"
