"""Which rows of a family of live tests run: always one, and of the others an eighth by commit.

A family is a set of live tests that differ in one row (a fault, a drill, a runbook). A test joins
one with `@pytest.mark.family(NAME, always=(ROW, …))`; its row is the parameter's id or, without
parameters, `row=…`.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

PARTS = 8
ALL, COMMIT = "all", "commit"


@dataclass(frozen=True, order=True)
class Row:
    """One row of a family. `always` says that it runs whatever the commit is."""

    family: str
    name: str
    always: bool = False


def chosen(rows: Iterable[Row], wanted: str, turn: int) -> frozenset[Row]:
    """The rows that run.

    `wanted` is `all`, `commit`, or names with wildcards and commas between them. By commit, row
    after row of a family (in an order made by hashing) has its turn, 0 to 7: any eight turns in a
    row cover all. Raises ValueError when a name fits no row.
    """
    known = set(rows)
    if wanted == ALL:
        return frozenset(known)
    if wanted != COMMIT:
        return _named(known, wanted.split(","))
    waiting = sorted((each for each in known if not each.always), key=_digest)
    found = {each for each in known if each.always}
    for family in {each.family for each in known}:
        of_it = [each for each in waiting if each.family == family]
        start = int(hashlib.sha256(family.encode()).hexdigest(), 16)
        found |= {each for place, each in enumerate(of_it, start) if place % PARTS == turn % PARTS}
    return frozenset(found)


def _named(known: set[Row], patterns: Iterable[str]) -> frozenset[Row]:
    found: set[Row] = set()
    for pattern in patterns:
        fitting = {each for each in known if fnmatchcase(each.name, pattern)}
        if not fitting:
            raise ValueError(f"no row is called {pattern!r}")
        found |= fitting
    return frozenset(found)


def _digest(row: Row) -> str:
    return hashlib.sha256(f"{row.family}/{row.name}".encode()).hexdigest()


def turn_of(folder: Path) -> int:
    """The turn of the commit that is checked out: how many commits lead to it.

    A shallow clone does not know that, so the commit's hash stands in. Without Git it is 0.
    """
    if _git(folder, "rev-parse", "--is-shallow-repository") == "true":
        return int(_git(folder, "rev-parse", "HEAD") or "0", 16)
    return int(_git(folder, "rev-list", "--count", "HEAD") or "0")


def _git(folder: Path, *arguments: str) -> str:
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


def told(rows: Iterable[Row], running: frozenset[Row]) -> list[str]:
    """Lines for the header: for each family which rows run, which wait, and how to run all."""
    known, lines = sorted(set(rows)), []
    for family, group in groupby(known, key=lambda each: each.family):
        members = list(group)
        run = [each.name + "*" * each.always for each in members if each in running]
        wait = [each.name for each in members if each not in running]
        lines.append(f"{family}: {len(run)} of {len(members)} run: {_listed(run)}")
        if wait:
            lines.append(f"  wait: {_listed(wait)}")
    if running < set(known):
        lines.append("* always; all: make test-all, or pytest --rows all; some: --rows NAME,NAME")
    return lines


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
