"""A fence that one way does not bring about is brought about by the next one, soon, and says so."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.errors import CommandFailed, LabError
from lab.core.topology import EAST_DB1, Place
from lab.postgres.node import Node
from lab.testbed import fences
from lab.testbed.lab import Lab

HELD = "pg_ctl: server does not shut down"
PATIENCE_SECONDS = 5


class Machine:
    """A machine whose server does not stop, and may not be killed either."""

    lab_name = "lab"

    def __init__(self, *, mortal: bool = True) -> None:
        self.mortal = mortal
        self.scripts: list[str] = []
        self.killed: list[Place] = []

    def run(self, place: Place, argv: list[str], called: str = "") -> str:
        self.scripts.append(argv[-1])
        raise CommandFailed(str(place), called, 1, HELD)

    def kill(self, places: list[Place]) -> None:
        if not self.mortal:
            raise CommandFailed("east.db1", "kill", 1, "no such machine")
        self.killed += places

    def alive(self, places: list[Place]) -> tuple[Place, ...]:
        return tuple(places)


def lab_of(machine: Machine) -> Lab:
    node = Node(EAST_DB1, cast("Any", machine), cast("Any", None))
    return cast("Lab", SimpleNamespace(engine=machine, databases={EAST_DB1: node}))


def test_a_server_that_does_not_stop_within_five_seconds_loses_its_machine() -> None:
    machine = Machine()
    said = fences.by_force(lab_of(machine), EAST_DB1)
    [script] = machine.scripts
    limits = re.findall(r"(?:flock -w|pg_ctl stop .*-t) (\d+)", script)
    assert len(limits) == 2, script
    assert sum(map(int, limits)) < PATIENCE_SECONDS
    assert machine.killed == [EAST_DB1]
    assert "its machine was killed" in said
    assert "stopping its server failed: east.db1: `" in said
    assert HELD in said


def test_where_no_way_works_each_of_them_is_said() -> None:
    with pytest.raises(LabError) as caught:
        fences.by_force(lab_of(Machine(mortal=False)), EAST_DB1)
    told = str(caught.value)
    assert "east.db1 cannot be fenced" in told
    assert "stopping its server failed" in told
    assert "killing its machine failed" in told
