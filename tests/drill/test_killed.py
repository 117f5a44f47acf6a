"""The command line killed without a word, in the middle of breaking or healing something."""

from __future__ import annotations

import random
import signal
import subprocess
from contextlib import suppress

import pytest
from running import LAB_NAME, Cli, succeeded

from lab.core.errors import LabError
from lab.core.steering import Steering
from lab.core.topology import EAST_DB1, EAST_DB2, REGIONS, link
from lab.core.wait import wait_until
from lab.faults import acting
from lab.faults.catalogue import aimed, fault, faults
from lab.infra.linkstates import Toxic
from lab.testbed import inforce
from lab.testbed.lab import Lab

pytestmark = pytest.mark.drill
TIMES = 6


@pytest.mark.family("kills", always=("0",))
@pytest.mark.parametrize("number", range(TIMES))
def test_the_next_command_heals_what_a_killed_command_left_behind(cli: Cli, number: int) -> None:
    succeeded(cli("up"))
    moments = random.Random(f"20/{number}")  # noqa: S311 - no secret
    row = moments.choice([each for each in faults() if each.name != "region-loss"])
    # From before it has read its own code to after it has seen the effect.
    running = cli.start("fault", "inject", row.name, "--for", "2s")
    with suppress(subprocess.TimeoutExpired):
        running.wait(timeout=moments.uniform(0.5, 6.0))
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=10)
    succeeded(cli("fault", "heal", "--all"))
    with Lab.attached(LAB_NAME) as lab:
        assert acting.in_force(lab) == (), row.name
    assert '"faults": []' in succeeded(cli("status", "--json")).stdout


def test_half_a_fault_of_a_link_is_made_whole_by_the_next_command(cli: Cli) -> None:
    succeeded(cli("up"))
    where = link("west:east:app")
    with Lab.attached(LAB_NAME) as lab:
        lab.links.armed_to_poison(
            [where], [Toxic("silent", "timeout", "upstream", {"timeout": 0})]
        )()
        try:
            acting.inject(lab, aimed(fault("silent"), [where]))
            [state] = [each for each in lab.links.states(where.entered) if each.link == where]
            assert {each.stream for each in state.toxics} == {"upstream", "downstream"}
        finally:
            acting.heal_all(lab)


@pytest.mark.family("kills", row="old-primary")
def test_an_old_primary_is_not_started_while_the_one_in_its_place_is_down(cli: Cli) -> None:
    succeeded(cli("up"))
    old = fault("zone-loss").at()
    with Lab.attached(LAB_NAME) as lab:
        try:
            acting.inject(lab, old)
            lab.databases[EAST_DB2].promote()
            lab.engine.kill([EAST_DB2])
            with pytest.raises(LabError, match=r"cannot ask east\.db2"):
                acting.heal(lab, old)
            lab.engine.start([EAST_DB2])
            lab.databases[EAST_DB2].start()
            assert "east.db2 was promoted in its place" in acting.heal(lab, old).evidence
            assert not lab.databases[EAST_DB1].answers()
        finally:
            lab.reset()


def _at_work(lab: Lab) -> bool:
    return any(each.stats().running for each in lab.users.values())


@pytest.mark.family("kills", row="drill-at-work")
def test_the_users_of_a_drill_that_was_killed_are_at_rest_after_the_next_up(cli: Cli) -> None:
    succeeded(cli("up"))
    running = cli.start("drill", "zone-loss")
    try:
        with Lab.attached(LAB_NAME) as lab:
            wait_until("users at work", lambda: _at_work(lab), 60, 0.2, ignoring=(LabError,))
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=10)
            assert _at_work(lab), "they stop by themselves: this shows nothing"
            succeeded(cli("up"))
            assert not _at_work(lab)
    finally:
        running.kill()
        running.communicate(timeout=10)


PATIENT = """\
from lab.api import Steering, based_on

DRILL = based_on("zone-loss", name="patient", steering=Steering(interval=2, fall=5))
"""


@pytest.mark.family("kills", row="patient-steering")
def test_the_thresholds_of_a_drill_that_was_killed_last_until_the_next_up(cli: Cli) -> None:
    succeeded(cli("up"))
    script = cli.folder / "patient.py"
    script.write_text(PATIENT)
    running = cli.start("drill", str(script))
    try:
        with Lab.attached(LAB_NAME) as lab:
            wait_until("users at work", lambda: _at_work(lab), 90, 0.2, ignoring=(LabError,))
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=10)
            told = "thresholds: interval 2 s (default 0.5 s) and fall 5 (default 3)"
            assert [str(each) for each in inforce.look(lab)] == [
                f"{each.name}'s steering has other {told}" for each in REGIONS
            ]
            assert told in succeeded(cli("status", COLUMNS="300")).stdout
            succeeded(cli("up"))
            assert inforce.look(lab) == ()
            for each in lab.steerings.values():
                each.tune(Steering(alone=5))
            succeeded(cli("reset", "--yes"))
            assert inforce.look(lab) == ()
    finally:
        running.kill()
        running.communicate(timeout=10)


def test_a_reset_heals_what_is_in_force(cli: Cli) -> None:
    succeeded(cli("up"))
    for name in ("management-cut", "planted-setting", "resolver-stale", "partition-silent"):
        succeeded(cli("fault", "inject", name))
    succeeded(cli("reset", "--yes"))
    with Lab.attached(LAB_NAME) as lab:
        assert acting.in_force(lab) == ()
