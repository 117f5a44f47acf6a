"""Puts the commands for all that was found in one order, and each step's alternatives beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.status.row import Finding, Next, Turn


@dataclass(frozen=True, slots=True)
class Step:
    """One of `ways` is to be run, not several; the first is the one to try first."""

    ways: tuple[Next, ...]


def plan(found: Iterable[Finding]) -> tuple[Step, ...]:
    """Each command once, in the order of turns.

    A command that may be run in place of another one is no step of its own, whatever else names it.
    """
    named: dict[str, list[Next]] = {}
    for way in (way for each in found for way in each.next):
        named.setdefault(way.command, []).append(way)
    aside = {way.command: way.instead_of for ways in named.values() for way in ways
             if way.instead_of}  # fmt: skip
    aside = {command: first for command, first in aside.items() if first not in aside}
    heads = sorted((each for each in named if each not in aside), key=lambda c: _turn(named[c]))
    return tuple(
        Step((_one(named[head]), *(_one(named[each], head) for each in _others(aside, head))))
        for head in heads
    )


def _turn(ways: Iterable[Next]) -> Turn:
    return min(way.turn for way in ways)


def _others(aside: dict[str, str], head: str) -> list[str]:
    return [command for command, first in aside.items() if first == head]


def _one(ways: list[Next], instead_of: str = "") -> Next:
    """The same command of several findings, with all that it does."""
    does = dict.fromkeys(clause for way in ways for clause in way.does.split("; "))
    return Next(ways[0].command, "; ".join(does), _turn(ways), instead_of)
