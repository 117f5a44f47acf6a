"""Incidents as an operator meets them: rows, and the episodes that a seed makes of them. Pure.

Each story begins in the default topology and leads back there, by commands that people type. Orders
go on all along, and nothing is reset in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

_PAUSE_SECONDS: Final = (0.5, 4.0)
_CUT_SECONDS: Final = (0.0, 0.6)
_MOST_CUTS: Final = 2
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Act:
    """A command of the lab, the exit code that it must end with, and what it must say."""

    words: tuple[str, ...]
    ends: int = 0
    says: str = ""

    def __str__(self) -> str:
        return " ".join(("lab", *self.words))

    @property
    def runbook(self) -> str:
        """The runbook that it runs to its end; empty if it runs none."""
        runs = self.words[:2] == ("runbook", "run") and not self.ends
        return self.words[2] if runs else ""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a runbook is killed: after a share of its steps, so many seconds into the next one."""

    share: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Timed:
    """An act, how long orders go on before it, and where its runs are cut before it is done."""

    act: Act
    pause: float
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of incident: why it is played, the ways in which it may go, whether runs are cut."""

    name: str
    why: str
    stories: tuple[tuple[Act, ...], ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """One incident; `number` counts from 1 within its seed."""

    seed: int
    number: int
    kind: str
    acts: tuple[Timed, ...]


def episode(seed: int, number: int) -> Episode:
    """The episode of that number. The same arguments give the same one."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - no secret
    kind = _dealt(KINDS, str(seed), number - 1)
    story = _dealt(kind.stories, f"{seed}/{kind.name}", (number - 1) // len(KINDS))
    return Episode(seed, number, kind.name, tuple(_timed(kind, act, chance) for act in story))


def _dealt(rows: Sequence[_Row], seed: str, number: int) -> _Row:
    """Like cards: every row once, in an order of the seed's, before any comes again."""
    again, place = divmod(number, len(rows))
    return Random(f"{seed}/{again}").sample(rows, len(rows))[place]  # noqa: S311 - no secret


def _timed(kind: Kind, act: Act, chance: Random) -> Timed:
    cuts = chance.randint(1, _MOST_CUTS) if kind.cut and act.runbook else 0
    return Timed(
        act,
        round(chance.uniform(*_PAUSE_SECONDS), 1),
        tuple(Cut(chance.random(), chance.uniform(*_CUT_SECONDS)) for _ in range(cuts)),
    )


# ── what people type ─────────────────────────────────────────────────────────────────────────


def _inject(fault: str) -> Act:
    return Act(("fault", "inject", *fault.split()))


def _heal(fault: str) -> Act:
    return Act(("fault", "heal", *fault.split()))


def _run(runbook: str, *flags: str, ends: int = 0, says: str = "") -> Act:
    return Act(("runbook", "run", runbook, "--yes", *flags), ends, says)


_ALL: Final = _heal("--all")
_ZONE_BACK: Final = (_ALL, _run("zone-failback"))
_REGION_BACK: Final = (_ALL, _run("failback"))
_WEST_BACK: Final = (_ALL, _run("return-west"))
_ZONE: Final = (_inject("zone-loss"), _run("zone-failover"))
_REGION: Final = (_inject("region-loss"), _run("region-failover"))
_WEST: Final = (
    _run("switchover"), _inject("region-loss --region west"), _run("region-failover-west"),
)  # fmt: skip
_AWAY: Final = _inject("stop-clean --node east.db2")
_AND_BACK: Final = (_inject("zone-loss"), _heal("stop-clean --node east.db2"))
_STALE: Final = _run("zone-failover", ends=1, says="more than east.db2")
_WAITS_FOR_NONE: Final = Act((
    "psql", "east.db1", "-c", "ALTER SYSTEM SET synchronous_standby_names = ''",
    "-c", "SELECT pg_reload_conf()",
))  # fmt: skip
"""What is typed while no order can be acknowledged because the standby is away."""

KINDS: Final = (
    Kind(
        "paused primary",
        "it is replaced while it stands still, and must take no order when it goes on",
        (
            (_inject("freeze"), _run("zone-failover"), *_ZONE_BACK),
            (_inject("freeze"), _run("region-failover"), *_REGION_BACK),
            (
                _inject("partition"), _inject("freeze"), _run("region-failover"), _heal("freeze"),
                *_REGION_BACK,
            ),
            (
                _run("switchover"), _inject("freeze --node west.db1"), _run("region-failover-west"),
                *_WEST_BACK,
            ),
        ),
    ),
    Kind(
        "stale standby",
        "promoted, it would lose what was acknowledged while it was away",
        (
            (
                _AWAY, _WAITS_FOR_NONE, *_AND_BACK, _STALE,
                _run("zone-failover", "--accept-loss"), *_ZONE_BACK,
            ),
            (
                _AWAY, _WAITS_FOR_NONE, *_AND_BACK, _STALE,
                _run("region-failover", "--fresh"), *_REGION_BACK,
            ),
            (_AWAY, *_AND_BACK, _STALE, _run("zone-failover", "--accept-loss"), *_ZONE_BACK),
        ),
    ),
    Kind(
        "two failovers",
        "the second one meets what the first one left",
        (
            (*_ZONE, *_REGION, *_REGION_BACK),
            (*_ZONE, _ALL, *_REGION, *_REGION_BACK),
            (*_REGION, *_REGION_BACK, *_ZONE, *_ZONE_BACK),
            (*_WEST, *_WEST_BACK, *_REGION, *_REGION_BACK),
        ),
    ),
    Kind(
        "cut runbooks",
        "a run that was killed in any step is run again to its end",
        (
            (*_ZONE, *_ZONE_BACK),
            (*_REGION, *_REGION_BACK),
            (*_WEST, *_WEST_BACK),
            (_inject("freeze"), _run("region-failover"), *_REGION_BACK),
        ),
        cut=True,
    ),
)  # fmt: skip
