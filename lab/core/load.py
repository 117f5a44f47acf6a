"""What users do to a lab, and how orders that the lab places itself are told from theirs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from lab.core.errors import Unfit
from lab.core.fitting import Fit
from lab.core.topology import REGIONS

WATCH_PREFIX: Final = "watch-"
VERIFY_PREFIX: Final = "verify-"
OWN: Final = (WATCH_PREFIX, VERIFY_PREFIX)
"""How keys of orders begin that the lab placed itself: the stopwatch, and the runbook's proof."""
_USERS: Final = re.compile(r"(?P<population>.+)-[0-9a-f]{32}")


def of_users(key: str, populations: Collection[str]) -> bool:
    """True for a key such as simulated users of these populations give their orders."""
    found = _USERS.fullmatch(key)
    return found is not None and found["population"] in populations


def of_drill(key: str) -> bool:
    """True for keys of simulated users and of the lab's own orders: no person placed these."""
    return key.startswith(OWN) or of_users(key, [each.name for each in REGIONS])


FIELDS: Final[Mapping[str, Fit]] = {
    "writes_per_second": Fit(float, "writes/s", most=5000, example=50),
    "reads_per_second": Fit(float, "reads/s", most=5000, example=10),
    "users": Fit(int, "users", least=1, most=10_000, example=50),
    "ignore_ttl_share": Fit(float, most=1, example=0.1),
    "resolvers": Fit(int, "resolvers", least=1, most=2, example=2),
    "protected": Fit(bool),
}
"""What the users' programs take."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the users of one population are. Rates are operations per second.

    `resolvers` is how many of the two they know: their own region's, and then the other's.
    Users who are `protected` hold back when a shop is overloaded, and tell it how long they wait.
    """

    writes_per_second: float = 50.0
    reads_per_second: float = 10.0
    users: int = 50
    ignore_ttl_share: float = 0.1
    resolvers: int = 2
    protected: bool = True

    def __post_init__(self) -> None:
        """Raise Unfit for what the users' programs would not take."""
        for name, fit in FIELDS.items():
            fit.refuse(name, getattr(self, name))
        if not self.operations_per_second:
            raise Unfit("writes_per_second", "is 0, and so are the reads", "let users do something")

    @property
    def operations_per_second(self) -> float:
        """What one population starts, of every kind."""
        return self.writes_per_second + self.reads_per_second

    def alike(self, other: Load) -> bool:
        """True for the same users, however busy they are."""
        return self == replace(
            other,
            writes_per_second=self.writes_per_second,
            reads_per_second=self.reads_per_second,
        )

    def times(self, share: float) -> Load:
        """The same users, busier or less so."""
        return replace(
            self,
            writes_per_second=self.writes_per_second * share,
            reads_per_second=self.reads_per_second * share,
        )

    def __str__(self) -> str:
        return f"{self.writes_per_second:g} orders/s and {self.reads_per_second:g} reads/s"


@dataclass(frozen=True, slots=True)
class Profile:
    """A load by a name, and what it is for."""

    load: Load
    why: str


PROFILES: Final[Mapping[str, Profile]] = {
    "usual": Profile(Load(), "the users of most drills"),
    "light": Profile(Load(10, 5), "an hour of it fits on a small machine"),
    "heavy": Profile(Load(150, 50, users=150), "three times as many as usual: queues form"),
    "readers": Profile(Load(5, 100), "most of them look, and few order"),
    "naive": Profile(
        Load(protected=False), "in an overload they do not hold back, and try again at once"
    ),
    "one-resolver": Profile(Load(resolvers=1), "they know only their own region's resolver"),
    "sticky": Profile(Load(ignore_ttl_share=1), "all of them ignore TTLs for half a minute"),
}
"""Loads that a command line can name."""
