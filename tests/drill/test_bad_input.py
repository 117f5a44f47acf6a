"""Bad input: one clear message, the right exit code, no traceback, nothing done."""

from __future__ import annotations

import pytest
from running import LAB_NAME, Cli

from lab import __version__

pytestmark = pytest.mark.drill


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("drill", "regionloss"), 2, "region-loss"),
        (("drill",), 2, "--list"),
        (("drill", "region-loss", "--sed", "1"), 2, "--seed"),
        (("drill", "region-loss", "--seed", "x"), 2, "no whole number"),
        (("stauts",), 2, "status"),
        (("psql", "east.db3"), 2, "east.db1"),
        (("psql", "east.app"), 2, "east.db1"),
        (("logs", "wst.app"), 2, "west.app"),
        (("logs", "--follow"), 2, "needs a machine"),
        (("dig", "writr"), 2, "writer"),
        (("up", "--name", "Not A Name"), 2, "lower-case"),
        (("report", "no-such-run"), 2, "no-such-run"),
        (("status", "--name", "never-made"), 3, "lab up --name never-made"),
        (("reset", "--name", "never-made"), 3, "lab up --name never-made"),
    ],
)
def test_wrong_input_is_answered_in_words(
    cli: Cli, arguments: tuple[str, ...], code: int, hint: str
) -> None:
    ran = cli(*arguments)
    assert ran.returncode == code, ran.stderr
    assert hint in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_the_version_and_every_help_text_can_be_asked_for(cli: Cli) -> None:
    assert cli("--version").stdout.strip() == __version__
    for command in ("up", "down", "reset", "status", "logs", "psql", "dig", "drill", "report"):
        ran = cli(command, "--help")
        assert ran.returncode == 0
        assert "Example" in ran.stdout, command


def test_a_subnet_that_is_taken_is_refused_and_its_holder_named(cli: Cli) -> None:
    ran = cli("up", "--name", f"{LAB_NAME}-2", LAB_SUBNET="172.17")
    assert ran.returncode == 3, ran.stderr
    assert "bridge" in ran.stderr


def test_a_subnet_that_is_none_is_refused(cli: Cli) -> None:
    ran = cli("up", "--name", f"{LAB_NAME}-2", LAB_SUBNET="300.1")
    assert ran.returncode == 2, ran.stderr


def test_a_run_folder_that_cannot_be_written_is_refused_before_anything_breaks(cli: Cli) -> None:
    ran = cli("drill", "region-loss", LAB_RUNS="/proc/nowhere")
    assert ran.returncode == 3, ran.stderr
    assert "LAB_RUNS" in ran.stderr


def test_no_engine_and_no_permission_to_install_one_prints_the_commands(cli: Cli) -> None:
    ran = cli("up", LAB_ENGINE="manual", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
