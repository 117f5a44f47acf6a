"""Where users went."""

from __future__ import annotations

from dataclasses import dataclass

from lab.history import Operation

from reference.case import Case, Group, acknowledged, nearest_rank


@dataclass(frozen=True)
class Movement:
    """Users of a group that used a gateway that died, and when shares of them had moved."""

    users: int
    moved: int
    t50: float | None
    t80: float | None
    t99: float | None


def when_moved(case: Case, own: list[Operation]) -> tuple[bool, float | None]:
    """Whether a user's last address before the fault died, and when another one answered."""
    assert case.fault is not None
    before = [item for item in own if item.start < case.fault and item.address is not None]
    if not before:
        return False, None
    last = max(before, key=lambda item: item.start).address
    if last not in case.dead:
        return False, None
    after = [item for item in own if acknowledged(item) and item.end > case.fault]
    ends = [item.end for item in after if item.address not in (None, last)]
    return True, min(ends) - case.fault if ends else None


def movements(case: Case) -> dict[Group, Movement]:
    found = {}
    for group in case.groups():
        mine = [i for i in case.operations if (i.population, i.honours_ttl) == group]
        users = sorted({item.user for item in mine})
        went = [when_moved(case, [i for i in mine if i.user == user]) for user in users]
        times = [INFINITE if at is None else at for affected, at in went if affected]
        if times:
            ranks = (nearest_rank(times, share) for share in (0.5, 0.8, 0.99))
            known = (None if at == INFINITE else at for at in ranks)
            found[group] = Movement(len(times), sum(at < INFINITE for at in times), *known)
    return found


INFINITE = float("inf")


def misdirected(case: Case) -> dict[Group, tuple[int, float | None]]:
    """Operations started after the fault that went to a dead gateway, and the last one's start."""
    found = {}
    for group in case.groups():
        starts = [
            item.start - (case.fault or 0.0)
            for item in case.operations
            if (item.population, item.honours_ttl) == group
            and case.fault is not None
            and item.start > case.fault
            and item.address in case.dead
        ]
        found[group] = (len(starts), max(starts) if starts else None)
    return found
