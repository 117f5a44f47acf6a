"""The rows of result.json about what users read of orders; `resultrows` has all others."""

from __future__ import annotations

from lab.records.history import Outcome
from lab.records.resultrows import Count, Duration, Model, Moment


class StaleReadRow(Model):
    """A read of an own order, acknowledged before the read began, that did not find it.

    `age` is seconds from that acknowledgement to the read. `lost` says that the order never came
    back: then the read told the truth about a loss.
    """

    key: str
    at: Moment
    population: str
    region: str | None
    node: str | None
    age: Duration
    lost: bool


class SeenThenGoneRow(Model):
    """An order that `reads` reads found, and that the winner does not have.

    `outcome` is what its user was told, at `told_at`. `first_read_at` is the end of the first of
    those reads.
    """

    key: str
    outcome: Outcome
    told_at: Moment
    population: str
    first_read_at: Moment
    reads: Count
