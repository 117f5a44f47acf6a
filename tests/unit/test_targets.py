"""Sets of objectives in a file: chosen, read by the same parser, and judged like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_runs import run
from made_up import OBJECTIVES, region_loss

from lab.commands.runbook import rehearsal
from lab.commands.runbook.run import Wanted
from lab.core.errors import BadTargets, LabError, UsageError
from lab.core.verdict import Comparison, Verdict
from lab.drills import targets
from lab.drills.drill import Drill
from lab.metrics import customobjectives
from lab.records import runfolders
from lab.records.metricrows import METRICS
from lab.testbed import lifecycle, turns

CHECKOUT = """\
checkout:
  longest_read_gap_seconds: 200ms
  longest_gap_seconds.east: 1m30s
  rto_seconds: 5m
  lost: 0
  acknowledged: ">= 1000"
"""
BROWSE = "browse:\n  p99_before.west: 80ms\n"


def at(folder: Path, text: str) -> str:
    path = folder / "slo.yaml"
    path.write_text(text)
    return str(path)


def test_the_only_set_of_a_file_is_used(tmp_path: Path) -> None:
    given = at(tmp_path, CHECKOUT)
    found = targets.read(given, ())
    assert [(o.name, o.limit, o.unit, o.comparison) for o in found.objectives] == [
        ("longest_read_gap_seconds", 0.2, "s", Comparison.AT_MOST),
        ("longest_gap_seconds.east", 90, "s", Comparison.AT_MOST),
        ("rto_seconds", 300, "s", Comparison.AT_MOST),
        ("lost", 0, "writes", Comparison.AT_MOST),
        ("acknowledged", 1000, "writes", Comparison.AT_LEAST),
    ]
    assert found.arguments == ("--targets", given)
    assert targets.read(None, ()) == customobjectives.Wanted()


def test_of_several_sets_one_is_named(tmp_path: Path) -> None:
    given = at(tmp_path, CHECKOUT + BROWSE)
    [found] = targets.read(f"{given}:browse", ()).objectives
    assert (found.name, found.limit) == ("p99_before.west", 0.08)
    with pytest.raises(UsageError, match="2 sets in it, checkout and browse") as caught:
        targets.read(given, ())
    assert f"choose one: --targets {given}:checkout" in str(caught.value)
    with pytest.raises(UsageError, match="there is no set of objectives called 'check'") as caught:
        targets.read(f"{given}:check", ())
    assert "did you mean checkout?" in str(caught.value)


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "slo:browse"
    path.write_text(BROWSE)
    assert len(targets.read(str(path), ()).objectives) == 1


def test_the_sets_name_is_the_reason_and_the_drills_own_reason_follows(tmp_path: Path) -> None:
    found = targets.read(at(tmp_path, CHECKOUT), OBJECTIVES).objectives
    assert found[0].why == "target set checkout"
    own = next(item for item in OBJECTIVES if item.name == "rto_seconds")
    assert found[2].why == f"target set checkout: {own.why}"


def test_a_flag_goes_before_the_file_and_the_file_before_the_drills_own(tmp_path: Path) -> None:
    given = at(tmp_path, CHECKOUT)
    own = targets.read(given, OBJECTIVES)
    wanted = customobjectives.read({"rto": "1s"}, (), OBJECTIVES).before(own)
    limits = {item.name: item.limit for item in wanted.instead_of(OBJECTIVES)}
    assert limits["rto_seconds"] == 1
    assert limits["longest_read_gap_seconds"] == 0.2
    assert limits["rpo_seconds"] == next(
        item.limit for item in OBJECTIVES if item.name == "rpo_seconds"
    )
    assert wanted.arguments == ("--targets", given, "--rto", "1s")


def test_a_run_is_judged_by_the_set(tmp_path: Path) -> None:
    wanted = targets.read(at(tmp_path, "tight:\n  rto_seconds: 1s\n"), OBJECTIVES)
    found = region_loss(wanted.instead_of(OBJECTIVES))
    [row] = [row for row in found.objectives if row.name == "rto_seconds"]
    assert (row.limit, row.verdict) == (1.0, Verdict.FAIL)
    assert row.why.startswith("target set tight")


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_every_metric_can_be_a_target(tmp_path: Path, row: object) -> None:
    name, unit = row.name, row.unit  # type: ignore[attr-defined]
    value = {"s": "2s", "bytes": "2KiB"}.get(unit, "2")
    [found] = targets.read(at(tmp_path, f"all:\n  {name}: {value}\n"), ()).objectives
    assert (found.name, found.unit) == (name, unit)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a:\n  lost: 0\n  rto_second: 5s\n", 3, "did you mean rto_seconds or rpo_seconds?"),
        ("a:\n  rto: 5s\n", 2, "did you mean rto_seconds?"),
        ("a:\n  rto_seconds.eats: 5s\n", 2, "did you mean east or west?"),
        ("a:\n  rto_seconds: 5\n", 2, "rto_seconds 5: a duration needs a unit"),
        ("a:\n  rto_seconds: 5KiB\n", 2, "is no duration"),
        ("a:\n  lost: 3s\n", 2, "is no count"),
        ("a:\n  lost: -1\n", 2, "is no count"),
        ("a:\n  lost: < 3\n", 2, "is no count"),
        ("a:\n  lost:\n", 2, "lost must be a value, not nothing"),
        ("a:\n  lost: [1]\n", 2, "lost must be a value, not a list"),
        ("a:\n  lost: true\n", 2, "lost must be a value, not the flag 'true'"),
        ("a:\n  acknowledged: >= 3\n", 2, "put it in quotes, such as '>= 1000'"),
        ("a:\n  lost: 0\n  lost: 1\n", 3, "key 'lost' is on line 2 already"),
        ("lost: 0\n", 1, "lost must be a mapping of keys to values"),
        ("- lost\n", 1, "must be a mapping of keys to values"),
        ("a: {}\n", 1, "the set a is empty"),
        ("{}\n", 1, "there is no set of objectives in it"),
        ("", 1, "there is nothing in it"),
        ("a:\n\tlost: 0\n", 2, "not YAML: a tab"),
        ("a:\n  lost: 0\n---\nb: 1\n", 3, "a file holds one file of objectives"),
        ("a:\n  lost: 0\nb:\n  last: 0\n", 4, "did you mean"),
    ],
)
def test_a_mistake_names_file_line_and_what_to_write(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    given = at(tmp_path, text)
    with pytest.raises(BadTargets) as caught:
        targets.read(f"{given}:a", ())
    assert str(caught.value).startswith(f"{given}:{line}: "), str(caught.value)
    assert told in str(caught.value)
    assert "\n  → " in str(caught.value)
    assert "runbook" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("made", [None, "folder", b"\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, made: object) -> None:
    path = tmp_path / "slo.yaml"
    if made == "folder":
        path.mkdir()
    if isinstance(made, bytes):
        path.write_bytes(made)
    with pytest.raises(BadTargets, match=r"slo\.yaml") as caught:
        targets.read(f"{path}:a" if made is None else str(path), ())
    assert "runbook" not in str(caught.value)


def test_the_example_in_the_readme_is_read(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [example] = [each for each in readme.split("```yaml\n") if each.startswith("checkout:")]
    given = at(tmp_path, example.partition("```")[0])
    assert len(targets.read(f"{given}:checkout", ()).objectives) == 5
    assert len(targets.read(f"{given}:at-rest", ()).objectives) == 1


# --- the commands ------------------------------------------------------------------------------

WRONG = "a:\n  rto_second: 5s\n"


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def starts(*_: object, **__: object) -> None:
        raise AssertionError("a lab was started")

    monkeypatch.setattr(lifecycle, "up", starts)
    monkeypatch.setattr(turns, "exclusive", starts)
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))


@pytest.mark.parametrize(
    "command",
    [("drill", "zone-loss"), ("runbook", "run", "region-failover", "--scenario", "region-dead")],
)
@pytest.mark.usefixtures("nothing_starts")
def test_a_mistake_is_told_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    given = at(tmp_path, WRONG)
    assert run(monkeypatch, *command, "--targets", given) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "slo.yaml:2: there is no figure called 'rto_second'" in told
    assert "did you mean rto_seconds or rpo_seconds?" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("drill", "--list", "--targets", "x"), "--targets needs a drill to run"),
        (("runbook", "run", "failback", "--targets", "x"), "--targets is for a rehearsal"),
    ],
)
@pytest.mark.usefixtures("nothing_starts")
def test_targets_without_anything_to_measure_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    told: str,
) -> None:
    assert run(monkeypatch, *command) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_rehearsal_is_judged_by_its_targets_beside_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.runbooks import runbookfile, shipped
    from lab.steps.catalogue import vocabulary

    seen = list[Drill]()

    def fresh(*_: object) -> Path:
        raise LabError("enough")

    real = rehearsal.replace

    def keep(drill: Drill, **changes: object) -> Drill:
        seen.append(real(drill, **changes))
        return seen[-1]

    monkeypatch.setattr(rehearsal, "replace", keep)
    monkeypatch.setattr(runfolders, "new_run", fresh)
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    book = runbookfile.read(shipped.find("region-failover"), vocabulary())
    given = at(tmp_path, "tight:\n  rto_seconds: 2s\n")
    with pytest.raises(LabError, match="enough"):
        rehearsal.rehearse(book, "region-dead", 1, None, Wanted(targets=given))
    [drill] = seen
    limits = {item.name: (item.limit, item.why) for item in drill.objectives}
    assert limits["rto_seconds"] == (2, "target set tight: a runbook is there to bring users back")
    assert limits["longest_gap_seconds"][0] == 60
