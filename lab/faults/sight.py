"""The lab as a fault would leave it, asked from gateways, engine and servers; never remembered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from lab import outofband, turns
from lab.errors import LabError
from lab.postgres import FULL, HOME, PLANTED
from lab.topology import DATABASES, PLACES, REGIONS, WRITER_NAME, Link, Place, Region
from lab.wait import wait_until

if TYPE_CHECKING:
    from lab.cluster import Lab
    from lab.containers import MachineState
    from lab.links import LinkState

_WHOLE: Final = "that is all"
_ASK: Final = f"""{{ cd {HOME}
pg_ctl status >/dev/null 2>&1 && echo running
[ -e data/postmaster.pid ] && echo pidfile
[ -e data/standby.signal ] && echo standby
[ -e identity/{FULL} ] && echo full
[ -e identity/{PLANTED} ] && echo planted
pg_controldata data 2>/dev/null | sed -n 's/^Database cluster state: *//p'
echo {_WHOLE}
}}"""
_ASK_SECONDS: Final = 10.0
HOG: Final = "appkit.hog"
HOGS: Final = "grep -ahs 'appkit[.]hog' /proc/[0-9]*/cmdline"
"""The program that holds connections, and how a shop's machine says which of them it runs."""


@dataclass(frozen=True, slots=True)
class Server:
    """What stands on a database's disk. `words` are what the machine said."""

    words: frozenset[str]

    @property
    def running(self) -> bool:
        """True when its server runs."""
        return "running" in self.words

    @property
    def crashed(self) -> bool:
        """It does not run, and had no time to say so."""
        return not self.running and "pidfile" in self.words

    @property
    def stopped_clean(self) -> bool:
        """It does not run, and everything is on disk."""
        return not self.running and bool(self.words & {"shut down", "shut down in recovery"})

    @property
    def stopped_at_once(self) -> bool:
        """It was stopped and will have to recover."""
        return not self.running and not self.crashed and not self.stopped_clean


class Sight:
    """One look at a lab; each part is asked when a row needs it, and once."""

    def __init__(self, lab: Lab, *, settled: bool = False) -> None:
        """With `settled` it waits for what is at work in machines, and refuses what comes later."""
        self._lab = lab
        self._settled = settled
        self._first = f"{turns.alone(lab.name)} && " if settled else ""

    @cached_property
    def machines(self) -> Mapping[Place, MachineState]:
        """Every machine, as the engine sees it."""
        return dict(zip(PLACES, self._lab.engine.each(PLACES, self._lab.engine.state), strict=True))

    @cached_property
    def links(self) -> Mapping[Link, LinkState]:
        """Every link of the gateways that run."""
        running = [r for r in REGIONS if self.machines[Place(r.name, "gateway")].running]
        return {
            state.link: state
            for states in self._lab.engine.each(running, self._links)  # type: ignore[arg-type]
            for state in states
        }

    def _links(self, entered: Region) -> tuple[LinkState, ...]:
        return wait_until(
            f"{entered.name}'s gateway to say what it does",
            lambda: tuple(self._lab.links.states(entered)),
            _ASK_SECONDS,
            ignoring=(LabError,),
        )

    @cached_property
    def nameless(self) -> frozenset[Place]:
        """Resolvers that answer and have not been told where the primary is."""
        found = set()
        for each in REGIONS:
            with suppress(LabError):
                if not self._lab.names.ask(each, WRITER_NAME):
                    found.add(Place(each.name, "dns"))
        return frozenset(found)

    @cached_property
    def servers(self) -> Mapping[Place, Server]:
        """Every database whose machine runs."""
        there = [place for place in DATABASES if self.machines[place].running]
        return dict(zip(there, self._lab.engine.each(there, self._server), strict=True))

    @cached_property
    def exhausted(self) -> Mapping[Place, int]:
        """Servers whose connections somebody holds for nothing, and how many."""
        found: dict[Place, int] = {}
        for place, server in self.servers.items():
            if server.running:
                try:
                    rows = self._lab.databases[place].query(
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hog'"
                    )
                except LabError:
                    continue
                found |= {place: int(rows[0][0])} if rows[0][0] else {}
        return found | {place: 0 for place in self._hogs() if place not in found}

    def _hogs(self) -> list[Place]:
        """Databases whose connections a program is about to take: it needs time to start."""
        if not self._settled:
            return []
        shops = [each for each in PLACES if each.service == "app" and self.machines[each].running]
        asked = ["sh", "-c", self._first + HOGS]
        said = self._lab.engine.each(shops, lambda shop: self._lab.engine.run_code(shop, asked)[1])
        # Each line is one program: its words, a zero byte after each.
        words = [line.split("\0") for line in "\n".join(said).splitlines()]
        hosts = {each[3] for each in words if len(each) > 4 and each[2] == HOG}
        return [each for each in DATABASES if self._lab.settings.addresses.inside(each) in hosts]

    @cached_property
    def cut_off(self) -> frozenset[Place]:
        """Machines that the management network does not reach."""
        return outofband.cut(self._lab.name)

    def closed(self, link: Link) -> bool:
        """True for a listener that is known to be closed."""
        state = self.links.get(link)
        return state is not None and state.exists and not state.open

    def dead(self, place: Place) -> bool:
        """True for a machine that has no process."""
        return self.machines[place].status in ("exited", "dead", "created")

    def _server(self, place: Place) -> Server:
        # On a busy machine an answer may come cut short, or not at all: that says nothing of the
        # server, and silence must not be read as one that was stopped.
        return wait_until(
            f"{place} to say what stands on its disk",
            lambda: self._whole_answer(place),
            _ASK_SECONDS,
            ignoring=(LabError,),
        )

    def _whole_answer(self, place: Place) -> Server | None:
        said = self._lab.engine.run_code(place, ["sh", "-c", self._first + _ASK])[1]
        words = frozenset(line.strip() for line in said.splitlines())
        return Server(words) if _WHOLE in words else None
