"""What the losers' disks add to a run: the second opinion, and the orders that can be carried over.

The glue between a raw record and the pure modules `walopinion` and `orphans`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.core.verdict import Judgement
from lab.metrics import orphans
from lab.metrics.classify import Classification
from lab.metrics.rawrecord import Disk, Raw
from lab.metrics.walopinion import Told, judged, second_opinion
from lab.records.history import Operation
from lab.records.ledger import Ledger
from lab.records.resultrows import Opinion


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The second opinion of a run, and its orphans."""

    opinion: Opinion
    orphans: tuple[orphans.Orphan, ...]

    @property
    def judgement(self) -> Judgement:
        """The opinion as an objective of the run."""
        return judged(self.opinion)


def look_back(raw: Raw, told: Ledger, fates: Classification) -> Aftermath:
    """Compare the losers' disks with what users were told."""
    answers = _answers(told, raw.disks)
    answers |= {each.key: _told(each.operation) for each in fates.lost}
    old, fork = raw.inputs.old, raw.inputs.fork
    opinion = second_opinion(
        [(fate.key, fate.operation.timeline, fate.operation.xid) for fate in fates.lost],
        {**answers, **{fate.key: Told("earlier") for fate in fates.earlier}}.get,
        old,
        {name: each.evidence for name, each in raw.disks.items() if name in raw.reads},
        promoted=raw.inputs.promoted,
        rowless=_rowless(fates, raw.disks),
        fork=str(fork) if fork else "",
    )
    # The old primary first: an order that several losers have is carried over from it.
    names = sorted(raw.disks, key=lambda name: (name != old, name))
    rows = {name: raw.disks[name].rows for name in names}
    return Aftermath(
        opinion,
        orphans.collect(rows, lambda key: answers[key].outcome if key in answers else None),
    )


def _rowless(fates: Classification, disks: Mapping[str, Disk]) -> tuple[str, ...]:
    """Lost orders that losers hold, and whose rows were not read: they cannot be carried over."""
    told = {(node, row.key) for node, disk in disks.items() for row in disk.rows}
    return tuple(
        fate.key
        for fate in fates.orphaned
        if not any((node, fate.key) in told for node in fate.losers)
    )


def _answers(told: Ledger, disks: Mapping[str, Disk]) -> dict[str, Told]:
    """What users were told of the orders that the losers' disks name, by client key."""
    every = disks.values()
    keys = {owner.key for each in every for owner in each.evidence.owners.values()}
    keys |= {row.key for each in every for row in each.rows}
    return {item.key: _told(item) for item in told.of_keys(keys)}


def _told(item: Operation) -> Told:
    return Told(item.outcome.value, item.timeline, item.xid, item.node)
