"""Users go to the healthy region that answers soonest, as measured from their steering."""

from __future__ import annotations

from statistics import median

from ..decide import WHOLE, State
from .row import Kind, Option, Options, Policy, Situation, Split

MOST = 99  # checks that a median is made of


def _split(seen: Situation, options: Options) -> Split | None:
    best = _preferred(seen, int(options["checks"]), float(options["margin"]))
    if (found := seen.preferring(best)) is None:
        return None
    to, _ = found
    return Split(((to, WHOLE),), _why(seen, to, best))


def _preferred(seen: Situation, checks: int, margin: float) -> str:
    """The region where users are, unless the other one has been sooner by the margin."""
    here = next((name for name in seen.views if seen.at(name)), seen.own)
    there = seen.other(here)
    if not seen.took[here] or not seen.took[there]:
        return here
    took = {name: median(seen.took[name][-checks:]) for name in (here, there)}
    return there if took[there] <= took[here] - margin else here


def _why(seen: Situation, to: str, best: str) -> str:
    if seen.views[to].state is not State.READY:
        return "no region takes orders"
    return f"{to} answers soonest" if to == best else f"{to} takes orders, {best} does not"


ROW = Policy(
    "latency",
    "Users go to the healthy region whose health checks are answered soonest from where they are.",
    _split,
    (
        Option("margin", "how much sooner the other region must answer before users move",
               Kind.SECONDS, 0.02, most=10),
        Option("checks", "how many of the latest good checks the median is made of",
               Kind.WHOLE, 9, least=1, most=MOST),
    ),
)  # fmt: skip
