"""A test that hangs fails, and is named: no phase of a test may take longer than its folder's.

A signal ends what waits in Python: sleeps, locks, sockets, subprocesses. It comes again and again,
because what a test left open may wait too. What is deaf to signals ends with pytest's own
`faulthandler_timeout`, and the whole process with it.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Generator, Mapping
from signal import ITIMER_REAL, SIGALRM, setitimer, signal
from types import FrameType

import pytest

PATIENCE: Mapping[str, float] = {"tests/unit": 600, "tests/docker": 900, "tests/drill": 900}
"""Seconds by folder, many times what a test takes on a busy machine."""
AGAIN = 5.0
ENDING = 60
HUNG = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("the lab's tests").addoption(
        "--patience", type=float, metavar="SECONDS",
        help="a phase of a test fails after so long, whatever its folder is",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.stash[HUNG] = set()


def _limit(item: pytest.Item) -> float:
    folder = item.nodeid.partition("::")[0].rpartition("/")[0]
    given: float | None = item.config.getoption("--patience")
    return given or PATIENCE.get(folder, max(PATIENCE.values()))


def _limited(item: pytest.Item) -> Generator[None, object, object]:
    limit = _limit(item)

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        item.config.stash[HUNG].add(item.nodeid)
        pytest.fail(f"{item.nodeid} hangs: it has not ended after {limit:g} s")

    before = signal(SIGALRM, give_up)
    setitimer(ITIMER_REAL, limit, min(limit, AGAIN))
    try:
        return (yield)
    finally:
        setitimer(ITIMER_REAL, 0)
        signal(SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Python waits for threads when it ends, and one of them may be what hung."""
    if config.stash.get(HUNG, None):
        faulthandler.dump_traceback_later(ENDING, exit=True)
