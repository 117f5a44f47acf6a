"""What all tests share: which rows run, seconds beside budgets, and a limit for what hangs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import budget
import chooser
import pytest
from hypothesis import HealthCheck, settings

# The reaper's image cannot be pulled everywhere; every fixture removes what it started.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

# How long an example takes says nothing where other work shares the machine.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
pytest_plugins = ["hangs"]
HERE = Path(__file__).parent
TOLD = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the lab's tests")
    group.addoption(
        "--rows", default=chooser.COMMIT, metavar="all|commit|NAME,…",
        help="rows of live tests that run; by commit, an eighth and one that always does",
    )  # fmt: skip
    group.addoption("--budget", action="store_true", help="fail when a file exceeds its budget")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []
    # A shell lets what it starts in the background ignore Ctrl-C, and every child inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _row(item: pytest.Item) -> chooser.Row | None:
    mark = item.get_closest_marker("family")
    if mark is None:
        return None
    callspec = getattr(item, "callspec", None)
    name = mark.kwargs.get("row") or (callspec.id if callspec else item.name)
    always = mark.kwargs.get("always", ())
    return chooser.Row(mark.args[0], name, always is True or name in (always or ()))


def _wanted(config: pytest.Config) -> str:
    """What was asked for; a test that is named on the command line runs whatever its row is."""
    named = config.option.keyword or any("::" in each for each in config.args)
    rows: str = config.option.rows
    return chooser.ALL if named and rows == chooser.COMMIT else rows


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the rows that wait."""
    rows = {item.nodeid: row for item in items if (row := _row(item))}
    try:
        running = chooser.chosen(rows.values(), _wanted(config), chooser.turn_of(HERE))
    except ValueError as problem:
        raise pytest.UsageError(str(problem)) from problem
    waiting = [each for each in items if each.nodeid in rows and rows[each.nodeid] not in running]
    if waiting:
        config.hook.pytest_deselected(items=waiting)
        items[:] = [each for each in items if each not in waiting]
    config.stash[TOLD] = chooser.told(rows.values(), running)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    return config.stash[TOLD]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    file = report.nodeid.partition("::")[0]
    budget.SPENT[file] = budget.SPENT.get(file, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not budget.SPENT:
        return
    terminalreporter.section("seconds per file, beside the budget")
    for line in budget.table(budget.SPENT):
        terminalreporter.line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    strict = session.config.option.budget and session.exitstatus == pytest.ExitCode.OK
    if strict and budget.over(budget.SPENT):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
