"""Mutation testing: one small change to a module at a time (mutations.py), and does a test notice?

Every change is tried in a process of its own, forked from one that has imported the module's tests
(those that import it), by those that run the changed line, the fastest first. A change that no test
notices survives. Some change nothing that can be seen, or nothing worth a test: those are listed in
mutants.accepted, each with its reason.

Changes that survived, of how many; accepted ones are counted. `first` is by the module's own tests
before any was written for a survivor; `now` is by the tests named below it or by its own, where a
run has counted again. Of modules without `first`, and of stopwatch and predict, the code was read
for survivors before the first run. A module without `now` has tests that no run has counted.

    module       of  first  now    module      of  first  now    module       of  first  now
    measure     160     7    1     verdict     45     2    1     walopinion  147     4    0
    recovery    116    23    3     waldump     50     8    4
    figures     106    35    4     compare    203    23    9     scenarios    48     2    2
    movement     77     7    1     spread      43    13    2     recordgaps   37     0    0
    stale        15     2    2     topology   173     9    1     steering/decide 213 108   2
    load         22           0    quantity    79           2    advice       25           0
    lines        53           6    stopwatch  167    12    7     predict     104    14    3
    checkup     101           1    classify    88           2    marks        67           1
    prints       58           0    strangers    7           1    runbookcalls 113          0
    runbook      53           1    runbookschema 47         0    runbookfile 136          1
    contradictions 137        6    runbooktext 142        1    0    succession 165       29    6
    shortfall   114    14    0    lineage     33     6    0    wayback     10    10    0
    situations/plan 14  1    0    history     221   19    5    patterns    110   16    0
    blocks      251   44   41    columnar     98   32   21

By test_pace, test_clients and test_record_gaps (load), test_machine and test_doctor (advice),
test_lines and test_history (lines), test_topology and test_compose_files (topology);
first by test_stopwatch (stopwatch), test_predict_orders and seven of test_checkup (predict).
Without property tests: steering/decide, figures, recovery, movement, measure, compare, classify,
checkup, marks, runbookcalls, runbookfile, runbookschema, spread (and those of damaged series),
predict (test_predict_orders, test_checkup), prints and strangers (test_strangers, test_ledger),
runbook (test_runbook_files, test_checkup), stale (test_movement_and_steadiness). Of strangers one
of seven makes no difference: 14 %; both of stale are accepted: 13 %; so are all
six of succession, all five of history, all 41 of blocks (16 %: most are speed) and all 21 of
columnar (21 %: speed and memory). History without property tests but its own; patterns by
test_patterns and two of test_ledger, blocks by those two, test_blocks and test_lines, columnar by
test_columnar and what is fast of test_ledger; their `first` is after some of these were written.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mutanttries import ROOT, Seen, Survivors, forked, module_name, tries, watched
from tool import tell

ACCEPTED = Path(__file__).with_name("mutants.accepted")
ASIDE = ("browser", "command_line", "hangs", "chooser", "intrude", "turns", "lock", "layering")
"""Ends of names of test files that start programs: what those run is not seen."""

LIBRARIES = "numpy duckdb pydantic rich typer yaml jinja2 requests docker psycopg dns httptools"
SHARE = 5  # per cent of changes that may survive


def tried(*arguments: str) -> bool:
    """Modules (`measure`, `apps/steering/decide.py`) and, if not all, the tests to try them by."""
    tests = [each for each in arguments if Path(each).name.startswith("test_")]
    files = [_file(each) for each in arguments if each not in tests]
    if not files:
        raise SystemExit("which modules? For example: mutants measure recovery")
    os.nice(19)  # it takes what time others leave
    os.chdir(ROOT)
    for each in LIBRARIES.split():
        importlib.import_module(each)
    chosen = tests or _own_tests({module_name(each) for each in files})
    seen: Seen = forked(lambda: watched(chosen, files))
    if seen.failed:
        raise SystemExit(f"these fail with nothing changed: {' '.join(seen.failed)}")
    survivors = forked(lambda: tries(chosen, files, seen))
    return _tell(files, survivors)


def _file(name: str) -> str:
    return name if name.endswith(".py") else f"lab/{name}.py"


def _own_tests(names: set[str]) -> list[str]:
    """Test files that import one of some modules, themselves or by a helper beside them."""
    folder = ROOT / "tests/unit"
    imports = {each.stem: _imported(each) for each in folder.glob("*.py")}
    helping = {name for name, found in imports.items() if found & names}
    return [
        f"tests/unit/{name}.py" for name, found in sorted(imports.items())
        if name.startswith("test_") and not name.endswith(ASIDE) and found & (names | helping)
    ]  # fmt: skip


def _imported(file: Path) -> set[str]:
    nodes = [*ast.walk(ast.parse(file.read_text()))]
    found = {alias.name for each in nodes if isinstance(each, ast.Import) for alias in each.names}
    for each in nodes:
        if isinstance(each, ast.ImportFrom) and each.module:
            found |= {each.module, *(f"{each.module}.{alias.name}" for alias in each.names)}
    return found


def _tell(files: Sequence[str], survivors: Survivors) -> bool:
    accepted = {line.partition("  # ")[0] for line in ACCEPTED.read_text().splitlines()}
    total = left = known = 0
    for file in files:
        number, alive = survivors[file]
        unknown = [(line, told) for line, told in alive if f"{file} {told}" not in accepted]
        for line, told in unknown:
            sys.stdout.write(f"{file}:{line} {told}\n")
        total, left, known = total + number, left + len(alive), known + len(alive) - len(unknown)
        tell(module=file, mutants=number, surviving=len(alive), accepted=len(alive) - len(unknown))
    share = 100 * left / total
    tell(mutants=total, surviving=left, accepted=known, surviving_percent=round(share, 1))
    return share < SHARE
