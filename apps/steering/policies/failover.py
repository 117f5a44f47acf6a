"""All users go to the primary region; the secondary gets users only if the primary is lost."""

from __future__ import annotations

from ..decide import WHOLE, State, choose
from .row import Kind, Option, Options, Policy, Situation, Split


def _split(seen: Situation, options: Options) -> Split | None:
    primary = str(options["primary"])
    secondary = seen.other(primary)
    first, second = seen.views[primary], seen.views[secondary]
    rule = choose(first, second, seen.at(primary), seen.limits, seen.now)
    if rule is None:
        return None
    to, view = (primary, first) if rule.choose_own else (secondary, second)
    role = "primary" if rule.choose_own else "secondary"
    takes = "takes orders" if view.state is State.READY else "is no worse than the other region"
    return Split(((to, WHOLE),), f"the {role} region {to} {takes}")


ROW = Policy(
    "failover",
    "All users go to the primary region, and to the secondary one only if the primary fails.",
    _split,
    (Option("primary", "the region that gets all users while it is healthy", Kind.REGION, "east"),),
)
