"""What runbooks and operators have set that lasts: customers who are refused, users who are sent.

Shops and steerings are asked, and nothing is remembered here: so it is true whatever became of the
run that set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lab.errors import LabError
from lab.topology import REGIONS, Region

if TYPE_CHECKING:
    from lab.clients import SteeringState
    from lab.cluster import Lab
    from lab.guest import Mode

ENDS: Final = "lab runbook run reopen --fresh"
"""What ends all of it."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One thing that lasts until it is ended; `since` (UTC) and `by` are empty if not known."""

    what: str
    since: str = ""
    by: str = ""

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"{self.what}{since}{f', by {self.by}' if self.by else ''}"


def look(lab: Lab) -> tuple[InForce, ...]:
    """All of it. What does not answer is left out."""
    with ThreadPoolExecutor() as pool:
        pins = pool.submit(_pins, lab)
        refused = [refusing(where, mode) for where, mode in modes(lab).items() if mode.read_only]
        return (*refused, *pins.result())


def modes(lab: Lab) -> Mapping[Region, Mode]:
    """Whether each region's shop refuses customers' orders, of those that answer."""

    def ask(region: Region) -> Mode | None:
        with suppress(LabError):
            return lab.guests[region].mode()
        return None

    with ThreadPoolExecutor(len(REGIONS)) as pool:
        found = zip(REGIONS, pool.map(ask, REGIONS), strict=True)
        return {region: mode for region, mode in found if mode is not None}


def refusing(region: Region, mode: Mode) -> InForce:
    """A shop in read-only mode."""
    began = "" if mode.since is None else f"{datetime.fromtimestamp(mode.since, UTC):%F %T} UTC"
    return InForce(f"{region.name}'s shop refuses customers' orders", began, mode.by)


def _pins(lab: Lab) -> list[InForce]:
    def ask(region: Region) -> InForce | None:
        with suppress(LabError):
            return _pinned(region, lab.steerings[region].state())
        return None

    with ThreadPoolExecutor(len(REGIONS)) as pool:
        return [each for each in pool.map(ask, REGIONS) if each is not None]


def _pinned(region: Region, state: SteeringState) -> InForce | None:
    if state.pinned is None:
        return None
    share = "users" if state.share in (None, 100) else f"{state.share} % of look-ups"
    return InForce(f"{region.name}'s steering is pinned: {share} are sent to {state.pinned}")
