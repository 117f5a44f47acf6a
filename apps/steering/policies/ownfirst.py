"""Users go to their own region, and to the other one if that alone takes orders."""

from __future__ import annotations

from ..decide import WHOLE, choose
from .row import Options, Policy, Situation, Split


def _split(seen: Situation, options: Options) -> Split | None:
    own, other = seen.views
    rule = choose(seen.views[own], seen.views[other], seen.at(own), seen.limits, seen.now)
    if rule is None:
        return None
    return Split(((own if rule.choose_own else other, WHOLE),), rule.why)


ROW = Policy(
    "own-first",
    "Users go to their own region, and to the other one if only that takes orders.",
    _split,
)
