"""A drill in a file of a user's own: found, read, and each mistake in it named by its line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab import api
from lab.core.errors import BadDrill
from lab.drills import finding
from lab.drills.byhand import Hands
from lab.drills.script import load

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "chaos" / "region_loss.py"
GUIDE = (ROOT / "docs" / "drills.md").read_text()
DRILLS = sorted(p for p in (ROOT / "chaos").glob("*.py") if "DRILL =" in p.read_text())
SCRIPTS = sorted(p for p in (ROOT / "chaos").glob("*.py") if "with up(" in p.read_text())


def own(folder: Path, *changes: tuple[str, str]) -> Path:
    """The shipped drill, copied into a folder and changed."""
    text = SHIPPED.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "my_drill.py"
    path.write_text(text)
    return path


def test_a_copy_in_any_folder_is_a_drill_with_the_runbook_beside_it(tmp_path: Path) -> None:
    book = (ROOT / "chaos" / "runbooks" / "region-failover.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(book.replace("name: region-failover", "name: mine"))
    path = own(tmp_path, ('"region-loss",\n    title', '"my-loss",\n    title'),
               ('runbook="region-failover"', 'runbook="mine.yaml"'))  # fmt: skip
    drill = finding.drill(str(path))
    assert (drill.name, drill.named, drill.book.name) == ("my-loss", str(path), "mine")


def test_the_example_of_the_guide_is_a_drill(tmp_path: Path) -> None:
    (tmp_path / "my-runbook.yaml").write_text(
        (ROOT / "chaos" / "runbooks" / "region-failover.yaml").read_text()
    )
    path = tmp_path / "example.py"
    example = re.search(r"```python\n(from lab\.api import Drill.*?)```", GUIDE, re.DOTALL)
    assert example
    path.write_text(example[1])
    assert load(path).read().calls


MISTAKES = (
    ('fault("region-loss")', 'fault("regoin-loss")', 'fault("regoin', "region-loss"),
    ('title="Los', 'titel="Los', "titel=", "title"),
    ("import Drill", "import Dril", "from lab.api", "Drill"),
    ("= Drill(", "= Dril(", "= Dril(", "Drill"),
    ('"rto_seconds"', '"rto_second"', '"rto_second"', "rto_seconds"),
    ('(fault("region-loss"),)', '(step("wiat"),)', '"wiat"', "NameError is told"),
    (
        '(fault("region-loss"),)',
        'fault("region-loss")',
        "faults=",
        'faults=(fault("region-loss"),)',
    ),
    ('name="region-loss"', 'name="Region Loss"', "name=", "small letters"),
    ("DRILL = Drill(", "DRILL = Drill((", "DRILL", "docs/drills.md"),
)


@pytest.mark.parametrize(("old", "new", "where", "hint"), MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_to_do(
    tmp_path: Path, old: str, new: str, where: str, hint: str
) -> None:
    path = own(tmp_path, (old, new))
    lines = [n for n, line in enumerate(path.read_text().splitlines(), 1) if where in line]
    with pytest.raises(BadDrill) as caught:
        load(path)
    told = caught.value
    assert told.source == str(path)
    if hint != "docs/drills.md":  # Python says where it gave up, which may be further down
        assert told.line in lines or told.line in range(lines[0] - 3, lines[0] + 1), str(told)
    if hint != "NameError is told":
        assert hint in f"{told.message} {told.next_step}"
    else:
        assert "no name called 'step'" in told.message


def test_a_missing_field_a_missing_drill_and_a_missing_file_are_told(tmp_path: Path) -> None:
    path = own(tmp_path, ('    runbook="region-failover",\n', ""))
    with pytest.raises(BadDrill, match="the drill does not say its 'runbook'"):
        load(path)
    path.write_text("from lab.api import Drill\n")
    with pytest.raises(BadDrill, match="it has no drill"):
        load(path)
    with pytest.raises(BadDrill, match="cannot be read: No such file"):
        load(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("name", "near"),
    [("my-runbok.yaml", "my-runbook.yaml"), ("region-failovr", "region-failover")],
)
def test_a_runbook_that_is_not_there_is_told_by_line_with_the_nearest(
    tmp_path: Path, name: str, near: str
) -> None:
    (tmp_path / "my-runbook.yaml").touch()
    path = own(tmp_path, ('runbook="region-failover"', f'runbook="{name}"'))
    with pytest.raises(
        BadDrill, match=rf"my_drill\.py:\d+: there is no runbook called '{name}'"
    ) as told:
        load(path)
    assert near in told.value.next_step


def test_a_script_that_runs_by_itself_tells_a_mistake_without_a_traceback(tmp_path: Path) -> None:
    path = own(tmp_path, ('fault("region-loss")', 'fault("regoin-loss")'))
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}:")
    assert "did you mean region-loss" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_takes_the_options_of_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(own(tmp_path)), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "--seed" in done.stdout


@pytest.mark.parametrize("path", DRILLS, ids=lambda path: path.stem)
def test_a_shipped_drill_is_data_that_uses_the_public_module_alone(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"^(?:from|import) (\S+)", text, re.M)) == {"lab.api"}
    assert load(path).read().calls


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_with_verbs_is_short_and_uses_the_public_module_alone(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"^(?:from|import) (\S+)", text, re.M)) == {"lab.api"}
    assert len(text.splitlines()) < 40
    for verb in set(re.findall(r"\blab\.(\w+)\(", text)):
        assert hasattr(Hands, verb)


def test_there_are_three_scripts_with_verbs_and_one_for_a_story() -> None:
    assert len(SCRIPTS) == 4


def test_the_guide_tells_every_public_name_and_every_verb() -> None:
    for name in api.__all__:
        assert hasattr(api, name)
        assert re.search(rf"\b{name}\b", GUIDE), name
    for verb in vars(Hands):
        if not verb.startswith("_") and callable(vars(Hands)[verb]) and verb != "end":
            assert f"{verb}(" in GUIDE, verb
