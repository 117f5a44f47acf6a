"""The links between regions and users: listeners of the two gateways, each one a Toxiproxy.

A gateway that boots has no listener at all, and forgets everything when it restarts. What is
in force is therefore always asked from it and never remembered here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import toxiproxy.api
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists
from toxiproxy.proxy import Proxy

from lab.engine import Engine
from lab.errors import LabError
from lab.settings import Settings
from lab.topology import ONE_WAY_DELAY_MS, REGIONS, Link, Place, Region, links_into

_API_PORT = 8474
_TIMEOUT_SECONDS = 3.0


class _Timed:
    """`requests` with a time limit on every call; toxiproxy-python has none of its own."""

    def __init__(self) -> None:
        self._session = requests.Session()

    def get(self, **arguments: Any) -> requests.Response:
        return self._session.get(timeout=_TIMEOUT_SECONDS, **arguments)

    def post(self, **arguments: Any) -> requests.Response:
        return self._session.post(timeout=_TIMEOUT_SECONDS, **arguments)

    def delete(self, **arguments: Any) -> requests.Response:
        return self._session.delete(timeout=_TIMEOUT_SECONDS, **arguments)


# The library keeps host and port of "the" server in one class variable: with two gateways every
# use must set it first, and nobody else may use the library meanwhile.
_library = threading.Lock()
_REFUSALS = (ProxyExists, NotFound, InvalidToxic)
toxiproxy.api.requests = _Timed()


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a gateway says of a link. `delay_ms` is one way, `toxics` are all but that."""

    link: Link
    exists: bool
    open: bool
    delay_ms: int
    toxics: tuple[str, ...]

    def __str__(self) -> str:
        if not self.exists:
            return "not configured"
        words = ["open" if self.open else "CLOSED"]
        words += [f"{self.delay_ms} ms each way"] if self.delay_ms else []
        return ", ".join([*words, *self.toxics])


class Links:
    """Every link of a lab."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._addresses = settings.addresses

    def configure(self, delay_ms: int = ONE_WAY_DELAY_MS) -> None:
        """Bring every listener to its default: present, delayed if it is a long way, open.

        Heals whatever else was done to it.
        """
        for entered in REGIONS:
            self.configure_gateway(entered, delay_ms)

    def configure_gateway(self, entered: Region, delay_ms: int = ONE_WAY_DELAY_MS) -> None:
        """The same for one region's gateway."""
        with self._gateway(entered) as server:
            existing = server.proxies()
            for link in links_into(entered):
                proxy = existing.get(link.name) or server.create(
                    upstream=link.upstream(self._addresses),
                    name=link.name,
                    listen=link.listen(self._addresses),
                    enabled=False,
                )
                _set_toxics(proxy, delay_ms if link.is_long_distance else 0)
                if not proxy.enabled:
                    proxy.enable()

    def close(self, wanted: Iterable[Link]) -> None:
        """Close listeners: connections end, new ones are refused, what was buffered is lost."""
        self._each(wanted, lambda proxy: proxy.disable() if proxy.enabled else None)

    def open(self, wanted: Iterable[Link]) -> None:
        """Open listeners that are closed."""
        self._each(wanted, lambda proxy: proxy.enable() if not proxy.enabled else None)

    def armed_to_close(self, entered: Region) -> Callable[[], None]:
        """Ask all that must be asked now, so that what is returned closes a region at once.

        It closes everything that enters the region, replication first: what the primary
        acknowledges after that moment can reach nobody. Closing it last would let writes through
        that a lost region could never have sent.
        """
        wanted = sorted(links_into(entered), key=lambda each: each.purpose.name != "replication")
        with self._gateway(entered) as server:
            proxies = _those(server, wanted)
        port = self._engine.port(Place(entered.name, "gateway"), _API_PORT)

        def close() -> None:
            with self._gateway(entered, port):
                for proxy in proxies:
                    proxy.disable()

        return close

    def states(self, entered: Region) -> tuple[LinkState, ...]:
        """What is in force on one gateway. Raises LabError when it does not answer."""
        with self._gateway(entered) as server:
            proxies = server.proxies()
            return tuple(_state(each, proxies.get(each.name)) for each in links_into(entered))

    def _each(self, wanted: Iterable[Link], act: Callable[[Proxy], object]) -> None:
        chosen = list(wanted)
        for entered in REGIONS:
            mine = [each for each in chosen if each.entered is entered]
            if not mine:
                continue
            with self._gateway(entered) as server:
                for proxy in _those(server, mine):
                    act(proxy)

    @contextmanager
    def _gateway(self, entered: Region, known_port: int | None = None) -> Iterator[Toxiproxy]:
        place = Place(entered.name, "gateway")
        port = known_port or self._engine.port(place, _API_PORT)
        with _library:
            server = Toxiproxy()
            server.update_api_consumer("127.0.0.1", port)
            try:
                yield server
            except (requests.RequestException, ValueError, KeyError, *_REFUSALS) as error:
                raise LabError(
                    f"{place} does not answer as a gateway should: {type(error).__name__}",
                    f"look at: lab logs {place}",
                ) from error


def _those(server: Toxiproxy, wanted: Iterable[Link]) -> list[Proxy]:
    """The gateway's listeners of these links. Raises LabError for one that it has not."""
    proxies = server.proxies()
    chosen = list(wanted)
    for link in chosen:
        if link.name not in proxies:
            raise LabError(f"{link.gateway} has no link {link.name}", "run: lab up")
    return [proxies[link.name] for link in chosen]


def _set_toxics(proxy: Proxy, delay_ms: int) -> None:
    toxics = proxy.toxics()
    wanted = {f"delay_{stream}": stream for stream in ("upstream", "downstream") if delay_ms}
    for name, toxic in toxics.items():
        if name not in wanted or toxic.attributes.get("latency") != delay_ms:
            proxy.destroy_toxic(name)
    for name, stream in wanted.items():
        if name not in toxics or toxics[name].attributes.get("latency") != delay_ms:
            proxy.add_toxic(
                name=name, type="latency", stream=stream, attributes={"latency": delay_ms}
            )


def _state(link: Link, proxy: Proxy | None) -> LinkState:
    if proxy is None:
        return LinkState(link, exists=False, open=False, delay_ms=0, toxics=())
    toxics = proxy.toxics()
    delays = [t.attributes["latency"] for n, t in toxics.items() if n.startswith("delay_")]
    others = tuple(f"{t.type} {t.stream}" for n, t in toxics.items() if not n.startswith("delay_"))
    return LinkState(link, True, bool(proxy.enabled), max(delays, default=0), others)
