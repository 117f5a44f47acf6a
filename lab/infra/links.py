"""The links between regions and users: listeners of the two gateways, each one a Toxiproxy.

A gateway that boots has no listener at all, and forgets everything when it restarts. What is
in force is therefore always asked from it and never remembered here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import ONE_WAY_DELAY_MS, REGIONS, Link, Place, Region, links_into
from lab.infra.linkstates import Lateness, LinkState, Toxic

if TYPE_CHECKING:
    import requests
    import toxiproxy
    from toxiproxy import Toxiproxy
    from toxiproxy.proxy import Proxy

    from lab.infra.machines import Engine
    from lab.infra.settings import Settings
else:
    requests = lazily("requests")
    toxiproxy = lazily("toxiproxy", "api", "exceptions", "proxy", "toxic")

_API_PORT = 8474
_TIMEOUT_SECONDS = 3.0
_JOINT = "."
_DELAY = "delay_"


class _Timed:
    """`requests` with a time limit on every call; toxiproxy-python has none of its own."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy is for the world outside, not for loopback

    def get(self, **arguments: Any) -> requests.Response:
        return self._session.get(timeout=_TIMEOUT_SECONDS, **arguments)

    def post(self, **arguments: Any) -> requests.Response:
        return self._session.post(timeout=_TIMEOUT_SECONDS, **arguments)

    def delete(self, **arguments: Any) -> requests.Response:
        return self._session.delete(timeout=_TIMEOUT_SECONDS, **arguments)


# The library keeps host and port of "the" server in one class variable: with two gateways every
# use must set it first, and no other thread may use the library meanwhile.
_library = threading.Lock()


@cache
def _timed() -> _Timed:
    return _Timed()


class Links:
    """Every link of a lab."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._addresses = settings.addresses
        self.lateness = Lateness(settings.late_ms or 0)

    def configure(self, delay_ms: int = ONE_WAY_DELAY_MS) -> None:
        """Bring every listener to its default: present, delayed if it is a long way, open.

        Heals whatever else was done to it.
        """
        for entered in REGIONS:
            self.configure_gateway(entered, delay_ms)

    def configure_gateway(self, entered: Region, delay_ms: int = ONE_WAY_DELAY_MS) -> None:
        """The same for one region's gateway."""
        self._configure(entered, links_into(entered), delay_ms)

    def _configure(self, entered: Region, wanted: Iterable[Link], delay_ms: int) -> None:
        with self._gateway(entered) as server:
            existing = _listeners()
            for link in wanted:
                proxy, toxics = existing.get(link.name) or (self._created(server, link), {})
                self._set_delay(proxy, toxics, delay_ms if link.is_long_distance else 0)
                if not proxy.enabled:
                    proxy.enable()

    def _created(self, server: Toxiproxy, link: Link) -> Proxy:
        return server.create(
            upstream=link.upstream(self._addresses),
            name=link.name,
            listen=link.listen(self._addresses),
            enabled=False,
        )

    def ensure(self, entered: Region) -> None:
        """Make a gateway's missing listeners, as it needs after a boot; others stay as they are."""
        missing = [state.link for state in self.states(entered) if not state.exists]
        self._configure(entered, missing, ONE_WAY_DELAY_MS)

    def heal(self, wanted: Iterable[Link]) -> None:
        """Bring some listeners to their default again, whatever was done to them."""
        chosen = set(wanted)
        for entered in REGIONS:
            mine = [each for each in links_into(entered) if each in chosen]
            if mine:
                self._configure(entered, mine, ONE_WAY_DELAY_MS)

    def armed(self, wanted: Iterable[Link], act: Callable[[Proxy], object]) -> Callable[[], None]:
        """Ask all that must be asked now, so that what is returned acts at once, in that order."""
        prepared: list[tuple[Region, int, list[Proxy]]] = []
        chosen = list(wanted)
        for entered in REGIONS:
            mine = [each for each in chosen if each.entered is entered]
            if mine:
                with self._gateway(entered) as server:
                    proxies = _those(server, mine)
                port = self._engine.port(Place(entered.name, "gateway"), _API_PORT)
                prepared.append((entered, port, proxies))

        def strike() -> None:
            for entered, port, proxies in prepared:
                with self._gateway(entered, port):
                    for proxy in proxies:
                        act(proxy)

        return strike

    def armed_to_close(self, wanted: Iterable[Link]) -> Callable[[], None]:
        """Close listeners: connections end, new ones are refused, what was buffered is lost.

        Replication goes first: what the primary acknowledges after that reaches no survivor.
        Closing it last would let writes through that a lost region could never have sent.
        """
        order = sorted(wanted, key=lambda each: each.purpose.name != "replication")
        return self.armed(order, lambda proxy: proxy.disable())

    def armed_to_poison(
        self, wanted: Iterable[Link], toxics: Iterable[Toxic]
    ) -> Callable[[], None]:
        """Do something to what passes through listeners, while they stay open."""
        added = tuple(map(self.lateness.asked, toxics))

        def act(proxy: Proxy) -> None:
            there = proxy.toxics()
            for toxic in added:
                name = f"{toxic.name}{_JOINT}{toxic.stream}"
                if name in there and dict(there[name].attributes) != dict(toxic.attributes):
                    proxy.destroy_toxic(name)
                    del there[name]
                if name not in there:
                    proxy.add_toxic(
                        name=name, type=toxic.kind, stream=toxic.stream,
                        attributes=dict(toxic.attributes),
                    )  # fmt: skip

        return self.armed(wanted, act)

    def states(self, entered: Region) -> tuple[LinkState, ...]:
        """What is in force on one gateway. Raises LabError when it does not answer."""
        with self._gateway(entered):
            found = _listeners()
            return tuple(self._state(each, found.get(each.name)) for each in links_into(entered))

    def _set_delay(self, proxy: Proxy, toxics: Mapping[str, Any], delay_ms: int) -> None:
        """The usual delay each way, and nothing else. `toxics` are those that are there."""
        wanted = {
            f"{_DELAY}{stream}": (stream, late)
            for stream in ("upstream", "downstream")
            if (late := self.lateness.to_ask(delay_ms, stream)) and delay_ms
        }
        for name, toxic in toxics.items():
            if name not in wanted or toxic.attributes.get("latency") != wanted[name][1]:
                proxy.destroy_toxic(name)
        for name, (stream, late) in wanted.items():
            if name not in toxics or toxics[name].attributes.get("latency") != late:
                proxy.add_toxic(
                    name=name, type="latency", stream=stream, attributes={"latency": late}
                )

    def _state(self, link: Link, listener: tuple[Proxy, Mapping[str, Any]] | None) -> LinkState:
        if listener is None:
            return LinkState(link, exists=False, open=False, delay_ms=0, toxics=())
        proxy, toxics = listener
        found = [
            self.lateness.meant(
                Toxic(n.removesuffix(f"{_JOINT}{t.stream}"), t.type, t.stream, dict(t.attributes))
            )
            for n, t in toxics.items()
        ]
        delays = [each.attributes["latency"] for each in found if each.name.startswith(_DELAY)]
        others = tuple(each for each in found if not each.name.startswith(_DELAY))
        return LinkState(link, True, bool(proxy.enabled), max(delays, default=0), others)

    @contextmanager
    def _gateway(self, entered: Region, known_port: int | None = None) -> Iterator[Toxiproxy]:
        place = Place(entered.name, "gateway")
        port = known_port or self._engine.port(place, _API_PORT)
        with _library:
            toxiproxy.api.requests = _timed()
            server = toxiproxy.Toxiproxy()
            server.update_api_consumer("127.0.0.1", port)
            try:
                yield server
            except (requests.RequestException, ValueError, KeyError, *_refusals()) as error:
                raise LabError(
                    f"{place} does not answer as a gateway should: {type(error).__name__}",
                    f"look at: lab logs {place}",
                ) from error


def _refusals() -> tuple[Any, ...]:
    found = toxiproxy.exceptions
    return found.ProxyExists, found.NotFound, found.InvalidToxic


def _listeners() -> dict[str, tuple[Proxy, dict[str, Any]]]:
    """The chosen gateway's listeners by name, each with its toxics: one question for all.

    The library's own way asks once more for the toxics of each listener.
    """
    said = toxiproxy.api.APIConsumer.get("/proxies").json()
    return {
        name: (
            toxiproxy.proxy.Proxy(**found),
            {each["name"]: toxiproxy.toxic.Toxic(**each) for each in found["toxics"]},
        )
        for name, found in said.items()
    }


def _those(server: Toxiproxy, wanted: Iterable[Link]) -> list[Proxy]:
    """The gateway's listeners of these links. Raises LabError for one that it has not."""
    proxies = server.proxies()
    chosen = list(wanted)
    for link in chosen:
        if link.name not in proxies:
            raise LabError(f"{link.gateway} has no link {link.name}", "run: lab up")
    return [proxies[link.name] for link in chosen]
