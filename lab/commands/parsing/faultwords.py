"""The words of `--with`, completed: a fault, its options, and what they may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lab.commands.parsing import options

_VALUES: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "link": lambda _fault: options.links(),
    "node": lambda _fault: options.places(),
    "region": lambda _fault: options.regions(),
    "at": lambda _fault: options.step_names(),
    "for": lambda _fault: ["10s"],
    "amount": lambda fault: _usual_amount(fault),
}
"""By an option: what it may be for a fault; of a duration one example."""


def completed(begun: str) -> list[str]:
    """Every text that goes on with what was begun, by its last word."""
    done, space, word = begun.rpartition(" ")
    return [f"{done}{space}{each}" for each in _words(done, word) if each.startswith(word)]


def _words(done: str, word: str) -> list[str]:
    """What the last word may be, behind the words that are done.

    A shell puts a space behind a word that it completed: an option comes with its values.
    """
    if not done.strip():
        return options.fault_names()
    fault, *given = (each.partition("=")[0] for each in done.split())
    option, sign, _ = word.partition("=")
    meant = [each for each in _VALUES if each not in given and each.startswith(option)]
    if sign or len(meant) == 1:
        return [f"{each}={value}" for each in meant for value in _VALUES[each](fault)]
    return [f"{each}=" for each in meant]


def _usual_amount(fault: str) -> list[str]:
    from lab.core.quantity import written
    from lab.faults.catalogue import faults

    found = (row.amount for row in faults() if row.name == fault and row.amount)
    return [written(each.default, each.unit) for each in found]
