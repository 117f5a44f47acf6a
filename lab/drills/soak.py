"""Random faults for a given time, and the conditions that must hold all along.

An episode is a drill that is made up from a seed: the same seed and number make the same episode.
There are two kinds. A *storm* breaks one or two things at a time, heals them, and must lose
nothing. A *failover* is one of the shipped drills with something else broken beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from lab.core.load import Load
from lab.core.topology import DEFAULT_REPLICATION, EAST_DB1, WEST_DB1, Link, Place, link, links
from lab.core.verdict import Comparison, Objective, Verdict
from lab.core.words import listed
from lab.drills.finding import drill
from lab.drills.row import ENDLESS, Drill
from lab.faults.catalogue import aimed, fault, faults
from lab.faults.row import Aimed, Fault, Takes
from lab.infra.probe import neighbour_of, user_of
from lab.metrics.stopwatch import AGREES
from lab.records.result import Result
from lab.records.resultrows import ObjectiveRow
from lab.runbooks.runbook import Call, Plan, Runbook
from lab.steps.arranging import call_of

FAILOVERS: Final = (
    "zone-loss", "gray-failure", "frozen-primary", "region-loss", "split-brain-fenced",
    "unreachable-primary",
)  # fmt: skip
LOAD: Final = Load(writes_per_second=30, reads_per_second=5)
_FAILOVER_SHARE: Final = 1 / 3
_QUIET: Final = ("cache-loss", "steering-down", "management-cut", "planted-setting")
"""Faults that may be in force beside another one, unless they take away what would see it."""

_ALONE: Final = (
    "region-loss", "blackout", "engine-restart", "wal-gone",
    *(row.name for row in faults() if row.after_failover),
)  # fmt: skip
"""A storm promotes no database: it must not take a whole region away, nor the users. Nor does it
write WAL by the megabyte, or break what only a failover leaves behind."""

_STAYS: Final = Plan(EAST_DB1, WEST_DB1)
"""Between which nodes a storm could promote, and does not."""

_HOLD_SECONDS: Final = (2.0, 6.0)
_ROUNDS: Final = (2, 4)
_LONGEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One part of a soak; `number` counts from 1 within its seed."""

    seed: int
    number: int
    drill: Drill

    @property
    def again(self) -> str:
        """The command that runs this one alone."""
        return f"lab soak --seed {self.seed} --episode {self.number}"


def episode(seed: int, number: int) -> Episode:
    """The episode of that number. Pure: the same arguments give the same one."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - no secret
    made = _failover(chance) if chance.random() < _FAILOVER_SHARE else _storm(chance)
    return Episode(seed, number, replace(made, load=LOAD))


# ── storms ───────────────────────────────────────────────────────────────────────────────────


def _storm(chance: Random) -> Drill:
    rounds = [_round(chance) for _ in range(chance.randint(*_ROUNDS))]
    first, *rest = rounds
    steps = [*_ended(first, chance)]
    for each in rest:
        steps += [call_of("inject", one, one.fault.why) for one in each]
        steps += _ended(each, chance)
    told = "; ".join(" with ".join(map(str, each)) for each in rounds)
    return Drill(
        name="storm",
        title="A storm",
        situation=f"One after the other: {told}.",
        expectations=("No database is promoted, and nothing that was answered ok is lost.",),
        faults=tuple(first),
        runbook=Runbook(
            name="storm",
            title="What is broken is healed",
            plan=_STAYS,
            steps=(*steps, Call("prove-order")),
            scenarios=(),
            promotes=False,
        ),
        objectives=(
            Objective(
                "lost", 0, "writes", Comparison.AT_MOST,
                "what was answered ok is on the primary's own disk, and on its standby's",
            ),
            Objective(
                "split_brain_writes", 0, "writes", Comparison.AT_MOST,
                "no database was promoted",
            ),
        ),
        bound=ENDLESS,
    )  # fmt: skip


def _round(chance: Random) -> list[Aimed]:
    """One fault, or two that do not hide each other."""
    chosen = _pointed(chance.choice([row for row in faults() if row.name not in _ALONE]), chance)
    if chosen.name in _QUIET or chance.random() < 0.5:
        return [chosen]
    beside = [row.at() for row in faults() if row.name in _QUIET]
    return [chosen, chance.choice([each for each in beside if not _hides(each, chosen)])]


def _hides(one: Aimed, other: Aimed) -> bool:
    """True when one takes away what the other one's effect is seen from, or asked of."""
    return bool(_broken(one) & _needed(other) or _broken(other) & _needed(one))


def _broken(each: Aimed) -> set[str]:
    """Kinds of machines that it breaks, in whatever region."""
    return {place.service for place in each.touches() if isinstance(place, Place)}


def _needed(each: Aimed) -> set[str]:
    """Kinds of machines that must work for its effect to be seen."""
    needed: set[str | None] = set()
    for touched in each.touches():
        if isinstance(touched, Place):
            needed |= {touched.service, neighbour_of(touched)}
        else:
            needed |= {user_of(touched).service, touched.purpose.target}
    return {service for service in needed if service}


def _pointed(row: Fault, chance: Random) -> Aimed:
    """At anything that the fault takes."""
    if row.takes is Takes.LINKS:
        return aimed(row, [chance.choice(_links_for(row))], amount=_mild(row))
    if row.takes is Takes.NODE:
        return aimed(row, node=chance.choice(row.nodes))
    return row.at()


def _links_for(row: Fault) -> list[Link]:
    wanted = [each for each in links() if not row.purposes or each.purpose.name in row.purposes]
    # Only these two carry a stream by default, and a fault of streams is seen by what arrives.
    if row.purposes == ("replication",):
        return [each for each in wanted if each.entered is DEFAULT_REPLICATION.primary.region]
    return wanted


def _mild(row: Fault) -> float | None:
    """The fault's own strength, but nothing is held back for longer than an episode lasts."""
    if row.amount is None:
        return None
    return min(row.amount.default, _LONGEST_SECONDS) if row.amount.unit == "s" else None


def _ended(broken: Iterable[Aimed], chance: Random) -> Iterator[Call]:
    seconds = round(chance.uniform(*_HOLD_SECONDS), 1)
    yield Call("wait", {"seconds": seconds}, why="long enough to hurt")
    names = listed(each.name for each in broken)
    yield Call("heal", why=f"{names}: the faults are healed, and probes confirm that")


# ── failovers ────────────────────────────────────────────────────────────────────────────────


def _failover(chance: Random) -> Drill:
    chosen = drill(chance.choice(FAILOVERS))
    if chance.random() < 0.5:
        return chosen
    weak = chance.choice(_weaknesses())
    arrange = (*chosen.arrange, call_of("inject", weak, weak.fault.why))
    return replace(chosen, arrange=arrange, bound=ENDLESS)


def _weaknesses() -> tuple[Aimed, ...]:
    """What may be broken beside a failover: nothing that its steps rest on."""
    caches = (aimed(fault("cache-loss"), node=place) for place in fault("cache-loss").nodes)
    slow = (fault("jitter").at(), fault("slow-close").at(), aimed(fault("delay"), [_FAR_CACHE]))
    return (*caches, *slow)


_FAR_CACHE: Final = link("west:east:cache")


# ── what must hold ───────────────────────────────────────────────────────────────────────────


def broken(result: Result) -> tuple[ObjectiveRow, ...]:
    """What did not hold in an episode.

    Under random faults the stopwatch and the users often see different things (it goes by the
    guests' links, which may be what is broken): its opinion says nothing here. Everything else
    that is not a pass counts, what could not be told as well.
    """
    return tuple(
        row
        for row in result.objectives
        if row.verdict is not Verdict.PASS and row.name != AGREES.name
    )
