"""What the commands say of a damaged folder, held against what they say of the sound one."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from tempfile import mkdtemp
from unittest.mock import patch

from damaged.shelf import OTHER, RUN, SERIES, Case, laid_out
from lab import cli
from lab.commands import terminal
from lab.core.topology import DATABASES
from lab.drills import reconcile
from lab.drills.reconcile import Reconciliation
from lab.metrics.orphans import Orphan, Present, decide
from lab.records.runfolders import runs_dir
from lab.testbed.lab import Lab

COMMANDS = {
    "report": ("report", "RUN"),
    "compare": ("report", "--compare", OTHER, "RUN"),
    "recompute": ("report", "--recompute", "RUN"),
    "reconcile": ("reconcile", "--json", "RUN"),
}
_LONGEST = 1_500
_PYTHON = re.compile(
    r"unexpected:|Traceback|[A-Za-z]Error\b|Errno|zip\(\)|NoneType|<class|<\w+\.\w+|"
    r"has no attribute|"
    r"Input should|pydantic|\('|\bNone\b|\bTrue\b|\bFalse\b|\bb'|\bint\(\)|argument \d|codec|"
    r"\bdict\b|list index|out of range|(Input|IO|Binder|Conversion|Memory|Catalog|Internal) Error"
)
"""How programs speak among themselves."""


@dataclass(frozen=True)
class Told:
    """How a command ended. `page` is the text of the page that it wrote."""

    code: int
    out: str
    err: str
    page: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that no command may do."""

    command: str
    what: str
    told: Told


def looked_at(case: Case) -> tuple[Finding, ...]:
    """Each command on a damaged folder, which is laid out; what is wrong with what they say."""
    return tuple(
        Finding(command, what, told)
        for command in COMMANDS
        for told in [said(command, case.name)]
        if (what := _wrong(command, case, told))
    )


def _wrong(command: str, case: Case, told: Told) -> str:
    """What may not be; nothing if all is well."""
    if found := _PYTHON.search(told.err):
        return f"program's words: {found[0]}"
    allowed = {0, 2, 3, *([1] if command == "recompute" else [])}
    if told.code not in allowed:
        return f"exit code {told.code}"
    if told.code >= 2:
        return _unclear(told)
    if told.code == 1:
        return "" if "difference" in told.out else "no difference is shown"
    if command in {"report", "compare"} and (case.of_record or not case.summed):
        return "no complaint about a part that is missing or damaged"
    if command == "recompute" and case.of_record and case.summed:
        return "no difference is shown"
    # Only what is computed again needs no checksums, and says that they are gone.
    sound = [sound_one(case.base, summed)[command] for summed in (True, False)]
    right = (told.out, told.page) in [(each.out, each.page) for each in sound]
    return "" if right else "another figure, and no complaint"


def _unclear(told: Told) -> str:
    if told.out:
        return "results beside an error"
    if "→" not in told.err:
        return "an error that does not say what to do"
    return "an error as long as a page" if len(told.err) > _LONGEST else ""


@cache
def sound_one(base: str, summed: bool) -> dict[str, Told]:
    """What the commands say of the folder without damage."""
    with laid_out(base, summed=summed) as folder:
        return {command: said(command, folder.name) for command in COMMANDS}


def said(command: str, name: str) -> Told:
    """A command in this process."""
    arguments = [each.replace("RUN", name) if each == "RUN" else each for each in COMMANDS[command]]
    out, err = io.StringIO(), io.StringIO()
    with _alone(arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    where = str(runs_dir())
    texts = (each.getvalue().replace(where, "") for each in (out, err))
    return Told(code, *texts, _page(command) if code == 0 else "")


def _page(command: str) -> str:
    """The page that was written of the damaged run or series."""
    wanted = {"report": ("report.html", "spread.html"), "compare": ("compare.html",)}
    found = (
        runs_dir() / folder / page for folder in (RUN, SERIES) for page in wanted.get(command, ())
    )
    return "".join(page.read_text() for page in found if page.is_file())


@contextmanager
def _alone(arguments: list[str]) -> Iterator[None]:
    """The tests' signals are left alone, no lab is asked, no crash file goes to the user's."""
    terminal.say.cache_clear()
    terminal.out.cache_clear()
    with (
        patch.object(sys, "argv", ["lab", *arguments]),
        patch.dict(os.environ, {"LAB_STATE": _state(), "NO_COLOR": "1"}),
        patch.object(signal, "signal", lambda *_: None),
        patch.object(Lab, "attached", _no_lab),
        patch.object(reconcile, "look", _decided),
    ):
        yield


@cache
def _state() -> str:
    return mkdtemp(prefix="lab-state-")


@contextmanager
def _no_lab(name: str, *, dark: bool = False) -> Iterator[None]:
    yield


def _decided(lab: Lab, run: str, found: tuple[Orphan, ...]) -> Reconciliation:
    """As on a primary that has none of the orders, and all products."""
    products = frozenset(each.order.product_id for each in found)
    return Reconciliation(run, DATABASES[0], decide(found, Present(products=products)))
