"""The action for GitHub and the job for GitLab, as they stand, on the example of a repository."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".ci" / "action"
EXAMPLE = ROOT / "docs" / "examples" / "repository"
GOOD, BAD = "east-is-lost", "five-steps-as-listed"


class Ended(NamedTuple):
    """How a job ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def marks(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("::")]


class Repository:
    """A copy of the example, with the lab in it and the libraries installed; and its CI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        shutil.copytree(EXAMPLE, self.folder)
        (self.folder / "lab").symlink_to(ROOT)
        self._temporary = folder / "temporary"
        install_nothing(self._temporary / "failover-lab")

    def add(self, shipped: str, name: str) -> None:
        """A runbook that comes with the lab as one of its own."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "chaos" / "runbooks" / f"{shipped}.yaml", path)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def github(self, **inputs: str) -> Ended:
        """Run the action as GitHub's runner does, with inputs instead of the workflow's own."""
        [job] = read(self.folder / ".github" / "workflows" / "runbooks.yml")["jobs"].values()
        [step] = [each for each in job["steps"] if each.get("uses") == "./lab/.ci/action"]
        action = read(ACTION / "action.yml")
        given = {name: each["default"] for name, each in action["inputs"].items()}
        given |= {**step["with"], **inputs}
        assert action["runs"]["using"] == "composite"
        [run] = action["runs"]["steps"]
        variables = {name: filled(text, given) for name, text in run["env"].items()}
        return self._bash(run["run"], {**variables, "GITHUB_ACTION_PATH": "lab/.ci/action"},
                          GITHUB_ACTIONS="true", RUNNER_TEMP=str(self._temporary))  # fmt: skip

    def gitlab(self, **variables: str) -> Ended:
        """Run the job as GitLab's runner does."""
        [job] = read(ACTION / "gitlab.yml").values()
        mine = {**job["variables"], **variables, "RUNNER_TEMP": str(self._temporary)}
        return self._bash("\n".join(job["script"]), mine)

    def _bash(self, script: str, variables: Mapping[str, str], **more: str) -> Ended:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**inherited, "PYTHON": sys.executable, **variables, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(ran.returncode, ran.stdout, ran.stderr)

    def suites(self) -> list[ElementTree.Element]:
        return list(ElementTree.parse(self.folder / "runbooks.xml").getroot())  # noqa: S314


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def filled(text: str, inputs: Mapping[str, str]) -> str:
    """What GitHub makes of `${{ inputs.… }}`."""
    return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: inputs[found[1]], text)


def install_nothing(venv: Path) -> None:
    """A light environment that was made before: this one, under the stamp of the other."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
    assert spec
    assert spec.loader
    environment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(environment)
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (venv / ".ready").write_text(environment.wanted(light=True))


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    yield Repository(tmp_path)


def test_runbooks_that_are_fine_pass_and_mark_nothing(repository: Repository) -> None:
    ended = repository.github()
    assert ended.code == 0, ended.err
    assert ended.marks == []
    assert [each.get("name") for each in repository.suites()] == [
        f"{GOOD}.region-dead",
        f"{GOOD}.partition",
    ]


def test_an_unsafe_runbook_fails_the_job_and_is_marked_on_its_line(repository: Repository) -> None:
    repository.add(BAD, "runbooks/teams/five.yaml")
    ended = repository.github()
    assert ended.code == 1
    unsafe = [mark for mark in ended.marks if mark.startswith("::error ")]
    assert len(unsafe) == 1
    found = re.match(r"::error file=runbooks/teams/five\.yaml,line=(\d+),title=.*::", unsafe[0])
    assert found
    lines = (repository.folder / "runbooks/teams/five.yaml").read_text().splitlines()
    assert lines[int(found[1]) - 1].strip().startswith("- promote")
    assert any(mark.startswith("::warning file=runbooks/teams/five.yaml") for mark in ended.marks)
    assert f"{GOOD} is fine" in ended.out


def test_a_file_that_is_no_runbook_is_marked_and_the_others_are_checked(
    repository: Repository,
) -> None:
    repository.add(BAD, "runbooks/five.yaml")
    repository.write("runbooks/broken.yaml", "name: broken\nsteps: [\n")
    ended = repository.github()
    assert ended.code == 2
    assert ended.marks[0].startswith("::error file=runbooks/broken.yaml,line=")
    assert f"{BAD} is unsafe" in ended.out
    suites = {each.get("name"): each for each in repository.suites()}
    assert suites["runbooks/broken.yaml"].get("errors") == "1"
    assert suites[f"{BAD}.partition"].get("failures") == "1"


def test_any_extension_and_several_patterns_are_checked(repository: Repository) -> None:
    repository.add(BAD, "runbooks/five.runbook")
    repository.add("zone-failover", "runbooks/the zone.yml")
    ended = repository.github(runbooks="runbooks/*.runbook\nrunbooks/the zone.yml\n")
    assert ended.code == 1
    assert f"{BAD} is unsafe" in ended.out
    assert "zone-failover is fine" in ended.out
    assert GOOD not in ended.out


def test_only_the_situations_that_are_given_are_checked(repository: Repository) -> None:
    repository.add(BAD, "runbooks/five.yaml")
    assert repository.github(scenarios="region-dead\n").code == 0
    assert {each.get("name") for each in repository.suites()} == {
        f"{GOOD}.region-dead",
        f"{BAD}.region-dead",
    }


def test_a_pattern_that_no_file_fits_is_refused(repository: Repository) -> None:
    ended = repository.github(runbooks="runbok/*.yaml")
    assert ended.code == 2
    assert "no file fits 'runbok/*.yaml'" in ended.err
    assert ended.out == ""


def test_gitlab_reads_what_was_found_as_code_quality(repository: Repository) -> None:
    assert repository.gitlab().code == 0
    assert json.loads((repository.folder / "code-quality.json").read_text()) == []
    repository.add(BAD, "runbooks/five.yml")
    repository.write("runbooks/broken.yaml", "steps: 1\n")
    ended = repository.gitlab()
    assert ended.code == 2
    assert ended.marks == []
    found = json.loads((repository.folder / "code-quality.json").read_text())
    assert [each["location"]["path"] for each in found if each["severity"] == "blocker"] == [
        "runbooks/broken.yaml"
    ]
    [unsafe] = [each for each in found if each["severity"] == "critical"]
    assert unsafe["check_name"] == "promote"
    assert len({each["fingerprint"] for each in found}) == len(found)


def test_gitlabs_reports_are_the_files_that_the_job_writes() -> None:
    [job] = read(ACTION / "gitlab.yml").values()
    reports = job["artifacts"]["reports"]
    written = job["variables"]
    assert reports["junit"] == written["LAB_JUNIT"]
    assert reports["codequality"] == written["LAB_CODE_QUALITY"]


def test_every_input_of_the_action_reaches_the_script() -> None:
    action = read(ACTION / "action.yml")
    [run] = action["runs"]["steps"]
    passed = re.findall(r"inputs\.(\w+)", " ".join(run["env"].values()))
    assert set(passed) == set(action["inputs"])
    script = (ACTION / "check").read_text()
    assert [name for name in run["env"] if name not in script] == []


def test_the_example_pins_all_that_it_uses() -> None:
    for path in (EXAMPLE / ".github" / "workflows").iterdir():
        steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
        used = [step["uses"] for step in steps if "uses" in step]
        assert used
        for each in used:
            assert each.startswith("./lab/") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)
