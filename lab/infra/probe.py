"""What a link does to its users: asked through it, from where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import ONE_WAY_DELAY_MS, PROBER, STOPWATCH, Link, Place

if TYPE_CHECKING:
    import pydantic
    from pydantic import TypeAdapter

    from lab.infra.machines import Engine
    from lab.infra.settings import Settings
else:
    pydantic = lazily("pydantic")

_KINDS: Final = {"sql": "postgres", "replication": "postgres", "app": "http", "cache": "cache"}
_ENCRYPTED: Final = {"http": "https", "cache": "caches"}
PATIENCE_SECONDS: Final = 1.0
"""How long an answer may take before the link counts as silent."""


@dataclass(frozen=True, slots=True)
class Pinged:
    """What one connection saw, in seconds. `error` is empty, or refused, reset, silent, closed."""

    connect: float | None
    answers: tuple[float, ...]
    close: float | None
    error: str

    def __str__(self) -> str:
        if self.error:
            return self.error
        return f"answered in {min(self.answers) * 1000:.0f} ms"


@cache
def _pinged() -> TypeAdapter[Pinged]:
    return pydantic.TypeAdapter(Pinged)


def user_of(link: Link) -> Place:
    """A machine that stands where the link begins, and can ask."""
    kind, _, name = link.origin.partition("-")
    if kind == "guest":
        return STOPWATCH
    if kind == "users":
        return Place("users", name)
    if kind == "checks":
        return Place(name, PROBER)
    return Place(link.origin, PROBER)


def usual_round_trip(link: Link) -> float:
    """What the default delay makes of a question and its answer, in seconds."""
    return 2 * ONE_WAY_DELAY_MS / 1000 if link.is_long_distance else 0.0


def ping(
    engine: Engine,
    settings: Settings,
    link: Link,
    count: int = 1,
    patience: float = PATIENCE_SECONDS,
    *,
    closing: bool = False,
) -> Pinged:
    """Ask through the link. Raises LabError when no machine there can ask.

    With `closing` the other side is asked to close after the last answer (HTTP only).
    """
    host, port = link.listen(settings.addresses).split(":")
    if link.origin == "guest":
        host = settings.addresses.internet(link.gateway)
    kind = _kind(_KINDS[link.purpose.name], settings)
    question = Question(kind, host, int(port), count, patience, closing)
    return ask(engine, user_of(link), question)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom, how often, and how many seconds an answer may take.

    `closing` asks the other side to close after the last answer.
    """

    kind: str
    host: str
    port: int
    count: int = 1
    patience: float = PATIENCE_SECONDS
    closing: bool = False


def ask_machine(engine: Engine, settings: Settings, place: Place) -> Pinged:
    """Ask a database, a shop or a cache directly, from next door: no gateway in between."""
    kind, port = _DOORS[place.service]
    return ask(
        engine,
        Place(place.site, PROBER),
        Question(_kind(kind, settings), settings.addresses.inside(place), port),
    )


def _kind(plain: str, settings: Settings) -> str:
    return _ENCRYPTED.get(plain, plain) if settings.https else plain


def neighbour_of(place: Place) -> str | None:
    """The program next door that can ask a machine, if one can."""
    return PROBER if place.service in _DOORS else None


_DOORS: Final = {
    "db1": ("postgres", 5432),
    "db2": ("postgres", 5432),
    "app": ("http", 8080),
    "cache": ("cache", 6379),
}


def ask(engine: Engine, asker: Place, question: Question) -> Pinged:
    """Let a machine ask. Raises LabError when it cannot."""
    words = (question.kind, question.host, question.port, question.count, question.patience)
    ending = ["close"] if question.closing else []
    said = engine.run(asker, ["python3", "-m", "appkit.ping", *map(str, words), *ending])
    try:
        return _pinged().validate_json(said)
    except pydantic.ValidationError as error:
        raise LabError(f"{asker} cannot ask {question.host}: {said[:200]}") from error
