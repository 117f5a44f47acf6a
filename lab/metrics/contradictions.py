"""What a drill knew of its end, held against itself: values that no drill writes together. Pure.

`lab.drills.evidence` names winner, losers and fork, `lab.drills.evaluate` writes them down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import isclose
from typing import TYPE_CHECKING, Final

from lab.core.topology import DATABASES, REGIONS

if TYPE_CHECKING:
    from lab.metrics.rawrecord import Disk, Inputs
    from lab.records.journalfile import Journal
    from lab.records.resultrows import NodeView

_LSNS: Final = 2**64
"""How many positions a write-ahead log has."""

_RATES: Final = ("writes_per_second", "reads_per_second")
_VIEWS: Final = {place.server_name: str(place) for place in DATABASES}
"""How pictures of the topology name each database."""


def inputs_json(given: Inputs, journal: Journal) -> str:
    """The first contradiction of inputs.json; empty if there is none."""
    objections = (*(check(given) for check in _INPUTS), *_by_journal(given, journal))
    return next(filter(None, objections), "")


def disks_json(given: Inputs, disks: Mapping[str, Disk]) -> str:
    """The first contradiction of disks.json; empty if there is none."""
    return next(_disks(given, disks), "")


def _winner(given: Inputs) -> str:
    if given.promoted != (given.winner != given.old):
        said = str(given.promoted).lower()
        return f"promoted is {said}, {given.old} was primary and {given.winner} is the winner"
    return ""


def _losers(given: Inputs) -> str:
    if given.winner in given.losers:
        return f"{given.winner} is the winner and a loser"
    if given.promoted and given.old not in given.losers:
        return f"{given.old} was replaced and is no loser"
    return ""


def _fork(given: Inputs) -> str:
    if given.fork is None:
        return ""
    if not given.promoted:
        return "there is a fork, and no node was promoted"
    if given.fork.timeline < 1 or not 0 < given.fork.lsn < _LSNS:
        return f"no log has a fork at {given.fork.lsn:,} bytes of timeline {given.fork.timeline}"
    before, after = (
        _timeline(views, node)
        for views, node in ((given.run.before, given.old), (given.run.after, given.winner))
    )
    named = f"the fork is on timeline {given.fork.timeline}"
    if before is not None and given.fork.timeline < before:
        return f"{named}, and {given.old} was on timeline {before} before"
    if after is not None and given.fork.timeline >= after:
        return f"{named}, and {given.winner} left it for timeline {after}"
    return ""


def _timeline(views: tuple[NodeView, ...], node: str) -> int | None:
    """The timeline that a node was on as a primary, which alone is sure of it."""
    found = (each for each in views if each.node == _VIEWS[node] and each.role == "primary")
    return next((each.timeline for each in found), None)


def _load(given: Inputs) -> str:
    missing = [each.name for each in REGIONS if each.name not in given.populations]
    if missing:
        return f"users {missing[0]} are missing in populations"
    for name in given.written:
        if name not in given.populations:
            return f"users {name} are in written, and not in populations"
    if not given.operations_per_second:
        return "operations_per_second is 0: users were to do nothing"
    said = [given.run.settings.get(name) for name in _RATES]
    rates = [each for each in said if isinstance(each, int | float)]
    if len(rates) == len(_RATES) and not isclose(sum(rates), given.operations_per_second):
        return (
            f"operations_per_second is {given.operations_per_second:g}, and its settings say"
            f" {sum(rates):g}"
        )
    return ""


_INPUTS: Final[tuple[Callable[[Inputs], str], ...]] = (_winner, _losers, _fork, _load)


def _by_journal(given: Inputs, journal: Journal) -> Iterator[str]:
    """What the journal contradicts."""
    yield _failed(given, journal)
    if given.opening is not None and journal.acted is not None and given.opening > journal.acted:
        yield "opening is later than the fault, or than the first step"


def _failed(given: Inputs, journal: Journal) -> str:
    """A step that fails stops the runbook, and that is written down. People may go on by hand."""
    if given.by_hand:
        return ""
    failed = (step.name for step in journal.steps if step.outcome == "failed")
    if given.failure is None and (name := next(failed, None)) is not None:
        return f"failure is null, and the step {name!r} failed"
    return ""


def _disks(given: Inputs, disks: Mapping[str, Disk]) -> Iterator[str]:
    for node, disk in disks.items():
        if node not in given.losers:
            yield f"{node} is no loser"
        commits = disk.evidence.commits or ()
        pairs = Counter((each.timeline, each.xid) for each in commits)
        yield from (f"{node} has commit {xid} twice" for (_, xid), n in pairs.items() if n > 1)
        begins = disk.evidence.branches or tuple(filter(None, [given.fork]))
        for each in commits:
            if not begins:
                yield f"{node} has commits after a fork that is not known"
            elif not any(each.timeline == at.timeline and each.lsn >= at.lsn for at in begins):
                yield f"commit {each.xid} of {node} is not after the fork at {begins[0]}"
