"""All users go to the primary region; the secondary gets users only if the primary is lost."""

from __future__ import annotations

from ..decide import WHOLE, State
from .row import Kind, Option, Options, Policy, Situation, Split


def _split(seen: Situation, options: Options) -> Split | None:
    primary = str(options["primary"])
    if (found := seen.preferring(primary)) is None:
        return None
    to, _ = found
    role = "primary" if to == primary else "secondary"
    is_ready = seen.views[to].state is State.READY
    takes = "takes orders" if is_ready else "is no worse than the other region"
    return Split(((to, WHOLE),), f"the {role} region {to} {takes}")


ROW = Policy(
    "failover",
    "All users go to the primary region, and to the secondary one only if the primary fails.",
    _split,
    (Option("primary", "the region that gets all users while it is healthy", Kind.REGION, "east"),),
)
