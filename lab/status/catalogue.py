"""Every situation that `lab status` recognises, in the order in which to tell a person."""

from __future__ import annotations

from typing import Final

from lab.status.look import Status
from lab.status.machines import CONNECTIONS, DOWN, FROZEN, SERVER_DOWN
from lab.status.operators import CUT, IN_FORCE, PINNED, REFUSED, UNSEEN, WAITS
from lab.status.primaries import ASTRAY, NONE, TWO
from lab.status.replication import (
    ANOTHER_WAY,
    COMMITS_WAIT,
    CUT_OFF,
    LATE,
    PAUSED,
    SLOT_FILLS,
    SLOT_LOST,
)
from lab.status.row import Finding, beside

SITUATIONS: Final = (
    TWO, NONE, FROZEN, DOWN, SERVER_DOWN, CONNECTIONS, COMMITS_WAIT, PAUSED, SLOT_LOST, SLOT_FILLS,
    ANOTHER_WAY, CUT_OFF, LATE, ASTRAY, REFUSED, UNSEEN, IN_FORCE, PINNED, WAITS, CUT,
)  # fmt: skip


def findings(found: Status) -> tuple[Finding, ...]:
    """Everything that is recognised, what is wrong first."""
    all_of_them = [
        Finding(row.name, says, tuple(beside(found.cut, each) for each in commands), row.wrong)
        for row in SITUATIONS
        for says, commands in row.sees(found)
    ]
    return tuple(sorted(all_of_them, key=lambda each: not each.wrong))
