"""The five steps of a failover, and every order in which they can be done. Pure.

Each step is an exact change of state. Re-pointing the writer belongs to "promote": the exercise
says "promote the replica (writes on)", and writes are on when the shop next to the replica uses it.
So this step tells only the near resolver. The other region's shop keeps the primary that it has, as
it does when that region does not hear of the failover.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from lab.core.errors import UsageError, quoted
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.runbooks.runbook import Call, Plan, Runbook


@dataclass(frozen=True, slots=True)
class Five:
    """One of the five. `letter` stands for it in an order's name."""

    letter: str
    title: str
    change: str
    calls: tuple[Call, ...]


FIVE: Final = (
    Five("S", "stop writes",
         "both shops refuse orders and read on; the old primary is fenced, if it is alive",
         (Call("stop-writes"), Call("fence"))),
    Five("P", "promote the replica, writes on",
         "west.db1 leaves recovery; west's shop writes to it, as soon as it may",
         (Call("promote", {"force": True}), Call("repoint", {"where": "near"}))),
    Five("W", "warm caches, or accept a cold start",
         "west's cache holds the catalogue of the users of both regions",
         (Call("warm-caches"),)),
    Five("T", "shift traffic",
         "app.lab.test leads to west on every resolver",
         (Call("shift-traffic"),)),
    Five("R", "resume read-write",
         "both shops may take orders again",
         (Call("resume-writes"),)),
)  # fmt: skip
LETTERS: Final = "".join(each.letter for each in FIVE)
REFERENCE: Final = "SPWTR"
SCENARIOS: Final = ("partition", "region-dead")
PLAN: Final = Plan(EAST_DB1, WEST_DB1)


def five(letter: str) -> Five:
    """The step of that letter."""
    return next(each for each in FIVE if each.letter == letter)


def orders() -> Iterator[str]:
    """All 120, the reference first."""
    return ("".join(each) for each in permutations(REFERENCE))


def covering() -> tuple[str, ...]:
    """A few that have every pair of steps in both orders: one and its reverse do.

    Two more are there for what they are: the order in which the exercise lists the steps, and the
    one whose reads never fail.
    """
    return (REFERENCE, REFERENCE[::-1], "PSTWR", "WTSPR")


def parse(text: str) -> str:
    """An order as it was typed. Raises UsageError."""
    wanted = text.strip().upper()
    if sorted(wanted) != sorted(LETTERS):
        told = ", ".join(f"{each.letter} {each.title}" for each in FIVE)
        raise UsageError(
            f"{quoted(text)} is no order of the five steps", f"each letter once: {told}"
        )
    return wanted


def runbook(order: str) -> Runbook:
    """The runbook that does the five in an order."""
    return Runbook(
        name=order,
        title=" → ".join(five(letter).title for letter in order),
        plan=PLAN,
        steps=tuple(call for letter in order for call in five(letter).calls),
        scenarios=SCENARIOS,
    )
