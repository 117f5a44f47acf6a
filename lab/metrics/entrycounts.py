"""How many entries each record of a run has, so that missing ones are noticed. Pure.

A run writes the counts into its `inputs.json` when its records are whole. An entry may be missing
at the beginning, in the middle or at the end of a record, and no figure need change by it. The
history's counts are the users' own (`written` in inputs.json, see `lab.records.recordgaps`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Final, TypeAlias

from lab.records.runfiles import DISKS, INPUTS, JOURNAL

if TYPE_CHECKING:
    from lab.metrics.rawrecord import Disk
    from lab.records.journalfile import Journal

Entries: TypeAlias = Mapping[str, Mapping[str, int]]
"""By file, then by what its entries are."""

ATTEMPTS: Final = "attempts"
"""What the entries of the stopwatch's record are."""


def count(journal: Journal, samples: Sized, disks: Mapping[str, Disk]) -> Entries:
    """The entries of the records that are documents."""
    return {
        JOURNAL: {"events": len(journal.events), "steps": len(journal.steps)},
        INPUTS: {"samples": len(samples)},
        DISKS: dict(_of_disks(disks)),
    }


def _of_disks(disks: Mapping[str, Disk]) -> Iterator[tuple[str, int]]:
    for node, disk in disks.items():
        yield f"commits of {node}", len(disk.evidence.commits or ())
        yield f"rows of {node}", len(disk.rows)


def miscounted(told: Mapping[str, int], found: Mapping[str, int]) -> str:
    """The first count of a file that is not as it was told; empty if there is none.

    Labs before this one told none.
    """
    for what, there in told.items():
        if (has := found.get(what, 0)) != there:
            return f"{there:,} {what} were recorded, but it has {has:,}"
    return ""
