"""What one copy of the data has beyond another: bytes, and orders where the WAL tells them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.words import count, listed, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.core.lineage import Position
    from lab.core.topology import Place
    from lab.infra.machines import Engine
    from lab.metrics.waldump import Commit
    from lab.steps.context import Context, Stand

_MOMENT_SECONDS: Final = 0.1
_MOMENT_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Gap:
    """What a copy has that another one has not: bytes, and commits if they are known."""

    place: Place
    size: int
    commits: tuple[Commit, ...] | None

    def __str__(self) -> str:
        return f"{self.place} has {self.amount} more"

    @property
    def amount(self) -> str:
        """Bytes, and how many orders they may hold: each order is a commit of its own."""
        orders = "" if self.commits is None else f" (up to {count(len(self.commits), 'order')})"
        return f"{size(self.size)}{orders}"

    @property
    def is_of_a_moment(self) -> bool:
        """True for what no two standbys of one primary have to the byte when it dies."""
        if self.commits is None or self.size > _MOMENT_BYTES:
            return False
        at = [each.at for each in self.commits]
        return not at or (max(at) - min(at)).total_seconds() <= _MOMENT_SECONDS


def gap(engine: Engine, place: Place, here: Position, there: Position) -> Gap | None:
    """What the node at `here` has beyond `there`; None if that is nothing.

    Its log is read in its machine. Where it does not tell the commits, they stay unsaid.
    """
    from lab.metrics.measure import Fork
    from lab.postgres.finalread import read_commits

    if not here.alone(there):
        return None
    commits: tuple[Commit, ...] | None = None
    with suppress(LabError):
        fork = Fork(here.timeline, here.parting(there)[1])
        found = read_commits(engine, place, fork)
        # A server that runs may have written more since it was asked.
        commits = tuple(each for each in found if each.lsn < here.end)
    return Gap(place, here.alone(there), commits)


def ahead(context: Context, looks: Mapping[Place, Stand], places: Iterable[Place]) -> list[Gap]:
    """What the standbys among these have beyond the plan's new node, which has answered as well.

    A standby on a timeline that the new node has left has nothing of the present one.
    """
    new = context.plan.new
    own = looks[new][1]
    standbys = {p: looks[p][1] for p in places if p != new and looks[p][0].in_recovery}
    more = {
        place: here
        for place, here in standbys.items()
        if here.alone(own) and not here.was_left_by(own)
    }
    if not more:
        return []
    # It may not have read all of its own log yet, if it has just started.
    own = context.lab.databases[new].position()
    found = (gap(context.lab.engine, place, here, own) for place, here in more.items())
    return [each for each in found if each]


def refusal(gaps: Iterable[Gap], new: Place) -> tuple[Place, str]:
    """The copy that has most beyond the new node, and the sentence that says so."""
    several = list(gaps)
    most = max(several, key=lambda each: each.size)
    others = [each.place for each in several if each != most]
    so_have = f", and so has {listed(others)}" if others else ""
    return most.place, f"{most} than {new}{so_have}"
