"""Routing policies as both steerings have them, and what they do with users. Pure.

The rows, the reading of a route and the decision are those of the steering's own program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.steering.decide import Answer, Belief, State, Thresholds, View
from apps.steering.policies import POLICIES
from apps.steering.policies.row import Kind, Option, Situation
from apps.steering.route import CHECK, WHEN_ALL_RED, Route, parse
from lab.core.errors import UnknownName, UsageError, quoted
from lab.core.topology import REGIONS

NAMES: Final = tuple(region.name for region in REGIONS)
_LONG_AGO: Final = 0.0
_NOW: Final = 1000.0
_NEAR: Final = 0.01
_FAR: Final = 0.09
"""Seconds that a check of the own and of the other region takes, where nothing is wrong."""
_READ: Final = {Kind.WHOLE: int, Kind.SECONDS: float}


@dataclass(frozen=True, slots=True)
class Case:
    """A situation: what each region's steering believes of both regions, by region."""

    name: str
    seen: Mapping[str, Mapping[str, State]]


def _alike(name: str, east: State, west: State) -> Case:
    believed = {"east": east, "west": west}
    return Case(name, dict.fromkeys(NAMES, believed))


_UP, _DOWN = State.READY, State.DOWN
_BOTH: Final = {"east": _UP, "west": _UP}
CASES: Final = (
    _alike("both regions take orders", _UP, _UP),
    _alike("east takes no orders", _DOWN, _UP),
    _alike("west takes no orders", _UP, _DOWN),
    Case("only west sees east as lost", {"east": _BOTH, "west": {"east": _DOWN, "west": _UP}}),
    Case("only east sees west as lost", {"east": {"east": _UP, "west": _DOWN}, "west": _BOTH}),
    _alike("no region takes orders", _DOWN, _DOWN),
)


def options(policy: str) -> dict[str, Option]:
    """All that may be set with a policy, by name. Raises UnknownName."""
    if policy not in POLICIES:
        raise UnknownName("policy", policy, [*POLICIES])
    rows = (*POLICIES[policy].options, *CHECK, WHEN_ALL_RED)
    return {name: row for row in rows for name in row.named(NAMES)}


def read(policy: str, given: Sequence[str]) -> Route:
    """The route that words such as `east=80` describe. Raises UsageError."""
    known, found = options(policy), dict[str, object]()
    for word in given:
        name, sign, text = word.partition("=")
        if not sign or name not in known:
            raise UsageError(
                f"{quoted(word)} is no option of {policy}; its options are {', '.join(known)}",
                "write option=value, as in: lab route set failover primary=west",
            )
        if name in found:
            raise UsageError(f"{name} is given twice", "give it once")
        found[name] = _value(known[name], text)
    checks = {row.name for row in CHECK}
    document = {
        "policy": policy,
        "check": {name: each for name, each in found.items() if name in checks},
        WHEN_ALL_RED.name: found.pop(WHEN_ALL_RED.name, WHEN_ALL_RED.default),
        "options": {name: each for name, each in found.items() if name not in checks},
    }
    try:
        return parse(document, NAMES)
    except ValueError as problem:
        raise UsageError(str(problem), "see: lab route list") from None


def _value(option: Option, text: str) -> object:
    """The text as what the option takes; as it is where it is no such thing."""
    try:
        return _READ.get(option.kind, str)(text)
    except ValueError:
        return text


def predicted(route: Route, case: Case) -> dict[str, Answer]:
    """What the resolver of each region answers once its steering believes this."""
    found = {}
    for viewer in NAMES:
        order = sorted(NAMES, key=lambda name: name != viewer)
        answer = route.answer(
            Situation(
                views={each: _view(case.seen[viewer][each]) for each in order},
                last={},
                took={each: (_NEAR if each == viewer else _FAR,) for each in order},
                limits=route.limits(Thresholds()),
                now=_NOW,
            ),
            {each: each for each in NAMES},
        )
        if answer is not None:  # it is None only before the first check
            found[viewer] = answer
    return found


def _view(state: State) -> View:
    ready = state is State.READY
    since = None if ready else _LONG_AGO
    return View(Belief(state is not State.DOWN), Belief(ready), failing_since=since)


def table(routes: Sequence[Route]) -> Iterator[tuple[Route, Case, dict[str, Answer]]]:
    """Each route in each situation."""
    for route in routes:
        for case in CASES:
            yield route, case, predicted(route, case)
