"""Where users went."""

from __future__ import annotations

from lab.records.history import Operation
from reference.case import Case, acknowledged, nearest_rank

INFINITE = float("inf")


def when_moved(case: Case, own: list[Operation]) -> tuple[bool, float | None]:
    """Whether a user's last address before the fault died, and when another one answered."""
    assert case.fault is not None
    known = [item for item in own if item.address is not None]
    before = [item for item in known if item.start <= case.fault]
    if not before or latest(before).address not in case.dead:
        return False, None
    after = [item for item in known if acknowledged(item) and item.start > case.fault]
    ends = [item.end for item in after if item.address not in case.dead]
    return True, min(ends) - case.fault if ends else None


def latest(own: list[Operation]) -> Operation:
    """The one that was started last; of equal ones the one that ended last, then the later line."""
    return max(enumerate(own), key=lambda each: (each[1].start, each[1].end, each[0]))[1]


def movement(case: Case, mine: list[Operation]) -> tuple[float | None, ...]:
    """Users who had to move, how many did, and when 50, 80 and 99 % of them had."""
    users = sorted({item.user for item in mine})
    went = [when_moved(case, [i for i in mine if i.user == user]) for user in users]
    times = [INFINITE if at is None else at for affected, at in went if affected]
    ranks = (nearest_rank(times, percent) for percent in (50, 80, 99))
    known = (None if at == INFINITE else at for at in ranks)
    return len(times), sum(at < INFINITE for at in times), *known


def misdirected(case: Case, mine: list[Operation]) -> tuple[int, float | None]:
    """Operations started after the fault that went to a dead gateway, and the last one's start."""
    assert case.fault is not None
    starts = [
        item.start - case.fault
        for item in mine
        if item.start > case.fault and item.address in case.dead
    ]
    return len(starts), max(starts, default=None)
