"""What was set that lasts: customers refused, users sent, TTLs of names, routes and thresholds
of steerings.

Shops, steerings and resolvers are asked, and nothing is remembered here: so it is true whatever
became of the run that set it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lab.core import steering
from lab.core.errors import LabError
from lab.core.topology import REGIONS, TTL_SECONDS, WRITER_NAME, Region

if TYPE_CHECKING:
    from lab.infra.clients import SteeringState
    from lab.infra.shopclient import Mode
    from lab.testbed.lab import Lab

ENDS: Final = "lab runbook run reopen --fresh"
"""What ends all of it."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One thing that lasts until it is ended; `since` (UTC) and `by` are empty if not known.

    `refuses` says that customers are refused by it, and `where` in which region.
    """

    what: str
    since: str = ""
    by: str = ""
    refuses: bool = False
    where: str = ""

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"{self.what}{since}{f', by {self.by}' if self.by else ''}"


def look(lab: Lab) -> tuple[InForce, ...]:
    """All of it. What does not answer is left out."""
    with ThreadPoolExecutor() as pool:
        steered, ttls = pool.submit(_steered, lab), pool.submit(_ttls, lab)
        refused = [refusing(where, mode) for where, mode in modes(lab).items() if mode.read_only]
        return (*refused, *steered.result(), *ttls.result())


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
    return InForce(
        f"{region.name}'s shop refuses customers' orders",
        _told(mode.since),
        mode.by,
        refuses=True,
        where=region.name,
    )


def _told(since: float | None) -> str:
    """A time of day, from seconds since 1970."""
    return "" if since is None else f"{datetime.fromtimestamp(since, UTC):%F %T} UTC"


def _steered(lab: Lab) -> list[InForce]:
    """Pins, and routes and thresholds that are not the default."""

    def ask(region: Region) -> tuple[InForce | None, ...]:
        with suppress(LabError):
            state = lab.steerings[region].state()
            return _pinned(region, state), _routed(region, state), _tuned(region, state)
        return ()

    with ThreadPoolExecutor(len(REGIONS)) as pool:
        return [each for found in pool.map(ask, REGIONS) for each in found if each is not None]


def _tuned(region: Region, state: SteeringState) -> InForce | None:
    if found := steering.differing(state.thresholds):
        return InForce(f"{region.name}'s steering has other thresholds: {steering.told(found)}")
    return None


def _routed(region: Region, state: SteeringState) -> InForce | None:
    if state.other_route:
        return InForce(f"{region.name}'s steering has another policy: {state.other_route}")
    return None


def _pinned(region: Region, state: SteeringState) -> InForce | None:
    if state.pinned is None:
        return None
    share = "users" if state.share in (None, 100) else f"{state.share} % of look-ups"
    since = None
    if state.pinned_since is not None:  # on the clock of the engine's kernel
        since = time.time() - (state.monotonic - state.pinned_since)
    what = f"{region.name}'s steering is pinned: {share} are sent to {state.pinned}"
    return InForce(what, _told(since), state.pinned_by)


def _ttls(lab: Lab) -> list[InForce]:
    """Resolvers whose answers hold for another time than by default."""

    def ask(region: Region) -> InForce | None:
        with suppress(LabError):
            ttl = lab.names.ttl(region, WRITER_NAME)
            if ttl not in (None, TTL_SECONDS):
                return InForce(
                    f"answers of {region.name}'s resolver hold for {ttl} s, by default for"
                    f" {TTL_SECONDS} s"
                )
        return None

    with ThreadPoolExecutor(len(REGIONS)) as pool:
        return [each for each in pool.map(ask, REGIONS) if each is not None]
