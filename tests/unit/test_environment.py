"""The first `make`: it says what it does, and goes on saying so while that lasts."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`.ci/environment.py`, which installs nothing, slowly."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)

    def slowly(*_: object, **__: object) -> bool:
        time.sleep(0.3)
        return True

    for name in ("by_uv", "by_pip", "compile_what_runs"):
        monkeypatch.setattr(found, name, slowly)
    monkeypatch.setattr(found.venv, "create", slowly)
    monkeypatch.setattr(found, "usable", lambda _python, _light: False)
    monkeypatch.setattr(found, "BEAT_SECONDS", 0.1)
    return found


def test_each_stage_is_said_and_then_that_it_goes_on(
    environment: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert environment.main(tmp_path) == 0
    lines = capfd.readouterr().err.splitlines()
    stages = [number for number, each in enumerate(lines) if "…" not in each]
    told = [lines[number].split(" (")[0] for number in stages]
    assert [each.split()[0] for each in told] == ["making", "installing", "installing", "virtual"]
    assert told[2:] == ["  installing the lab itself", "  virtual environment ready"]
    assert all(after - before > 1 for before, after in pairwise(stages))
    assert all(re.fullmatch(r"  … \d+ s", each) for each in lines if "…" in each)


def test_how_many_libraries_are_installed_is_told(
    environment: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment.main(tmp_path)
    lock = (ROOT / "requirements.lock").read_text()
    pinned = [each for each in lock.splitlines() if each[:1].isalpha() and "==" in each]
    assert f"installing the {len(pinned)} libraries" in capfd.readouterr().err


def test_a_light_environment_gets_some_of_the_libraries_and_not_the_lab(
    environment: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert environment.main(tmp_path, light=True) == 0
    lines = capfd.readouterr().err.splitlines()
    told = [each.split()[0] for each in lines if "…" not in each]
    assert told == ["making", "installing", "virtual"]
    assert re.search(r"installing \d\d of the \d\d libraries", "\n".join(lines))
    assert (tmp_path / ".ready").read_text() == environment.wanted(light=True)


def test_an_environment_of_the_other_kind_is_made_anew(environment: Any, tmp_path: Path) -> None:
    for light in (True, False, True):
        (tmp_path / ".ready").write_text(environment.wanted(light=not light))
        assert environment.main(tmp_path, light) == 0
        assert (tmp_path / ".ready").read_text() == environment.wanted(light)


def test_a_light_environment_has_all_that_its_libraries_need(environment: Any) -> None:
    """The lock file names who needs what; the installed packages say the same."""
    part = environment.part_of(environment.INPUTS[0].read_text(), environment.light_roots())
    names = set(environment.BLOCK.findall(part))
    needed = set(environment.light_roots())
    for name in [*needed]:
        needed |= needs(name)
    assert needed <= names
    assert {"typer", "rich", "pyyaml", "markupsafe"} <= names
    assert not names & {"docker", "duckdb", "numpy", "psycopg-binary", "cryptography"}
    assert part.count("--hash=sha256:") >= len(names)


def needs(name: str) -> set[str]:
    """The installed packages that one needs, and that these need."""
    asked = map(Requirement, importlib.metadata.requires(name) or ())
    direct = {each.name.lower() for each in asked if not each.marker or each.marker.evaluate()}
    return direct.union(*map(needs, direct))


def test_what_fails_ends_with_1_and_beats_no_more(
    environment: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("by_uv", "by_pip"):
        monkeypatch.setattr(environment, name, lambda *_: False)
    assert environment.main(tmp_path) == 1
    told = capfd.readouterr().err
    assert "that failed" in told
    time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_making_the_environment_runs_no_drill(tmp_path: Path) -> None:
    """Three files in chaos/ are scripts that start a lab."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    loaded = tmp_path / "loaded"
    python = tmp_path / "python"
    asked = f"import pathlib, sys; pathlib.Path({str(loaded)!r}).write_text(' '.join(sys.modules))"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$1" "$2{asked}"\n')
    python.chmod(0o755)
    found.compile_what_runs(python)
    modules = loaded.read_text().split()
    assert "lab.drills.drill" in modules
    assert [each for each in modules if each.startswith("chaos")] == []
