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
from types import SimpleNamespace
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import yaml
from several import a_run

from lab import cli
from lab.core.verdict import Verdict
from lab.drills import execution
from lab.drills.execution import Plan, Played
from lab.testbed import lifecycle

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
        return self.bash(run["run"], {**variables, "GITHUB_ACTION_PATH": "lab/.ci/action"},
                          GITHUB_ACTIONS="true", RUNNER_TEMP=str(self._temporary))  # fmt: skip

    def gitlab(self, **variables: str) -> Ended:
        """Run the job as GitLab's runner does."""
        [job] = read(ACTION / "gitlab.yml").values()
        mine = {**job["variables"], **variables, "RUNNER_TEMP": str(self._temporary)}
        return self.bash("\n".join(job["script"]), mine)

    def bash(self, script: str, variables: Mapping[str, str], **more: str) -> Ended:
        """A step of a job, in the repository's folder."""
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


# ── the live job ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def live(repository: Repository) -> Repository:
    """The example with a lab whose program notes how it is called, and a `make` that does nothing.

    `lab images load` ends with the code in LOAD.
    """
    (repository.folder / "lab").unlink()
    tools = repository.folder / "lab" / ".venv" / "bin"
    tools.mkdir(parents=True)
    calls = repository.folder / "calls"
    for name, does in (
        ("make", "exit 0"),
        ("lab", '[ "$2" != load ] || exit "$LOAD"; [ "$2" != save ] || : >"$3"'),
    ):
        file = tools / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\n{does}\n')
        file.chmod(0o755)
    return repository


def job(repository: Repository, **variables: str) -> list[str]:
    """Run the nightly job as it stands in the workflow; the commands that it gave."""
    [found] = read(repository.folder / ".github" / "workflows" / "drill.yml")["jobs"].values()
    [run] = [each["run"] for each in found["steps"] if "run" in each]
    [gitlab] = read(repository.folder / ".gitlab-ci.yml")["drill"]["script"]
    assert run == gitlab
    path = f"{repository.folder}/lab/.venv/bin:{os.environ['PATH']}"
    ended = repository.bash(run, {"PATH": path, "LOAD": "0", **variables})
    assert ended.code == 0, ended.err
    calls = repository.folder / "calls"
    told = calls.read_text().splitlines()
    calls.unlink()
    return told


DRILL = "lab drill drills/east_is_lost.py --targets slo.yaml --retry-unknown 2 --junit drill.xml"
READY = "make --silent -C lab .venv/.ready"
IMAGES = ".cache/images.tar"


def test_the_live_job_keeps_the_images_and_loads_them_the_next_time(live: Repository) -> None:
    assert job(live) == [READY, f"lab images save {IMAGES}", DRILL]
    assert job(live) == [READY, f"lab images load {IMAGES}", DRILL]


def test_the_live_job_makes_images_anew_that_are_of_other_sources(live: Repository) -> None:
    job(live)
    told = job(live, LOAD="2")
    assert told[1:3] == [f"lab images load {IMAGES}", f"lab images save {IMAGES}"]
    assert told[-1] == DRILL


def test_the_live_job_compares_with_a_baseline_if_there_is_one(live: Repository) -> None:
    (live.folder / "baseline").mkdir()
    live.write("baseline/spread.json", "{}")
    assert job(live)[-1] == f"{DRILL} --baseline baseline/spread.json"


def test_the_live_jobs_command_runs_the_drill_with_the_repositorys_runbook_and_objectives(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the run itself: that is played."""
    played: list[Plan] = []

    def play(plan: Plan, _lab: object, folder: Path, *_: object) -> Played:
        played.append(plan)
        (folder / "journal.json").write_text("{}")
        return Played(a_run(1, verdict=Verdict.PASS), "")

    closed = SimpleNamespace(engine=SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(lifecycle, "up", lambda *_, **__: closed)
    monkeypatch.setattr(execution, "play", play)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(repository.folder)
    monkeypatch.setattr(sys, "argv", DRILL.split())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    [plan] = played
    assert (plan.drill.name, plan.drill.book.name, plan.retries) == (GOOD, GOOD, 2)
    limits = {each.name: each.limit for each in plan.judged.objectives}
    assert limits == {"rto_seconds": 30, "rpo_seconds": 5, "split_brain_writes": 0}
    assert (repository.folder / "drill.xml").is_file()
    assert next((repository.folder / "runs").iterdir()).name.endswith(f"-{GOOD}")


def test_what_the_examples_readme_names_is_there() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    made_by_people = {"baseline/", "lab/"}
    assert len(named) >= 5
    assert [each for each in named if not (EXAMPLE / each).exists()] == [
        each for each in named if each in made_by_people
    ]


def test_the_example_pins_all_that_it_uses() -> None:
    for path in (EXAMPLE / ".github" / "workflows").iterdir():
        steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
        used = [step["uses"] for step in steps if "uses" in step]
        assert used
        for each in used:
            assert each.startswith("./lab/") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)
