"""The pytest plugin, in runs of pytest on a lab that is made up: what failing tests show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.core.errors import LabError, UnknownName, UsageError
from lab.core.verdict import Verdict
from lab.drills import sharedlab, withup
from lab.drills.sharedlab import Record, SharedHands
from lab.drills.withup import Coming, by_hand, hands_on
from lab.records.result import Result

ROOT = Path(__file__).parents[2]
SHOWN = ROOT / "docs" / "examples" / "region-loss" / "result.json"
RESULT = Result.model_validate_json(SHOWN.read_text())
PLUGIN = "lab.pytest_plugin"

MADE_UP = f"""
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

from lab.drills import byhand, sharedlab
from lab.records.result import Result

FOUND = Result.model_validate_json(Path({str(SHOWN)!r}).read_text())

class Course:
    def __init__(self, drill, lab, folder, seed, observers):
        journal = SimpleNamespace(acted=None)
        mark = lambda *_, **__: (folder / "journal.json").touch()
        self.context = SimpleNamespace(recorder=SimpleNamespace(journal=journal, mark=mark))
    def begin(self, load):
        self.context.recorder.mark()
        return SimpleNamespace(load=load)
    def bring_home(self, begun, failure):
        return SimpleNamespace(journal=self.context.recorder.journal)
    def completed(self, recorded, unhealed):
        return recorded
    def put_right(self):
        with Path("healed").open("a") as file:
            file.write("healed\\n")
        return ""

@contextmanager
def held(name, say):
    say.note(f"the lab {{name}} comes up")
    yield SimpleNamespace(up=lambda: None, close=lambda: None)

byhand.Course = Course
byhand.do = lambda call, *_, **__: SimpleNamespace(evidence="seen")
byhand.evaluate = lambda *_, **__: FOUND
sharedlab.held = held
sharedlab.turns = SimpleNamespace(exclusive=lambda *_: nullcontext())
"""
"""A conftest.py that puts a stage in the lab's place."""


class Ours:
    """A folder with tests of a user's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, *, made_up: bool = True) -> None:
        (self.folder / "test_ours.py").write_text(text)
        (self.folder / "conftest.py").write_text(MADE_UP if made_up else "")

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider"]
        return subprocess.run(
            [*command, "--strict-markers", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LAB_STATE": str(self.folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    return Ours(tmp_path)


FAILING = """
import pytest

@pytest.fixture(scope="module")
def recorded(lab_up):
    with lab_up("a region is lost") as lab:
        lab.load()
        return lab.record()

def test_of_a_record(recorded):
    assert recorded.rto <= 0.001

def test_that_dies(lab):
    lab.load()
    raise RuntimeError("boom")

def test_with_a_wrong_word(lab):
    lab.inject("regoin-loss")

def test_that_comes_next(lab):
    lab.load()
    assert len(lab.record().lost) == 4
    assert lab.folder.name.endswith("-test-that-comes-next")

def test_without_a_block(lab_up):
    lab_up("a title").load()
"""


def test_a_failing_test_shows_what_was_measured_and_an_error_of_the_lab_ends_in_its_line(
    ours: Ours,
) -> None:
    ours.write(FAILING)
    ran = ours.run("--tb=short")
    said = re.split(r"^_{3,} (\w+) _{3,}$", ran.stdout, flags=re.MULTILINE)
    told = dict(zip(said[1::2], said[2::2], strict=True))
    assert "1 passed" in ran.stdout
    assert [*told] == ["test_of_a_record", "test_that_dies", "test_with_a_wrong_word",
                       "test_without_a_block"]  # fmt: skip
    for name, folder in (("test_of_a_record", "a-region-is-lost"), ("test_that_dies", "dies")):
        shown = told[name].partition("what the lab measured")[2].splitlines()[1:7]
        assert shown[0].startswith("The fault of region-loss was seen to take effect")
        assert shown[3].startswith("4 acknowledged writes were lost")
        assert re.fullmatch(rf"Report: {ours.folder}/runs/.*-{folder}/report\.html", shown[5])
    for name in ("test_with_a_wrong_word", "test_without_a_block"):
        assert re.findall(r"^\S+\.py", told[name], re.MULTILINE) == ["test_ours.py"]
        assert "what the lab measured" not in told[name]
    assert "did you mean region-loss" in told["test_with_a_wrong_word"]
    assert 'write: with lab_up("a title") as lab:' in told["test_without_a_block"]
    assert (ours.folder / "healed").read_text().splitlines() == ["healed"] * 4
    assert "the lab lab comes up" in ran.stderr  # it is shown at once


def test_a_full_traceback_is_there_for_those_who_ask_for_it(ours: Ours) -> None:
    ours.write("def test_wrong(lab):\n    lab.inject('regoin-loss')\n")
    assert "byhand.py" in ours.run("--full-trace").stdout


def test_without_an_engine_a_test_errs_with_the_next_step_and_is_not_skipped(ours: Ours) -> None:
    ours.write("def test_it(lab):\n    pass\n", made_up=False)
    ran = ours.run(LAB_ENGINE="manual", DOCKER_HOST="tcp://127.0.0.1:1")
    assert ran.returncode == 1
    assert "1 error" in ran.stdout
    assert re.search(r"^error: .*\n  → ", ran.stdout, re.MULTILINE), ran.stdout
    assert "lifecycle.py" not in ran.stdout


def test_tests_of_a_lab_are_marked(ours: Ours) -> None:
    ours.write(
        "def test_needs_none(): pass\ndef test_one(lab): pass\ndef test_two(lab_pair): pass\n"
    )
    assert "1 passed, 2 deselected" in ours.run("-m", "not lab").stdout


def test_pytest_alone_loads_nothing_else_of_the_lab(ours: Ours) -> None:
    ours.write(
        "import sys\n"
        "def test_it():\n"
        "    found = sorted(each for each in sys.modules if each.partition('.')[0] == 'lab')\n"
        f"    assert found == ['lab', {PLUGIN!r}]\n"
        "    assert False, 'a test without a lab may fail'\n",
        made_up=False,
    )
    ran = ours.run()
    assert "AssertionError: a test without a lab may fail" in ran.stdout, ran.stdout


def test_a_check_needs_no_lab_and_no_library_of_one(ours: Ours) -> None:
    ours.write(
        "import sys\n"
        "def test_it(lab_check):\n"
        "    found = lab_check('split-brain', 'partition')\n"
        "    assert found.level == 'unsafe' and found.costly\n"
        "    assert found.unsafe[0].startswith('split-brain.yaml:18: unsafe: promote')\n"
        "    assert found.steps == ('detect', 'decide', 'promote', 'repoint', 'verify')\n"
        "    assert not {'docker', 'psycopg', 'duckdb', 'requests'} & set(sys.modules)\n"
        "def test_bad(lab_check):\n"
        "    lab_check('split-brian')\n",
        made_up=False,
    )
    ran = ours.run()
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout
    assert "did you mean split-brain?" in ran.stdout


def test_pip_tells_pytest_of_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}


def test_the_guide_tells_each_fixture_and_each_part_of_a_record() -> None:
    guide = (ROOT / "docs" / "pytest.md").read_text()
    for name in (
        "lab",
        "lab_up",
        "lab_check",
        "lab_pair",
        *(each for each in vars(Record) if each[0] != "_"),
    ):
        assert f"`{name}" in guide or f".{name}" in guide, name


# ── a record, and the lab between two runs ───────────────────────────────────────────────────


def changed(**fields: Any) -> Record:
    return Record(RESULT.model_copy(update=fields), Path("runs/one"))


def test_a_record_has_figures_by_name_and_the_keys_of_lost_orders() -> None:
    record = changed()
    assert len(record.lost) == RESULT.lost == 4
    assert record.rto == RESULT.rto_seconds["max"]
    assert record.figure("rto_seconds.west") == RESULT.rto_seconds["west"]
    assert (record.split_brain_writes, record.doubt) == (0, "")
    assert record.steps[:3] == ("detect", "confirm", "decide")
    assert repr(record) == f"Record(folder={Path('runs/one')!r})"
    with pytest.raises(UnknownName):
        record.figure("rto")


def test_a_figure_that_was_not_measured_is_an_error_and_never_passes() -> None:
    with pytest.raises(LabError, match=r"split_brain_writes was not measured: .*\n.*report\.html"):
        _ = changed(split_brain_writes=None).split_brain_writes


def test_a_run_whose_verdict_is_unknown_has_no_record(tmp_path: Path) -> None:
    first, *rest = RESULT.objectives
    failed = rest[0].model_copy(update={"verdict": Verdict.FAIL})
    doubtful = first.model_copy(update={"verdict": Verdict.UNKNOWN, "detail": "nobody saw it"})
    hands: Any = SharedHands.__new__(SharedHands)
    hands.folder, hands._begun = tmp_path, None
    hands._measured = changed(objectives=(doubtful, failed)).result
    with pytest.raises(LabError, match=r"the verdict is unknown: .*: nobody saw it"):
        hands.record()
    assert "Report: " in hands.told()


class Stage:
    """A lab between runs; `unhealed` is why the next run will not be healed."""

    def __init__(self) -> None:
        self.done = list[str]()
        self.unhealed = ""

    def up(self) -> None:
        self.done.append("up")

    def close(self) -> None:
        self.done.append("closed")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    return Stage()


@contextmanager
def block(stage: Stage) -> Iterator[Any]:
    def kind(*_: object) -> SimpleNamespace:
        return SimpleNamespace(end=lambda: stage.unhealed)

    given: Any = (kind, by_hand("a title", "test", Path("x.py"), "east.db1", "west.db1"), stage)
    with hands_on(*given, 1, SimpleNamespace()) as hands:
        yield hands


def test_a_lab_that_was_healed_is_used_again_as_it_is(stage: Stage) -> None:
    with block(stage):
        pass
    assert stage.done == ["up"]


def test_a_lab_that_could_not_be_healed_is_looked_at_before_it_is_used_again(stage: Stage) -> None:
    stage.unhealed = "east.db1 does not answer"
    with (
        pytest.raises(LabError, match=r"could not be healed: east\.db1 does not answer"),
        block(stage),
    ):
        pass
    assert stage.done == ["up", "closed"]
    with pytest.raises(RuntimeError, match="boom"), block(stage):
        raise RuntimeError("boom")
    assert stage.done == ["up", "closed"] * 2


def test_a_lab_that_does_not_come_up_is_looked_at_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LabError("no clock")

    monkeypatch.setattr(stage, "up", broken)
    with suppress(LabError), block(stage):
        pass
    assert stage.done == ["closed"]


WRONG: list[Callable[[Any], object]] = [
    lambda lab: lab.up("", "east.db1", "west.db1", 1, Path("x.py"), ()),
    lambda lab: lab.up("a title", "east.db9", "west.db1", 1, Path("x.py"), ()),
    lambda lab: lab.up("a title", "east.db1", "east.db1", 1, Path("x.py"), ()),
    lambda lab: lab.up("a title", "east.db1", "west.db1", -1, Path("x.py"), ()),
    lambda lab: lab.up("a title", "east.db1", "west.db1", 1, Path("x.py"), ()).record(),
]


@pytest.mark.parametrize("act", WRONG)
def test_a_wrong_run_is_refused_before_the_lab_is_asked(act: Callable[[Any], object]) -> None:
    nowhere: Any = SimpleNamespace()
    with pytest.raises(UsageError):
        act(sharedlab.SharedLab(nowhere, nowhere))


def test_a_script_is_named_after_its_file() -> None:
    coming = withup.up()
    assert isinstance(coming, Coming)
    assert withup.slug("Test a Zone_is [lost]") == "test-a-zone-is-lost"
