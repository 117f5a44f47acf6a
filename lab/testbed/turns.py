"""Whose turn it is to change a lab: one command at a time, and what one that was killed leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lab.core.console import Say
from lab.core.errors import LabError
from lab.core.lock import Held, hold
from lab.core.paths import lab_file
from lab.core.topology import PLACES
from lab.core.wait import pause, wait_until
from lab.infra import changetoken, settings
from lab.infra.machines import Engine

_UNDER_WAY_SECONDS = 3.0
"""Within this time the engine and the gateways have begun what a dead command asked of them."""
_ENDING_SECONDS = 30.0


def lock_file(name: str) -> Path:
    """The file that says which command holds a lab."""
    return lab_file(f"{name}.lock")


class Turn:
    """A command's turn to change a lab. While it rests, others have its locks."""

    def __init__(self, name: str, held: Held, lead: Held | None = None) -> None:
        self._name, self._held, self._lead = name, held, lead

    def leading(self, lead: Held) -> Turn:
        """The same turn, in whose rests others may lead the lab, too."""
        return Turn(self._name, self._held, lead)

    @contextmanager
    def rest(self, say: Say | None = None) -> Iterator[None]:
        """Let others have the lab meanwhile, for example while a person thinks."""
        with ExitStack() as given_up:
            for each in filter(None, (self._held, self._lead)):
                given_up.enter_context(each.given_up(say))
            yield
        changetoken.take(self._name)

    def give_way(self) -> None:
        """Let a command that waits to heal a fault do that now."""
        if self._held.give_way():
            changetoken.take(self._name)


@contextmanager
def exclusive(name: str, what: str) -> Iterator[Turn]:
    """Be the only command that has this lab. Raises Busy at once if another one does.

    While this one rests (`Turn.rest`), others may run a runbook on it (`leading`).
    """
    with (
        hold(lab_file(f"{name}.whole.lock"), what, wait=False),
        hold(_lead_file(name), what, wait=False) as lead,
        amid(name, what) as turn,
    ):
        yield turn.leading(lead)


@contextmanager
def leading(name: str, what: str) -> Iterator[Turn]:
    """Be the only command that leads this lab. Raises Busy at once if another one does.

    While this one rests, others may break and heal the lab (`amid`).
    """
    with hold(_lead_file(name), what, wait=False), amid(name, what) as turn:
        yield turn


def _lead_file(name: str) -> Path:
    return lab_file(f"{name}.lead.lock")


@contextmanager
def amid(name: str, what: str, wait: Say | None = None) -> Iterator[Turn]:
    """Be the only command that changes this lab for now. Raises Busy at once if another one does.

    With `wait` it says so there, and waits for the other one.

    After a command that was killed it waits: requests that are under way need no client, and what
    they do must be there to be seen. What waits inside machines is refused from now on.
    """
    with hold(lock_file(name), what, wait=wait is not None, say=wait) as held:
        changetoken.take(name)
        if held.broken_off and settings.settings_file(name).exists():
            Say().note(f"{held.broken_off} did not finish: waiting for what it had begun")
            pause(_UNDER_WAY_SECONDS)
            _let_machines_end(name)
        yield Turn(name, held)


def _let_machines_end(name: str) -> None:
    """Wait for machines that were killed and that the engine still calls running.

    On a busy machine that lasted 4 s. Asking them all takes the longer, the busier it is.
    """
    with suppress(LabError):
        engine = Engine(name)
        try:
            engine.toolbox().clear()  # a script that no command waits for changes nothing more
            wait_until(
                "the engine to see which machines run",
                lambda: not any(engine.each(PLACES, engine.ending)),
                _ENDING_SECONDS,
            )
        finally:
            engine.close()
