"""Whether what is in force is what a fault is pointed at, and how strong it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from math import isclose

from lab.faults.row import Aim, Aimed


def covered(aimed: Aimed, there: Collection[Aim]) -> bool:
    """True when all that it is pointed at is in force, as strong as it says."""
    return all(_covers(each, there) for each in _single(aimed))


def amount(aimed: Aimed, there: Iterable[Aim]) -> float | None:
    """How strong it is where it is in force; None where it is not, or has several strengths."""
    strengths = {
        aim.amount
        for aim in there
        for each in _single(aimed)
        if _covers(replace(each, amount=aim.amount), [aim])
    }
    return strengths.pop() if len(strengths) == 1 else None


def _single(aimed: Aimed) -> Iterator[Aim]:
    """One aim per link, where each of them can be in force alone."""
    if len(aimed.aim.links) > 1:
        yield from (Aim(links=(link,), amount=aimed.aim.amount) for link in aimed.aim.links)
    else:
        yield aimed.aim


def _covers(wanted: Aim, there: Iterable[Aim]) -> bool:
    return any(
        set(wanted.links) <= set(aim.links)
        and wanted.node == aim.node
        and wanted.region == aim.region
        and _as_strong(wanted.amount, aim.amount)
        for aim in there
    )


def _as_strong(wanted: float | None, there: float | None) -> bool:
    """Gateways know whole milliseconds only; None is of any strength."""
    if wanted is None or there is None:
        return there is None
    return isclose(wanted, there, rel_tol=1e-6) or round(wanted) == there
