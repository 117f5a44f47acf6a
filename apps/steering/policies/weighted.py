"""Users are split over the healthy regions by weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..decide import WHOLE, State
from .row import PER_REGION, Kind, Option, Options, Policy, Situation, Split

_MOST = 100


def _split(seen: Situation, options: Options) -> Split | None:
    if any(view.state is None for view in seen.views.values()):
        return None
    weights = {name: int(options[name]) for name in sorted(seen.views)}
    preferred = [name for name in weights if weights[name]]
    spare = [name for name in weights if not weights[name]]
    for group in (preferred, spare):
        if members := _members(seen, group):
            share = {name: weights[name] or 1 for name in members}
            return Split(_per_cent(share), f"{' and '.join(members)}: {_health(len(members))}")
        if any(seen.views[name].state is State.READY for name in group):
            return None  # one has only just become ready: users wait for it to stay so
    return Split(_per_cent({name: weights[name] for name in preferred}), "no region takes orders")


def _health(number: int) -> str:
    return "takes orders" if number == 1 else "take orders"


def _members(seen: Situation, group: Iterable[str]) -> list[str]:
    """The regions of a group that get users: a short fault takes none out, or puts one back."""
    alone, home, away = seen.limits.alone, seen.limits.home, seen.limits.away
    views = {name: seen.views[name] for name in group}
    up = {name for name, view in views.items() if view.state is State.READY}
    if not seen.last:
        return [name for name in views if name in up]
    stay = {
        name for name, view in views.items()
        if name in seen.last and (name in up or view.failing_for(seen.now) < alone)
    }  # fmt: skip
    calm = home if stay else away
    join = {name for name in up if seen.now - views[name].failed >= calm}
    return [name for name in views if name in stay | join]


def _per_cent(weights: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Weights as shares of a hundred; a weight that is not 0 is at least 1 %."""
    *others, last = weights
    total = sum(weights.values())
    shares = {name: min(max(round(WHOLE * weights[name] / total), 1), WHOLE - 1) for name in others}
    return (*shares.items(), (last, WHOLE - sum(shares.values())))


def _refuse(options: Options, regions: Collection[str]) -> None:
    if not any(options[name] for name in regions):
        raise ValueError(f"the weights of {' and '.join(regions)} add to nothing: raise one")


ROW = Policy(
    "weighted",
    "Users are split over the healthy regions by weights; a region of weight 0 is a spare.",
    _split,
    (Option(PER_REGION, "the weight of this region", Kind.WHOLE, 50, most=_MOST),),
    _refuse,
)
