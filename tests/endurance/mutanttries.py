"""Runs tests with and without a change to a module, in forks of one process."""

from __future__ import annotations

import ast
import contextlib
import gc
import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings
from mutations import Mutant, changed, mutants
from planting import Functions, Pair, body_lines, functions_below, plant

ROOT = Path(__file__).parent.parent.parent
AT_ONCE = int(os.environ.get("MUTANTS_AT_ONCE", os.cpu_count() or 1))
ENOUGH = 20.0  # seconds of a processor for the tests of one change
DEADLINE = 300.0  # seconds for one change, without those that it waited for a processor
Survivors = dict[str, tuple[int, list[tuple[int, str]]]]
"""By file: how many changes there are, and of those that survive line and text."""


@dataclass
class Seen:
    """What the tests did before anything was changed."""

    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    at_import: dict[str, set[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of a processor
    failed: list[str] = field(default_factory=list)


def module_name(file: str) -> str:
    """`lab.core.lsn` for `lab/core/lsn.py`; programs are imported from their folder."""
    return file.removeprefix("apps/").removesuffix(".py").replace("/", ".")


def forked(work: Callable[[], Any]) -> Any:
    """What a function returns in a process of its own."""
    with tempfile.NamedTemporaryFile() as answer:
        process = os.fork()
        if not process:
            try:
                _silenced()
                _forget()
                Path(answer.name).write_bytes(pickle.dumps(work()))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(process, 0)
        if status:
            raise SystemExit(f"a process ended with {status}")
        return pickle.loads(Path(answer.name).read_bytes())  # noqa: S301 - our own


def _forget() -> None:
    """Import the project anew, which this program and the tests have imported."""
    folders = ("lab", "apps", "chaos", "tests/unit", "tests/corpus")
    ours = tuple(f"{ROOT}/{each}/" for each in folders)
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(ours):
            del sys.modules[name]


def _silenced() -> None:
    log = os.environ.get("MUTANTS_LOG", os.devnull)
    nothing = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for each in (0, 1, 2):
        os.dup2(nothing, each)


# ── tests with nothing changed ───────────────────────────────────────────────────────────────


class _Plugin:
    """Runs tests its own way; property tests try the same examples each time, and do not shrink."""

    def pytest_configure(self) -> None:
        settings.register_profile(
            "mutants", settings.get_profile("busy"), database=None, derandomize=True,
            phases=(Phase.explicit, Phase.generate),
        )  # fmt: skip
        settings.load_profile("mutants")


def _pytest(arguments: Sequence[str], plugin: object) -> int:
    sys.path[:0] = [str(ROOT)]
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist",
               "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    return int(pytest.main([*options, *arguments], plugins=[plugin]))


class _Watch(_Plugin):
    """Notes which test runs which line, and what is run by importing."""

    def __init__(self, files: Sequence[str]) -> None:
        self.paths = {str(ROOT / each): each for each in files}
        self.seen = Seen(
            {each: defaultdict(set) for each in files}, {each: set() for each in files}
        )  # fmt: skip
        self.now = ""

    def trace(self, frame: FrameType, event: str, _value: object) -> Any:
        file = self.paths.get(frame.f_code.co_filename)
        if file is None:
            return None
        if not self.now:
            self.seen.at_import[file].add(frame.f_lineno)
        else:
            self.seen.lines[file][frame.f_lineno].add(self.now)
        return self.trace

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.seen.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.now, begun = item.nodeid, time.process_time()
        sys.settrace(self.trace)
        result = yield
        self.seen.seconds[item.nodeid] = time.process_time() - begun
        return result


def watched(chosen: Sequence[str], files: Sequence[str]) -> Seen:
    watch = _Watch(files)
    threading.settrace(watch.trace)
    sys.settrace(watch.trace)
    _pytest(chosen, watch)
    sys.settrace(None)
    return watch.seen


# ── one change at a time ─────────────────────────────────────────────────────────────────────


@dataclass
class _Run:
    file: str
    mutant: Mutant
    deadline: float


class _Tries(_Plugin):
    """In the place of pytest's loop: a fork for each change, and the tests that run its line."""

    def __init__(self, files: Sequence[str], seen: Seen) -> None:
        self.files, self.seen = files, seen
        self.running: dict[int, _Run] = {}
        self.found: Survivors = {}
        self.items: dict[str, pytest.Item] = {}
        self.functions: Functions = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self.functions = functions_below(f"{ROOT}/")
        gc.freeze()
        for file in self.files:
            source = (ROOT / file).read_text()
            tree, path = ast.parse(source), str(ROOT / file)
            whole = compile(source, path, "exec", dont_inherit=True)
            every = list(mutants(tree))
            self.found[file] = (len(every), [])
            for mutant in every:
                self.try_out(file, tree, mutant, changed(whole, mutant.compiled(tree, path)))
        while self.running:
            self.collect()
        return True

    def try_out(self, file: str, tree: ast.Module, mutant: Mutant, pair: Pair | None) -> None:
        """Start the tests of a change, when there is room for it."""
        targets = self.functions.get(pair[0], []) if pair else []
        early = not targets or bool(self.seen.at_import[file] & body_lines(pair[0]))  # type: ignore[index]
        tests = self.tests_of(file, mutant.line, early=early)
        if not tests:
            self.found[file][1].append((mutant.line, mutant.told))
            return
        while len(self.running) >= AT_ONCE:
            self.collect()
        process = os.fork()
        if process:
            self.running[process] = _Run(file, mutant, time.monotonic() + DEADLINE)
            return
        _limit(sum(self.seen.seconds[each] for each in tests))
        mutant.put(mutant.becomes)
        module = sys.modules[module_name(file)]
        try:
            plant(module, tree, mutant.line, pair, self.functions, early=early)
        except Exception:  # it cannot be imported
            os._exit(1)
        chosen = [self.items[each] for each in tests]
        for item, after in zip(chosen, [*chosen[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        os._exit(0)

    def tests_of(self, file: str, line: int, *, early: bool) -> list[str]:
        """Tests that run a line, or all if importing the module does; its own first."""
        lines, seconds = self.seen.lines[file], self.seen.seconds
        wanted = set(seconds) if early else lines.get(line, set())
        name = Path(file).stem
        spent, chosen = 0.0, []
        for each in sorted(wanted, key=lambda each: (f"_{name}" not in each, seconds[each])):
            spent += seconds[each]
            if spent > (ENOUGH / 2 if early else ENOUGH) and chosen:
                break
            chosen.append(each)
        return chosen

    def collect(self) -> None:
        """Wait for one that has ended, or is over its time."""
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            for each, run in self.running.items():
                late = time.monotonic() - run.deadline
                if late > 0 and late > _waited(each):
                    os.kill(each, signal.SIGKILL)
            select.select([], [], [], 0.01)
            return
        run = self.running.pop(process)
        if status == 0:
            self.found[run.file][1].append((run.mutant.line, run.mutant.told))


def tries(chosen: Sequence[str], files: Sequence[str], seen: Seen) -> Survivors:
    """Try out every change of some files by some tests."""
    trying = _Tries(files, seen)
    _pytest(chosen, trying)
    return trying.found


def _waited(process: int) -> float:
    """Seconds that a process was ready and got no processor: other work is no hang."""
    waited = 0
    for each in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has ended
            waited += int(each.read_text().split()[1])
    return waited / 1e9


def _limit(seconds: float) -> None:
    """The kernel ends what needs far more of a processor than the tests did."""
    most = int(5 + 5 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
