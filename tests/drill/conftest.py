"""One lab of its own for the tests of the whole: another name, another subnet, another folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from running import LAB_NAME, Cli, DrillRun, fresh_folder, succeeded

from lab.infra.machines import Engine
from lab.testbed.lab import Lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that removes the lab runs last: no other one then has to make it again."""
    items.sort(key=lambda each: each.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def cli(request: pytest.FixtureRequest) -> Iterator[Cli]:
    """The command line; the lab that it made is removed at the end, whatever happened.

    What a session that was killed left of it goes first: its settings went with that session.

    The run folders stay when a test failed: its message names one.
    """
    work = fresh_folder()
    run = Cli(work, work / "state")
    os.environ["LAB_STATE"] = str(run.state)
    try:
        run("down", "--yes", timeout=120)
        yield run
    finally:
        run("down", "--yes", timeout=120)
        for name in (LAB_NAME, f"{LAB_NAME}-m1"):  # the second one is the matrix's
            engine = Engine(name)
            engine.remove_everything()
            engine.close()
        shutil.rmtree(run.state if request.session.testsfailed else work, ignore_errors=True)


@pytest.fixture(scope="module")
def attached(cli: Cli) -> Iterator[Lab]:
    """The lab, up: each file asks for it once, because even a lab that runs takes `up` 2 s."""
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as found:
        yield found


@pytest.fixture
def lab(cli: Cli, attached: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab, up. A test puts back what it breaks; after one that failed, `reset` does."""
    failed = request.session.testsfailed
    yield attached
    if request.session.testsfailed > failed:
        cli("up")
        succeeded(cli("reset", "--yes"))


@pytest.fixture(scope="session")
def drilled(cli: Cli) -> Callable[..., DrillRun]:
    """Runs a drill by the command line, once: tests that name the same drill share its run.

    One whose verdict is unknown because something else kept this machine too busy has shown
    nothing: that alone is a reason to begin it once more.
    """

    @cache
    def run(name: str, *arguments: str, **variables: str) -> DrillRun:
        ran = cli("drill", name, "--json", *arguments, timeout=300, **variables)
        if ran.returncode == 4 and "too busy" in ran.stdout + ran.stderr:
            ran = cli("drill", name, "--json", *arguments, timeout=300, **variables)
        folder = max(cli.folder.glob(f"runs/*Z-{name}"), default=cli.folder)
        assert ran.returncode in {0, 1, 4} and ran.stdout, f"look first at {folder}\n{ran.stderr}"
        return DrillRun(ran.returncode, json.loads(ran.stdout), folder, ran.stderr)

    return run
