"""Names that are nearly what was typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile


def nearest(typed: str, known: Iterable[str], most: int, least: float) -> list[str]:
    """Known names like `typed` in any letter case, the nearest first, `most` of them.

    `least` is how like they are at least: 1 is the same. Of two names as near, the one that begins
    alike for longer comes first. A name that differs in its letter case only is the only one.
    """
    word = typed.lower()
    ranked = sorted((-_likeness(word, each), -_shared(word, each), each) for each in known)
    near = [name for likeness, _, name in ranked if -likeness >= least]
    same = [name for name in near if name.lower() == word]
    return (same or near)[:most]


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name.lower(), word).ratio()


def _shared(word: str, name: str) -> int:
    """How many letters both begin with."""
    pairs = zip(word, name.lower(), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
