"""The lab as a fault would leave it, asked from gateways, engine and servers; never remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, PROBER, REGIONS, WRITER_NAME, Link, Place, Region
from lab.core.wait import wait_until
from lab.infra import changetoken, managementnet
from lab.infra.dnsnames import address_seen_from
from lab.postgres import plights, succession
from lab.postgres.node import FULL, PLANTED
from lab.postgres.plights import PLIGHT_SQL, Plight
from lab.postgres.processes import HOME, RUNS
from lab.postgres.succession import Succession

if TYPE_CHECKING:
    from lab.infra.containers import MachineState
    from lab.infra.linkstates import LinkState
    from lab.testbed.lab import Lab

_WHOLE: Final = "that is all"
_ASK: Final = f"""{{ cd {HOME}
{RUNS} && echo running
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
"""The program that holds connections, and how a prober says which of them it runs."""
HELD: Final = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hog'"
"""How many of a server's connections that program holds, as the server counts them."""
_ASK_SERVER: Final = f"""
SELECT (pg_stat_file('../identity/{FULL}', true)).size IS NOT NULL,
       (pg_stat_file('../identity/{PLANTED}', true)).size IS NOT NULL,
       ({HELD}),
       said.*
FROM ({PLIGHT_SQL}) AS said
"""  # noqa: S608 - constants
"""The same of a server that answers: to run a program in its machine costs far more."""


@dataclass(frozen=True, slots=True)
class Server:
    """What stands on a database's disk. `words` are what the machine said.

    `held` is how many of its connections are held for nothing, `plight` what it says of its
    replication; None: not asked.
    """

    words: frozenset[str]
    held: int | None = None
    plight: Plight | None = None

    @property
    def running(self) -> bool:
        """True when its server runs."""
        return "running" in self.words

    @property
    def standby(self) -> bool:
        """True when it goes on as a standby; not asked of one that answers."""
        return "standby" in self.words

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

    def __init__(
        self,
        lab: Lab,
        *,
        settled: bool = False,
        answered: Callable[[Place], bool] = lambda _place: False,
    ) -> None:
        """With `settled` it waits for what is at work in machines, and refuses what comes later.

        `answered` names servers that answered the caller: their silence after that is another look.
        """
        self._lab = lab
        self._settled = settled
        self._answered = answered
        self._names: dict[tuple[Region, str], tuple[str, ...] | None] = {}
        self._first = f"{changetoken.alone(lab.name)} && " if settled else ""

    @cached_property
    def machines(self) -> Mapping[Place, MachineState]:
        """Every machine, as the engine sees it."""
        return self._lab.engine.look()

    @cached_property
    def links(self) -> Mapping[Link, LinkState]:
        """Every link of the gateways that run."""
        running = [r for r in REGIONS if self.machines[Place(r.name, "gateway")].running]
        return {
            state.link: state
            for states in self._lab.engine.each(running, self._links)
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

        answers = self._lab.engine.each(REGIONS, lambda each: self.addresses(each, WRITER_NAME))
        answered = zip(REGIONS, answers, strict=True)
        return frozenset(Place(each.name, "dns") for each, found in answered if found == ())

    def addresses(self, viewer: Region, name: str) -> tuple[str, ...] | None:
        """What a region's resolver says of a name; None if it does not answer."""
        if (viewer, name) not in self._names:
            found = None
            with suppress(LabError):
                found = self._lab.names.ask(viewer, name)
            self._names[viewer, name] = found
        return self._names[viewer, name]

    @cached_property
    def servers(self) -> Mapping[Place, Server]:
        """Every database whose machine runs."""
        there = [place for place in DATABASES if self.machines[place].running]
        return dict(zip(there, self._lab.engine.each(there, self._server), strict=True))

    @cached_property
    def _succession(self) -> Succession:
        """Who may be primary, where a server is down that may have been; else of no one."""
        if all(each.running or each.standby for each in self.servers.values()):
            return Succession({})
        return succession.read(self._lab.engine, self._lab.databases)

    @property
    def replaced(self) -> frozenset[Place]:
        """Databases that do not run, because another one was promoted in their place."""
        return frozenset(self._succession.replaced) | self._given_up

    @property
    def left_down(self) -> frozenset[Place]:
        """These and what a cut rewind left: no server is started on them, and that is no fault."""
        return frozenset(self._succession.left_down) | self._given_up

    @property
    def _given_up(self) -> frozenset[Place]:
        """Those of which another disk or the writer's name says so, while the successor is silent.

        Of two primaries a person may have stopped the newer one: then the older one is kept. One
        that crashed was not given up.
        """
        found = self._succession
        unseen = (p for p in found.doubted if found.outrun or self._led_away(p, found.unread))
        stopped = (p for p in found.outlasted if p in self.servers and not self.servers[p].crashed)
        return frozenset((*unseen, *stopped))

    def _led_away(self, place: Place, others: Iterable[Place]) -> bool:
        """True when a resolver leads writers to one of the others, and none leads them here.

        From across, two databases of one region are behind one address: that tells nothing.
        """
        here = self._leading(place)
        there = frozenset[Region]().union(*map(self._leading, others))
        return bool(there - here) and not here - there

    def _leading(self, to: Place) -> frozenset[Region]:
        """Regions whose resolver may lead writers to a database."""
        addresses = self._lab.settings.addresses
        return frozenset(
            each for each in REGIONS
            if address_seen_from(each, to, addresses) in (self.addresses(each, WRITER_NAME) or ())
        )  # fmt: skip

    @cached_property
    def exhausted(self) -> Mapping[Place, int]:
        """Servers whose connections are held for nothing, and how many."""
        running = [place for place, server in self.servers.items() if server.running]
        counts = self._lab.engine.each(running, self._held)
        held = dict(zip(running, counts, strict=True))
        found = {place: count for place, count in held.items() if count}
        return found | {place: 0 for place in self._hogs() if place not in found}

    def _held(self, place: Place) -> int:
        if (known := self.servers[place].held) is not None:
            return known
        with suppress(LabError):
            return int(self._lab.databases[place].query(HELD)[0][0])
        return 0

    @cached_property
    def plights(self) -> Mapping[Place, Plight]:
        """What each server that answers says of its replication."""
        known = {place: each.plight for place, each in self.servers.items() if each.plight}
        others = (p for p, each in self.servers.items() if each.running and p not in known)
        return {**known, **plights.read(self._lab.databases, others)}

    @property
    def starved(self) -> tuple[Place, ...]:
        """Standbys whose upstream no longer has the WAL that they want."""
        return plights.starved(self.plights, self._lab.settings.addresses)

    @cached_property
    def beyond_rewind(self) -> tuple[Place, ...]:
        """Databases that were replaced, and whose log does not reach back to the fork."""
        found, nodes = self._succession, self._lab.databases
        return tuple(
            place
            for place, heir in found.replaced.items()
            if plights.rewind_is_gone(nodes[place], nodes[heir], found.disks[place].timeline)
        )

    def _hogs(self) -> list[Place]:
        """Databases whose connections a program is about to take: it needs time to start."""
        if not self._settled:
            return []
        probers = [each for r in REGIONS if self.machines[each := Place(r.name, PROBER)].running]
        asked = ["sh", "-c", self._first + HOGS]
        said = self._lab.engine.each(
            probers, lambda each: self._lab.engine.run_code(each, asked)[1]
        )
        # Each line is one program: its words, a zero byte after each.
        words = [line.split("\0") for line in "\n".join(said).splitlines()]
        hosts = {each[3] for each in words if len(each) > 4 and each[2] == HOG}
        return [each for each in DATABASES if self._lab.settings.addresses.inside(each) in hosts]

    def look(self) -> None:
        """Ask all that takes time now, at the same time."""
        parts = ("links", "nameless", "exhausted", "plights", "beyond_rewind")
        self._lab.engine.each(parts, lambda part: getattr(self, part))

    @cached_property
    def cut_off(self) -> frozenset[Place]:
        """Machines that the management network does not reach."""
        return managementnet.cut(self._lab.name)

    def closed(self, link: Link) -> bool:
        """True for a listener that is known to be closed."""
        state = self.links.get(link)
        return state is not None and state.exists and not state.open

    def dead(self, place: Place) -> bool:
        """True for a machine that is there and has no process."""
        return self.machines[place].stopped and self.machines[place].status != "absent"

    def _server(self, place: Place) -> Server:
        if not self._settled and (server := self._answering(place)):
            return server
        if self._answered(place):
            return Server(frozenset({"running"}))
        # On a busy machine an answer may come cut short, or not at all: that says nothing of the
        # server, and silence must not be read as one that was stopped.
        return wait_until(
            f"{place} to say what stands on its disk",
            lambda: self._whole_answer(place),
            _ASK_SECONDS,
            ignoring=(LabError,),
        )

    def _answering(self, place: Place) -> Server | None:
        try:
            full, planted, held, *own = self._lab.databases[place].query(_ASK_SERVER)[0]
        except LabError:
            return None
        there = {"running": True, "full": full, "planted": planted}
        words = frozenset(word for word, yes in there.items() if yes)
        return Server(words, held, plights.said(tuple(own)))

    def _whole_answer(self, place: Place) -> Server | None:
        said = self._lab.engine.run_code(place, ["sh", "-c", self._first + _ASK])[1]
        words = frozenset(line.strip() for line in said.splitlines())
        return Server(words) if _WHOLE in words else None
