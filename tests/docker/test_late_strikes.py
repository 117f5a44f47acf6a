"""What a killed command left on its way into a machine: healed for every later look, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from lab.core.topology import EAST_DB1, Place
from lab.core.wait import wait_until
from lab.faults import acting
from lab.faults.catalogue import fault
from lab.faults.sight import Sight
from lab.infra import changetoken
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker
INSIDE = ("crash", "stop-clean", "stop-immediate", "disk-full", "planted-setting")
"""Faults whose strike is a program inside a database's machine."""
_TOLD = {"running", "full", "planted"}
AT_WORK = "/dev/shm/at-work"  # noqa: S108 - inside the machine
LOCK = "/dev/shm/tool"  # noqa: S108 - inside the machine
HELD = f"exec 9>{LOCK} && flock 9 && : > {AT_WORK} && while [ -e {AT_WORK} ]; do sleep 0.05; done"


class Orphans:
    """What reaches machines of a command that was killed: its programs, and no client for them."""

    def __init__(self, lab: Lab, name: str, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Place, Sequence[str]]] = []
        self._lab = lab
        row = fault(name)
        with patch.context() as patched:
            patched.setattr(lab.engine, "run", self._note)
            patched.setattr(lab.engine, "run_aside", lambda *asked: self._note(*asked))
            patched.setattr("lab.postgres.server.Server.query", lambda *_: [])
            row.at().arm(lab)()

    def _note(
        self, place: Place, argv: Sequence[str], *, check: bool = True, called: str = ""
    ) -> str:
        self.asked.append((place, argv))
        return ""

    def begin(self) -> None:
        """Let the engine begin them."""
        for place, argv in self.asked:
            self._lab.engine.run_aside(place, argv)

    def end(self) -> None:
        """Let each of them run to its end, whatever it does."""
        for place, argv in self.asked:
            self._lab.engine.run_code(place, argv)


@pytest.fixture
def whole(edges: Lab) -> Iterator[Lab]:
    """A lab that is healed again if a test fails to: the next one does not start from a copy."""
    yield edges
    acting.heal_all(edges)


def _waiting(lab: Lab, place: Place) -> int:
    return len(lab.engine.run_code(place, ["pgrep", "-x", "flock"])[1].split())


def _release(lab: Lab, place: Place) -> None:
    lab.engine.run(place, ["rm", "-f", AT_WORK])


@pytest.mark.parametrize("name", INSIDE)
def test_what_waits_inside_a_machine_is_over_when_all_is_healed(
    name: str, whole: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, orphans = whole, Orphans(whole, name, monkeypatch)
    [(place, _)] = orphans.asked
    lab.engine.run_aside(place, ["sh", "-c", HELD])
    with ThreadPoolExecutor() as pool:
        wait_until("the lock to be held", lambda: _there(lab, place), 10)
        orphans.begin()
        wait_until("the strike to wait for it", lambda: _waiting(lab, place) == 1, 10)
        healing = pool.submit(acting.heal_all, lab)
        wait_until("healing", lambda: healing.done() or _waiting(lab, place) == 2, 20)
        _release(lab, place)
        healing.result()
    _nothing_at_work(lab, place)
    assert acting.in_force(lab) == ()
    assert lab.databases[place].answers()


def test_what_comes_after_all_was_healed_is_refused(
    whole: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [Orphans(whole, name, monkeypatch) for name in (*INSIDE, "connections-exhausted")]
    acting.heal_all(whole)
    for orphans in late:
        orphans.end()
    assert acting.in_force(whole) == ()


def test_connections_that_are_about_to_be_taken_are_healed(
    serving: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, orphans = serving, Orphans(serving, "connections-exhausted", monkeypatch)
    orphans.begin()
    [(shop, _)] = orphans.asked
    wait_until("the program to start", lambda: "appkit.hog" in _words(lab, shop), 10, 0.0)
    acting.heal_all(lab)
    assert "appkit.hog" not in _words(lab, shop)
    assert acting.in_force(lab) == ()


@pytest.mark.parametrize("name", ["planted-setting", "connections-exhausted"])
def test_a_server_that_answers_tells_of_itself_what_its_machine_tells(
    name: str, serving: Lab
) -> None:
    one = fault(name).at()
    acting.inject(serving, one)
    by_statement, by_machine = Sight(serving), Sight(serving, settled=True)
    with ExitStack() as operators:  # they get in, whatever the shops' account has taken
        for _ in range(10):
            operators.enter_context(serving.databases[EAST_DB1].connect())
    words = {place: each.words & _TOLD for place, each in by_machine.servers.items()}
    assert {place: each.words for place, each in by_statement.servers.items()} == words
    assert by_statement.exhausted == by_machine.exhausted
    acting.heal(serving, one)


def test_a_command_in_its_turn_is_not_refused(whole: Lab) -> None:
    changetoken.take(whole.name)
    one = fault("stop-immediate").at()
    acting.inject(whole, one)
    assert acting.in_force(whole) == (one,)
    acting.heal_all(whole)
    assert acting.in_force(whole) == ()


def _words(lab: Lab, place: Place) -> str:
    return lab.engine.run(place, ["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null; true"])


def _there(lab: Lab, place: Place) -> bool:
    return lab.engine.run_code(place, ["test", "-e", AT_WORK])[0] == 0


def _nothing_at_work(lab: Lab, place: Place) -> None:
    lab.engine.run(place, ["flock", "-w", "30", LOCK, "true"])
