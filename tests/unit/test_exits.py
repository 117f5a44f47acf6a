"""What the engine noted of machines that end, and strikes that end with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from docker import DockerClient
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import LabError
from lab.infra import machineexits

NAMES = ("db1", "db2", "app")


def noted(name: str, action: str) -> dict[str, Any]:
    """An event as the engine tells it."""
    return {"Action": action, "Actor": {"Attributes": {"name": name}}}


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["start", "die"]))))
def test_a_container_has_ended_exactly_when_its_last_event_is_an_end(
    events: list[tuple[str, str]],
) -> None:
    found = machineexits.last_ended(noted(*each) for each in events)
    for name in NAMES:
        own = [action for of, action in events if of == name]
        assert (name in found) == (own[-1:] == ["die"])


class Engine:
    """An engine that tells what it is told to tell."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self.closed = False

    def events(self, **_asked: object) -> Engine:
        return self

    def tell(self, name: str, action: str) -> None:
        with self._more:
            self.said.append(noted(name, action))
            self._more.notify()

    def close(self) -> None:
        with self._more:
            self.closed = True
            self._more.notify()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        at = 0
        while True:
            with self._more:
                while not self.closed and len(self.said) <= at:
                    self._more.wait()
                if self.closed:
                    return
                told = self.said[at]
            at += 1
            yield told


def test_a_strike_ends_when_all_are_dead_although_the_engine_still_tidies_up() -> None:
    engine, tidied = Engine(), threading.Event()

    def kill(name: str) -> None:
        engine.tell(name, "die")
        tidied.wait()

    killing = machineexits.Killing(cast("DockerClient", engine), NAMES)
    killing.of((name, lambda n=name: kill(n)) for name in NAMES)  # type: ignore[misc]
    assert engine.closed
    tidied.set()


def test_an_interrupted_strike_waits_for_the_kills_that_are_under_way() -> None:
    """What heals comes next: a later kill would undo it."""
    killed, going_on = list[str](), threading.Event()

    class Interrupted:
        def get(self, timeout: float) -> str:
            threading.Timer(0.2, going_on.set).start()
            raise KeyboardInterrupt

        def put(self, _name: str) -> None:
            pass

    def kill(name: str) -> None:
        going_on.wait(60)
        killed.append(name)

    engine = Engine()
    killing = machineexits.Killing(cast("DockerClient", engine), NAMES)
    killing._dead = cast("Any", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        killing.of((name, lambda n=name: kill(n)) for name in NAMES)  # type: ignore[misc]
    assert sorted(killed) == sorted(NAMES)
    assert engine.closed


def test_what_was_dead_already_is_no_reason_to_wait() -> None:
    engine = Engine()
    machineexits.Killing(cast("DockerClient", engine), NAMES).of(
        (name, lambda: None) for name in NAMES
    )
    assert engine.closed


def test_a_kill_that_ends_nothing_is_an_error_that_names_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machineexits, "_DEAD_SECONDS", 0.05)
    engine, never = Engine(), threading.Event()
    killing = machineexits.Killing(cast("DockerClient", engine), ["db1"])
    with pytest.raises(LabError, match="not killed: db1"):
        killing.of([("db1", lambda: bool(never.wait()) and None)])  # type: ignore[list-item]
    never.set()
