"""Imports run one way: pure ← adapters ← acts ← cli; chaos stands on lab, apps on nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PURE = """
    access advice aftermath assemble axis bands bars blocks charts checksuites checkup
    classify columnar columns compare compute contradictions
    curves documents dotplot effects entries errors events facts
    figures grid history inputs junit lanes ledger libraries lineage lines liverun load lsn marks
    matrixpage measure model movement objectives observe orders orphans pages patterns picture
    predict prints quantity readings recompute record recordgaps recovery report result routes rows
    runbook runbookcalls runbookfile runbookschema runfiles scenarios sheets shortfall spread stale
    steadiness stepboxes stepgraph steppicture
    stopwatch store story strain strangers sums svg takeover topology traffic typeset verdict
    waldump walopinion wanted words yamlnode
"""
ADAPTERS = """
    apt build certificates clients compose composeplugin console containers databases dockerd doors
    engine estate exits finalread gauge golang guest images interrupts kept lateness links lock
    machine mirror names outofband outputs pace packages paths postgres probe profile program
    progress runs salvage server sessions settings shelf succession turns wait
"""
ACTS = """
    booting cluster doctor drill evaluate faults fences gates homecoming inforce journal lifecycle
    live matrix moves nodes panels reconcile rehearsal runbooktext runner sampler scenes series
    service show situations soak status steps tables views wayback
"""
TOP = "cli commands __main__"
LAYERS = (PURE.split(), ADAPTERS.split(), ACTS.split(), TOP.split())
LEVEL = {name: number for number, names in enumerate(LAYERS) for name in names}
OUTSIDE_WORLD = {"docker", "psycopg", "requests", "subprocess", "socket", "toxiproxy", "typer"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, `lab.x` for `from lab import x`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "lab":
                yield from (f"lab.{alias.name}" for alias in node.names)
            else:
                yield node.module


def lab_modules() -> list[str]:
    """Modules of lab by their path in it, those of its packages with it in front."""
    paths = [*(ROOT / "lab").glob("*.py"), *(ROOT / "lab").glob("*/*.py")]
    return sorted(str(path.relative_to(ROOT / "lab").with_suffix("")) for path in paths)


def layer(module: str) -> str:
    """What says in LEVEL where a module belongs: packages do so as a whole."""
    return module.partition("/")[0]


@pytest.mark.parametrize("module", [name for name in lab_modules() if name != "__init__"])
def test_a_module_imports_nothing_from_a_higher_layer(module: str) -> None:
    own = layer(module)
    assert own in LEVEL, f"say in this file which layer lab.{own} belongs to"
    for name in imported(ROOT / "lab" / f"{module}.py"):
        if not name.startswith("lab.") or name == "lab.__version__":
            continue
        other = name.split(".")[1]
        assert LEVEL[other] <= LEVEL[own], f"lab.{module} imports lab.{other} from above it"


@pytest.mark.parametrize("module", sorted(PURE.split()))
def test_a_pure_module_touches_nothing_outside(module: str) -> None:
    roots = {name.split(".")[0] for name in imported(ROOT / "lab" / f"{module}.py")}
    assert not roots & OUTSIDE_WORLD


def test_every_module_that_is_placed_in_a_layer_exists() -> None:
    assert set(LEVEL) == {layer(name) for name in lab_modules()} - {"__init__"}


def test_the_lab_never_imports_its_drills() -> None:
    for path in (ROOT / "lab").glob("*.py"):
        assert not any(name.split(".")[0] == "chaos" for name in imported(path)), path


def test_programs_inside_the_lab_import_nothing_from_the_tool() -> None:
    for path in (ROOT / "apps").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"lab", "chaos"}, path
