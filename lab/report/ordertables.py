"""Tables of a report that list single orders, and reads of them. Pure."""

from __future__ import annotations

from typing import Final

from lab.core import words
from lab.records.result import Result
from lab.report.table import Column, Table

LISTED: Final = 1000
"""So many rows of a list are in the page; result.json has all of them."""


def _n(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, "n") for title in titles)


def stale_reads(result: Result) -> Table:
    """Reads that did not find what their user had just been told is safe."""
    lost = sum(row.lost for row in result.stale_reads)
    many = len(result.stale_reads)
    return Table(
        "Stale reads",
        (Column("Client key", "code"), *_n("Read at", "Order's age"), Column("Users"),
         Column("Answered by"), Column("The order")),
        tuple(
            (
                row.key,
                words.moment(row.at),
                words.seconds(row.age),
                row.population,
                row.node or row.region or "not known",
                "lost" if row.lost else "was there later",
            )
            for row in result.stale_reads[:LISTED]
        ),
        "A user reads an order of his own after it was acknowledged, and the read does not find"
        " it. Age: from that acknowledgement to the read.",
        f"{words.count(many, 'read')}, {lost:,} of them of an order that was lost."
        f" {_left_out(many)}".strip(),
    )  # fmt: skip


def seen_then_gone(result: Result, most: int = LISTED) -> Table:
    """Orders that a user found, and that are gone."""
    rows = result.seen_then_gone or ()
    return Table(
        "Read, then gone",
        (Column("Client key", "code"), Column("Answer"),
         *_n("Answered", "First read", "Reads"), Column("Users")),
        tuple(
            (
                row.key,
                row.outcome.value,
                words.moment(row.told_at),
                words.moment(row.first_read_at),
                f"{row.reads:,}",
                row.population,
            )
            for row in rows[:most]
        ),
        f"A user's read found the order, and it is not on {result.winner} at the end. Answer: what"
        " the user who placed it was told. Reads: how many reads found it; they are counted"
        " whenever they happened.",
        f"{words.count(len(rows), 'order')}. {_left_out(len(rows), most)}".strip(),
    )  # fmt: skip


def _left_out(many: int, most: int = LISTED) -> str:
    if many <= most:
        return ""
    return f"The first {most:,} of {many:,}; result.json has all of them."


def lost_writes(result: Result, most: int = LISTED) -> Table:
    """Lost writes by their keys."""
    return Table(
        "Lost writes",
        (Column("Client key", "code"), *_n("Acknowledged"), Column("Users"), Column("Region"),
         Column("Node"), *_n("Timeline", "xid"), Column("Found on")),
        tuple(
            (
                row.key,
                words.moment(row.acknowledged_at),
                row.population,
                row.region or "–",
                row.node or "–",
                "–" if row.timeline is None else str(row.timeline),
                row.xid or "–",
                ", ".join(row.found_on) or "nowhere",
            )
            for row in result.lost_writes[:most]
        ),
        f"Acknowledged (outcome ok), but not on {result.winner} at the end. The client made the"
        " key. Database ids cannot identify an order, because a new primary issues the same ids"
        " and transaction numbers again.",
        _left_out(result.lost, most),
    )  # fmt: skip
