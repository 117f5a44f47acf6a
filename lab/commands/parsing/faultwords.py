"""The words of `--with`, completed: a fault, its options, and what they may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lab.commands.parsing import options

_NAMES: Final[Mapping[str, Callable[[], list[str]]]] = {
    "link": options.links,
    "node": options.places,
    "region": options.regions,
    "at": options.step_names,
    "for": list,
    "amount": list,
}
"""By an option of an added fault: the names that it may be given; amounts have none."""


def completed(begun: str) -> list[str]:
    """Every text that goes on with what was begun, by its last word."""
    done, space, word = begun.rpartition(" ")
    return [f"{done}{space}{each}" for each in _words(done, word) if each.startswith(word)]


def _words(done: str, word: str) -> list[str]:
    """What the last word may be, behind the words that are done."""
    if not done.strip():
        return options.fault_names()
    option, sign, _ = word.partition("=")
    if sign:
        names = _NAMES.get(option, list)
        return [f"{option}={each}" for each in names()]
    given = {each.partition("=")[0] for each in done.split()}
    return [f"{each}=" for each in _NAMES if each not in given]
