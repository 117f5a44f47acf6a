"""A route: the policy in force with its options, and how regions are checked for it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .decide import Answer, State, Thresholds
from .policies import DEFAULT, POLICIES
from .policies.row import Kind, Option, Options, Policy, Situation, Value

DEEP, SHALLOW = "/readyz", "/livez"
OPEN, CLOSED = "open", "closed"
_USUAL = Thresholds()
CHECK = (
    Option("interval", "time from one check to the next", Kind.SECONDS, _USUAL.interval, 0.05, 60),
    Option("rise", "good checks in a row that make a region healthy", Kind.WHOLE, _USUAL.rise,
           1, 100),
    Option("fall", "bad checks in a row that make a region unhealthy", Kind.WHOLE, _USUAL.fall,
           1, 100),
    Option("path", "what a check asks for: the shop takes orders (deep), or only lives (shallow)",
           Kind.WORD, DEEP, words=(DEEP, SHALLOW)),
)  # fmt: skip
"""The options of health checks, which every policy has."""

WHEN_ALL_RED = Option(
    "when-all-red",
    "if no region takes orders: answer all the same (open), or with no address (closed)",
    Kind.WORD,
    OPEN,
    words=(OPEN, CLOSED),
)
_FIELDS = ("policy", "options", "check", WHEN_ALL_RED.name)


@dataclass(frozen=True)
class Route:
    """A policy and all of its options."""

    policy: str = DEFAULT
    options: Options = field(default_factory=dict)
    check: Options = field(default_factory=lambda: {each.name: each.default for each in CHECK})
    when_all_red: str = OPEN

    def __str__(self) -> str:
        usual = Route().check
        check = {name: each for name, each in self.check.items() if each != usual[name]}
        red = {} if self.when_all_red == OPEN else {WHEN_ALL_RED.name: self.when_all_red}
        told = {**self.options, **check, **red}
        return " ".join([self.policy, *(f"{name}={each}" for name, each in told.items())])

    @property
    def row(self) -> Policy:
        """The policy's row."""
        return POLICIES[self.policy]

    @property
    def path(self) -> str:
        """What a check asks for."""
        return str(self.check["path"])

    def limits(self, others: Thresholds) -> Thresholds:
        """These thresholds with the route's interval, rise and fall."""
        check = self.check
        return replace(
            others,
            interval=float(check["interval"]),
            rise=int(check["rise"]),
            fall=int(check["fall"]),
        )

    def under(self, limits: Thresholds) -> Route:
        """The route with the interval, rise and fall of these thresholds."""
        check = {"interval": limits.interval, "rise": limits.rise, "fall": limits.fall}
        return replace(self, check={**self.check, **check})

    @property
    def unlike_default(self) -> str:
        """The route in words, if it is not the default, whatever its thresholds are."""
        return "" if self.under(_USUAL) == Route() else str(self)

    def document(self) -> dict[str, object]:
        """The route as JSON, as `parse` takes it."""
        return {
            "policy": self.policy,
            "options": dict(self.options),
            "check": dict(self.check),
            WHEN_ALL_RED.name: self.when_all_red,
        }

    def answer(self, seen: Situation, addresses: Mapping[str, str]) -> Answer | None:
        """What look-ups get, None to leave that as it is."""
        states = [view.state for view in seen.views.values()]
        if self.when_all_red == CLOSED and None not in states and State.READY not in states:
            return Answer((), "no region takes orders, and the route is closed then")
        split = self.row.split(seen, self.options)
        if split is None:
            return None
        return Answer(tuple((addresses[each], share) for each, share in split.shares), split.why)


def parse(body: Any, regions: Collection[str]) -> Route:
    """The route that a document describes; what it leaves out is the default.

    The policy null is the default route.
    Raises ValueError with one sentence.
    """
    if not isinstance(body, dict) or not {"policy"} <= body.keys() <= set(_FIELDS):
        raise ValueError(
            f"a route has these fields, of which policy must be there: {', '.join(_FIELDS)}"
        )
    if body == {"policy": None}:
        return Route()
    name = body["policy"]
    if not isinstance(name, str) or name not in POLICIES:
        raise ValueError(f"policy must be {' or '.join(POLICIES)}")
    row = POLICIES[name]
    options = _read("options", row.options, body.get("options", {}), regions)
    row.refuse(options, regions)
    check = _read("check", CHECK, body.get("check", {}), regions)
    red = body.get(WHEN_ALL_RED.name, WHEN_ALL_RED.default)
    return Route(name, options, check, str(WHEN_ALL_RED.checked(WHEN_ALL_RED.name, red, regions)))


def _read(
    where: str, rows: tuple[Option, ...], given: Any, regions: Collection[str]
) -> dict[str, Value]:
    """All options of these rows, by name. Raises ValueError."""
    names = dict(_named(rows, regions))
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be an object of options and their values")
    for name in given:
        if name not in names:
            raise ValueError(f"{where} has no {name!r}; it takes {', '.join(names) or 'nothing'}")
    return {
        name: row.checked(name, given.get(name, row.default), regions)
        for name, row in names.items()
    }


def _named(rows: tuple[Option, ...], regions: Collection[str]) -> Iterator[tuple[str, Option]]:
    for row in rows:
        for name in row.named(sorted(regions)):
            yield name, row
