"""Tests in Python on a lab, with pytest: fixtures and what a failing test shows (docs/pytest.md).

pytest loads this with every run of its own, so nothing else of the lab is loaded before a test uses
it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from lab.core.errors import LabError
    from lab.drills.sharedlab import SharedHands, SharedLab
    from lab.drills.withup import Coming
    from lab.steps.runbooktext import Foreseen
    from lab.testbed.throwaway import Pair

_SHARED: Final[pytest.StashKey[SharedLab]] = pytest.StashKey()
_ITEM: Final = pytest.StashKey[pytest.Item]()
_ON_ENGINE: Final = ("lab_up", "_lab_pair")
_OURS: Final = (*_ON_ENGINE, "lab_check")
_SECTION: Final = "what the lab measured"
_BETWEEN: Final = ("lab", "_pytest", "pluggy", "contextlib")
"""Packages of which no line belongs to a test."""


# ── fixtures ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lab(
    lab_up: Callable[..., Coming[SharedHands]], request: pytest.FixtureRequest
) -> Iterator[Any]:
    """The lab for this test: the verbs of `lab.api`, and record(). It is healed after the test."""
    with lab_up(request.node.name) as found:
        yield found


@pytest.fixture(scope="session")
def lab_up(request: pytest.FixtureRequest) -> Iterator[Callable[..., Coming[SharedHands]]]:
    """`with lab_up("a zone is lost") as lab:` is one run, which a fixture may share among tests.

    The lab comes up when the first test needs it, and stays up.
    """
    from lab.core.console import Say
    from lab.drills.sharedlab import shared
    from lab.infra.settings import chosen_name

    config = request.config

    def up(
        title: str, old: str = "east.db1", new: str = "west.db1", *, seed: int = 1
    ) -> Coming[SharedHands]:
        item = config.stash[_ITEM]
        return found.up(title, old, new, seed, item.path, ("pytest", item.nodeid))

    with ExitStack() as block:
        with _aloud(config):
            found = block.enter_context(shared(chosen_name(None), Say()))
        config.stash[_SHARED] = found
        yield up


@pytest.fixture(scope="session")
def lab_check(request: pytest.FixtureRequest) -> Callable[..., Foreseen]:
    """`lab_check("runbook.yaml", "partition")` says what a runbook would do; no lab is needed.

    Without situations it is checked in those that it is written for.
    """

    def check(runbook: str | Path, *scenarios: str) -> Foreseen:
        from lab.commands.runbook import files
        from lab.runbooks import shipped
        from lab.steps import runbooktext

        path = shipped.find(str(runbook), request.config.stash[_ITEM].path.parent)
        return runbooktext.foreseen(files.checked(path, scenarios), path.name)

    return check


@pytest.fixture(scope="session")
def _lab_pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """The machines of `lab_pair`."""
    from lab.core.console import Say
    from lab.core.errors import LabError, LibraryMissing
    from lab.infra.settings import chosen_name

    try:
        from lab.testbed.throwaway import pair
    except ModuleNotFoundError as error:
        told = LabError(f"lab_pair needs the library {error.name}", "pip install testcontainers")
        raise LibraryMissing.told(error) or told from error
    name = f"{chosen_name(None)[:25]}-pair"
    with ExitStack() as block:
        with _aloud(request.config):
            found = block.enter_context(pair(name, tmp_path_factory.mktemp("pair"), Say()))
        yield found


@pytest.fixture
def lab_pair(_lab_pair: Pair) -> Pair:
    """A primary and its synchronous standby, which stream: two machines of their own, no lab."""
    _lab_pair.put_back()
    return _lab_pair


@contextmanager
def _aloud(config: pytest.Config) -> Iterator[None]:
    """Show progress while it goes on: the first time it may take minutes."""
    capture = config.pluginmanager.getplugin("capturemanager")
    terminal = config.pluginmanager.getplugin("terminalreporter")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if terminal is not None:
            terminal.ensure_newline()
        yield


# ── which tests need a lab ───────────────────────────────────────────────────────────────────


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the mark."""
    config.addinivalue_line("markers", "lab: needs the failover lab's engine (added by itself)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a lab, or machines of one."""
    for item in items:
        if _uses(item, *_ON_ENGINE):
            item.add_marker("lab")


def _uses(item: pytest.Item, *fixtures: str) -> bool:
    return not {*fixtures}.isdisjoint(getattr(item, "fixturenames", ()))


# ── a test that fails ────────────────────────────────────────────────────────────────────────


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which test runs: paths of runbooks start in its folder."""
    item.config.stash[_ITEM] = item


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """An error of the lab's own ends in the test's line; a failing test tells what was measured."""
    error = _error_of_the_lab(call) if _uses(item, *_OURS) else None
    in_test = error is None or item.config.getoption("fulltrace", False) or _ends_in_test(error)
    report = yield
    if not in_test:
        report.longrepr = f"error: {error}"
    if report.failed and _uses(item, "lab_up") and (text := _measured(item, call.when)):
        _add(report, text)
    return report


def _error_of_the_lab(call: pytest.CallInfo[None]) -> LabError | None:
    from lab.core.errors import LabError, LibraryMissing

    if call.excinfo is None:
        return None
    error = call.excinfo.value
    return error if isinstance(error, LabError) else LibraryMissing.told(error)


def _ends_in_test(error: LabError) -> bool:
    """Cut the lab's lines off an error's traceback. False if no line of a test is in it."""
    last, each = None, error.__traceback__
    while each is not None:
        if str(each.tb_frame.f_globals.get("__name__")).partition(".")[0] not in _BETWEEN:
            last = each
        each = each.tb_next
    if last is None:
        return False
    last.tb_next = error.__cause__ = None
    error.__suppress_context__ = True
    return True


def _measured(item: pytest.Item, when: str) -> str:
    """What the runs that a test is about have shown. Not where a debugger keeps the lab as it is.

    Those are the records that its fixtures gave it, or else the run that began with it.
    """
    shared = item.config.stash.get(_SHARED, None)
    if shared is None or when == "teardown" or item.config.getoption("usepdb", False):
        return ""
    from lab.drills.sharedlab import Record, SharedHands

    values = getattr(item, "funcargs", {}).values()
    runs = [each for each in values if isinstance(each, Record | SharedHands)]
    own = [each for each in shared.runs[-1:] if each.again[-1] == item.nodeid]
    at_work = any(isinstance(each, SharedHands) and each.at_work for each in runs or own)
    with _aloud(item.config) if at_work else nullcontext():
        return "\n\n".join(filter(None, (each.told() for each in runs or own)))


def _add(report: pytest.TestReport, text: str) -> None:
    """Show it below the traceback, whatever is captured, and in JUnit files."""
    if add := getattr(report.longrepr, "addsection", None):
        add(_SECTION, text)
    else:
        report.longrepr = f"{report.longrepr}\n\n{text}"
