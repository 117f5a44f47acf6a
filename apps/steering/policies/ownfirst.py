"""Users go to their own region, and to the other one if that alone takes orders."""

from __future__ import annotations

from ..decide import WHOLE
from .row import Options, Policy, Situation, Split


def _split(seen: Situation, options: Options) -> Split | None:
    if (found := seen.preferring(seen.own)) is None:
        return None
    to, rule = found
    return Split(((to, WHOLE),), rule.why)


ROW = Policy(
    "own-first",
    "Users go to their own region, and to the other one if only that takes orders.",
    _split,
)
