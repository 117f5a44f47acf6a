"""A module imports from its own package and from lower floors; chaos stands on lab."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.steps.catalogue import vocabulary

ROOT = Path(__file__).parent.parent.parent

FLOORS = (
    ("core",),
    ("records", "host"),
    ("metrics", "runbooks", "infra", "patience"),
    ("charts", "postgres"),
    ("testbed",),
    ("report", "faults"),
    ("steps", "status"),
    ("drills",),
    ("api", "commands", "cli", "__main__", "pytest_plugin"),
)
"""Packages of lab, the lowest floor first. Packages of one floor know nothing of each other."""
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
PURE = ("core/topology", "core/addresses", "core/lineage", "core/lsn", "core/quantity",
        "core/verdict", "core/words", "core/errors", "records", "metrics", "runbooks", "patience",
        "charts", "report")  # fmt: skip
OUTSIDE_WORLD = {"docker", "psycopg", "requests", "subprocess", "socket", "toxiproxy", "typer"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, `lab.x.y` for `from lab.x import y`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lab_modules() -> list[str]:
    """Modules of lab by their path in it."""
    paths = (ROOT / "lab").rglob("*.py")
    return sorted(str(path.relative_to(ROOT / "lab").with_suffix("")) for path in paths)


@pytest.mark.parametrize("module", [name for name in lab_modules() if name != "__init__"])
def test_a_module_imports_from_its_own_package_and_from_lower_floors(module: str) -> None:
    own = module.partition("/")[0]
    assert own in FLOOR, f"say in this file on which floor lab.{own} is"
    for name in imported(ROOT / "lab" / f"{module}.py"):
        if not name.startswith("lab.") or name == "lab.__version__":
            continue
        other = name.split(".")[1]
        lower = other == own or FLOOR[other] < FLOOR[own]
        assert lower or own in FLOORS[-1], f"lab/{module}.py imports {name}, which is not below it"


@pytest.mark.parametrize("module", [name for name in lab_modules() if name.startswith(PURE)])
def test_a_pure_module_touches_nothing_outside(module: str) -> None:
    roots = {name.split(".")[0] for name in imported(ROOT / "lab" / f"{module}.py")}
    assert not roots & OUTSIDE_WORLD


def test_every_package_on_a_floor_exists() -> None:
    assert set(FLOOR) == {name.partition("/")[0] for name in lab_modules()} - {"__init__"}


def test_every_package_is_installed() -> None:
    listed = re.search(r"^packages = \[([^]]*)\]", (ROOT / "pyproject.toml").read_text(), re.M)
    assert listed is not None
    folders = (each.parent.relative_to(ROOT) for each in ROOT.glob("lab/**/__init__.py"))
    found = {"chaos"} | {".".join(each.parts) for each in folders}
    assert set(re.findall(r'"([\w.]+)"', listed[1])) == found


def test_what_the_architecture_tells_to_open_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("| To change") :].partition("\n\n")[0]
    paths = [re.findall(r"`([^`]+)`", row.split("|")[2]) for row in table.splitlines()[2:]]
    assert len(paths) >= 25
    assert all(paths)
    missing = [each for row in paths for each in row if not _is_there(each, row[0])]
    assert missing == []


def test_the_architecture_names_the_file_of_every_step() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for row in vocabulary():
        module = row.act.__module__.replace(".", "/") + ".py"
        said = [line for line in text.splitlines() if f"`{row.name}`" in line.split(" | ")[0]]
        assert [line for line in said if f"| `{module}`" in line], row.name


def _is_there(path: str, first: str) -> bool:
    """From the top, or in the folder that its row names first."""
    return (ROOT / path).exists() or (ROOT / first / path).exists()


@pytest.mark.parametrize("folder", ["lab", "apps"])
def test_no_module_has_more_than_300_lines(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert long == {}


def test_the_lab_never_imports_its_drills() -> None:
    for path in (ROOT / "lab").rglob("*.py"):
        assert not any(name.split(".")[0] == "chaos" for name in imported(path)), path


def test_programs_inside_the_lab_import_nothing_from_the_tool() -> None:
    for path in (ROOT / "apps").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"lab", "chaos"}, path


def test_the_tool_takes_nothing_of_its_programs_but_how_steering_decides() -> None:
    found = {
        (str(path.relative_to(ROOT / "lab").parent), ".".join(name.split(".")[:3]))
        for path in (ROOT / "lab").rglob("*.py")
        for name in imported(path)
        if name.split(".")[0] == "apps"
    }
    pure = ("checks", "decide", "policies", "route")
    assert {module for _, module in found} == {f"apps.steering.{each}" for each in pure}
    assert {package for package, _ in found} == {"patience", "commands/route"}
