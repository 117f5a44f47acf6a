"""Which machines have ended, from the engine's record of events.

An engine that ends a container notes its end at once, then takes its networks apart, and answers
no question about that container meanwhile: for the eight machines of a region this took Docker
20.10 up to 2 s on two cores. Its record of events does not wait.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lab.core.errors import LabError
from lab.infra.containers import kill, translated, unheard

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_LOOK_BACK_SECONDS: Final = 60.0
_DEAD_SECONDS: Final = 20.0
_DIED: Final = "die"


def ended(client: DockerClient, names: Collection[str]) -> frozenset[str]:
    """Those of these containers whose end is the last thing that the engine noted of them.

    A container of which nothing was noted lately is left out: the engine can be asked about it.
    """
    now = time.time()
    filters = {"container": list(names), "event": ["start", _DIED]}
    with translated():
        # Parts of a second, which the library sends on as they are.
        noted = client.events(  # type: ignore[call-overload]
            decode=True,
            since=f"{now - _LOOK_BACK_SECONDS:.9f}",
            until=f"{now:.9f}",
            filters=filters,
        )
        return last_ended(noted)


def armed(client: DockerClient, found: Iterable[Container]) -> Callable[[], None]:
    """Listens now; what is returned kills these containers at once, and is back when all are dead.

    Frozen ones are off their networks meanwhile (see `containers.unheard`).
    """
    named = {str(each.name): each for each in found}
    killing = Killing(client, named)

    def strike() -> None:
        with ExitStack() as cut_off:
            for each in named.values():
                cut_off.enter_context(unheard(client, each))
            killing.of((name, partial(kill, each)) for name, each in named.items())

    return strike


def last_ended(noted: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Names of the containers whose last event, in the order in which they are noted, is an end."""
    last = {each["Actor"]["Attributes"]["name"]: each["Action"] for each in noted}
    return frozenset(name for name, action in last.items() if action == _DIED)


class Killing:
    """Kills containers and waits until all are dead, and not until the engine has tidied up.

    It listens from the moment in which it is made.
    """

    def __init__(self, client: DockerClient, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._dead: queue.SimpleQueue[str] = queue.SimpleQueue()
        with translated():
            self._heard: Any = client.events(
                decode=True, filters={"container": list(names), "event": _DIED}
            )
        threading.Thread(target=self._listen, name="killing", daemon=True).start()

    def _listen(self) -> None:
        for each in self._heard:
            self._dead.put(each["Actor"]["Attributes"]["name"])

    def of(self, kills: Iterable[tuple[str, Callable[[], None]]]) -> None:
        """Do all kills at the same time; back when all are dead. Raises LabError."""
        under_way = [threading.Thread(target=self._kill, args=each, daemon=True) for each in kills]
        for each in under_way:
            each.start()
        left = set(self._names)
        deadline = time.monotonic() + _DEAD_SECONDS
        try:
            while left:
                left.discard(self._dead.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            raise LabError(f"not killed: {', '.join(sorted(left))}", "see: lab doctor") from None
        except BaseException:  # a Ctrl-C: healing comes next, and no kill may come after it
            for each in under_way:
                each.join(max(0.0, deadline - time.monotonic()))
            raise
        finally:
            self._heard.close()

    def _kill(self, name: str, kill: Callable[[], None]) -> None:
        kill()
        self._dead.put(name)  # what was dead already is never noted
