"""How late this machine's timers make a link: measured once per lab, on a link of its own.

Gateways hold bytes by timers. On a kernel whose timers tick every 4 ms each hold ends up to that
much later than was asked for, which is nothing beside 300 ms and most of a link of 1 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import link
from lab.infra.links import Links
from lab.infra.linkstates import Lateness, Toxic
from lab.infra.machines import Engine
from lab.infra.probe import ping
from lab.infra.settings import Settings

if TYPE_CHECKING:
    import statistics
else:
    statistics = lazily("statistics")

_LINK: Final = link("users-east:east:app")
_HELD_MS: Final = 10
_QUESTIONS: Final = 15
_MOST_MS: Final = 8
"""Two ticks of the slowest timer that Linux is built with: beyond that, a machine is busy."""


def measured(engine: Engine, settings: Settings, links: Links) -> Lateness:
    """How much longer a question and its answer take than a gateway was asked to hold them.

    The link's own round trip is taken off. The link is left as it is by default. Raises LabError
    when the link gives no answer.
    """
    links.lateness = Lateness()
    bare = _median_ms(engine, settings)
    toxics = [
        Toxic("lateness", "latency", way, {"latency": _HELD_MS})
        for way in ("upstream", "downstream")
    ]
    links.armed_to_poison([_LINK], toxics)()
    try:
        held = _median_ms(engine, settings)
    finally:
        links.heal([_LINK])
    return Lateness(max(0, min(_MOST_MS, round(held - bare - 2 * _HELD_MS))))


def _median_ms(engine: Engine, settings: Settings) -> float:
    found = ping(engine, settings, _LINK, _QUESTIONS, 5.0)
    if found.error:
        raise LabError(f"{_LINK.name} does not answer: {found.error}", "see: lab status")
    return statistics.median(found.answers) * 1000
