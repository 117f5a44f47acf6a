"""`lab drill` with a lab that is played: what is kept, said and returned, once and many times."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from several import a_run

from lab import cli
from lab.commands import terminal
from lab.commands.runbook import rehearsal
from lab.core.errors import EngineGone, TooBusy, WaitExpired
from lab.core.verdict import Verdict
from lab.drills import execution
from lab.drills.execution import Plan, Played
from lab.records import spread
from lab.records.result import to_json
from lab.testbed import lifecycle

Act = Callable[[int], Played]


@dataclass
class Stage:
    """A lab that is never there: `acts` say what becomes of the run with each seed."""

    folder: Path
    acts: dict[int, Act] = field(default_factory=dict)
    ups: list[str] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def up(self, name: str, _say: object, *, to_be_reset: bool) -> object:
        self.ups.append(name)
        return SimpleNamespace(engine=SimpleNamespace(close=lambda: None))

    def play(self, plan: Plan, _lab: object, folder: Path, seed: int, _say: object) -> Played:
        self.plans.append(plan)
        (folder / "journal.json").write_text("{}")
        played = self.acts.get(seed, well)(seed)
        (folder / "result.json").write_text(to_json(played.result))
        return played

    def series(self) -> Path:
        [found] = self.folder.glob("*-x*")
        return found

    def runs(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if "-x" not in path.name)


def well(seed: int) -> Played:
    return Played(a_run(seed, verdict=Verdict.PASS), "")


def badly(seed: int) -> Played:
    return Played(a_run(seed, verdict=Verdict.FAIL), "")


def unhealed(seed: int) -> Played:
    return Played(a_run(seed, verdict=Verdict.PASS), "db1 is on fire")


def dies(_seed: int) -> Played:
    raise WaitExpired("west's shop", 20, "read-only\n  → a hint of something below")


def loses_the_engine(_seed: int) -> Played:
    raise EngineGone("the engine is gone", "see: lab doctor")


def undecided(seed: int) -> Played:
    row = a_run(seed).objectives[0].model_copy(update={"verdict": Verdict.UNKNOWN})
    return Played(a_run(seed, verdict=Verdict.UNKNOWN, objectives=(row,)), "")


def is_too_busy(_seed: int) -> Played:
    raise TooBusy("no steady state")


def is_interrupted(_seed: int) -> Played:
    raise KeyboardInterrupt


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = Stage(tmp_path / "runs")
    monkeypatch.setenv("LAB_RUNS", str(found.folder))
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LAB_NAME", "played")
    monkeypatch.setattr(lifecycle, "up", found.up)
    monkeypatch.setattr(execution, "play", found.play)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return found


def lab(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lab", "drill", "zone-loss", *arguments])
    terminal.say.cache_clear()
    terminal.out.cache_clear()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


# --- Once --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "code"), [(well, 0), (badly, 1), (unhealed, 3), (dies, 3)])
def test_one_run_ends_with_the_code_of_its_verdict_and_leaves_junit(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act, code: int
) -> None:
    stage.acts[1] = act
    file = tmp_path / "drill.xml"
    assert lab(monkeypatch, "--junit", str(file)) == code
    [suite] = ElementTree.parse(file).getroot()  # noqa: S314 - our own document
    assert suite.get("errors") == ("1" if act is dies else "0")


def test_objectives_of_the_command_line_reach_the_run_and_its_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab(monkeypatch, "--rpo", "5m", "--objective", "lost<=7", "--seed", "3") == 0
    [plan] = stage.plans
    judged = {item.name: item.limit for item in plan.judged.objectives}
    assert judged["rpo_seconds"] == 300
    assert judged["lost"] == 7
    assert {item.name for item in plan.drill.objectives} <= set(judged)
    assert plan.command(3) == [
        "lab", "drill", "zone-loss", "--seed", "3", "--rpo", "5m", "--objective", "lost<=7",
    ]  # fmt: skip


def test_json_of_one_run_is_its_result_and_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(monkeypatch, "--json") == 0
    assert json.loads(capsys.readouterr().out)["acknowledged"] == a_run(1).acknowledged


# --- Again while there is no verdict -------------------------------------------------------------


def in_turn(*acts: Act) -> Act:
    """Each call is the next act."""
    left = iter(acts)
    return lambda seed: next(left)(seed)


@pytest.mark.parametrize("first", [undecided, is_too_busy])
def test_a_run_without_a_verdict_is_run_again_and_both_are_kept(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    first: Act,
) -> None:
    stage.acts[1] = in_turn(first, well)
    file = tmp_path / "drill.xml"
    assert lab(monkeypatch, "--retry-unknown", "2", "--junit", str(file)) == 0
    assert len(stage.runs()) == 2
    told = capfd.readouterr().err
    assert "attempt 1 of at most 3 is unknown: " in told
    assert str(stage.runs()[0]) in told
    [suite] = ElementTree.parse(file).getroot()  # noqa: S314 - our own document
    assert suite.get("errors") == "0"
    assert suite.find("./properties/property[@name='attempts']").get("value") == "2"  # type: ignore[union-attr]
    assert (suite.findtext("system-out") or "").startswith("attempt 1: unknown: ")


def test_it_is_run_again_no_more_often_than_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.acts[1] = undecided
    assert lab(monkeypatch, "--retry-unknown", "2") == 4
    assert len(stage.runs()) == 3
    assert capfd.readouterr().err.count("of at most 3 is unknown") == 2
    assert lab(monkeypatch) == 4
    assert len(stage.runs()) == 4


@pytest.mark.parametrize(("act", "code"), [(well, 0), (badly, 1), (dies, 3), (unhealed, 3)])
def test_a_verdict_and_a_broken_lab_are_final(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, act: Act, code: int
) -> None:
    stage.acts[1] = act
    assert lab(monkeypatch, "--retry-unknown", "5") == code
    assert len(stage.runs()) == 1


def test_a_lab_that_an_attempt_left_broken_is_brought_up_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.acts[1] = in_turn(lambda seed: Played(undecided(seed).result, "db1 is on fire"), well)
    assert lab(monkeypatch, "--retry-unknown", "1") == 0
    assert len(stage.ups) == 2


def test_each_run_of_a_series_is_run_again_and_the_series_names_the_attempts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.acts = {2: in_turn(undecided, undecided, well)}
    assert lab(monkeypatch, "--repeat", "3", "--retry-unknown", "2") == 0
    document = spread.from_file(stage.series() / "spread.json")
    assert [len(run.earlier) for run in document.runs] == [0, 2, 0]
    assert all((stage.folder / name).is_dir() for name in document.runs[1].earlier)
    assert [run.seed for run in document.runs] == [1, 2, 3]
    assert "run 2 was unknown before: " in capfd.readouterr().out


def test_a_rehearsal_is_run_again_and_leaves_junit_too(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = in_turn(undecided, well)

    def played(*words: object) -> Played:
        folder = words[-2]
        assert isinstance(folder, Path)
        (folder / "journal.json").write_text("{}")
        return acts(1)

    monkeypatch.setattr(rehearsal, "_played", played)
    file = tmp_path / "rehearsal.xml"
    words = ["runbook", "run", "region-failover", "--scenario", "partition", "--junit", str(file)]
    monkeypatch.setattr(sys, "argv", ["lab", *words, "--retry-unknown", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert len(stage.runs()) == 2
    assert len(list(ElementTree.parse(file).getroot())) == 1  # noqa: S314 - our own document


def test_a_run_that_is_worse_than_its_baseline_fails(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(to_json(a_run(1, drill="zone-loss")))
    lab(monkeypatch, "--baseline", str(kept))
    [plan] = stage.plans
    limits = [item for item in plan.judged.objectives if item.baseline is not None]
    assert {"lost", "rto_seconds"} <= {item.name for item in limits}
    assert plan.command(1)[-2:] == ["--baseline", str(kept)]
    kept.write_text(to_json(a_run(1)))
    assert lab(monkeypatch, "--baseline", str(kept)) == 2
    assert "is a run of region-loss, and this is zone-loss" in capfd.readouterr().err
    assert len(stage.plans) == 1


# --- Many times --------------------------------------------------------------------------------


def test_a_series_keeps_every_run_and_writes_their_spread(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(monkeypatch, "--repeat", "3", "--seed", "5") == 0
    document = spread.from_file(stage.series() / "spread.json")
    assert [run.seed for run in document.runs] == [5, 6, 7]
    assert [run.folder for run in document.runs] == [path.name for path in stage.runs()]
    assert document.command == "lab drill zone-loss --seed 5 --repeat 3"
    assert (stage.series() / "spread.html").is_file()
    assert stage.ups == ["played"]
    assert "3 pass" in capsys.readouterr().out


def test_the_verdict_of_a_series_is_the_worst_also_as_exit_code(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.acts = {2: badly, 3: dies}
    file = tmp_path / "drill.xml"
    assert lab(monkeypatch, "--repeat", "3", "--junit", str(file)) == 1
    assert len(list(ElementTree.parse(file).getroot())) == 3  # noqa: S314 - our own document


def test_a_run_that_died_is_listed_and_the_next_one_heals_the_lab(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.acts = {1: dies}
    assert lab(monkeypatch, "--repeat", "3") == 4
    document = spread.from_file(stage.series() / "spread.json")
    assert [run.verdict for run in document.runs] == [Verdict.UNKNOWN, Verdict.PASS, Verdict.PASS]
    assert document.runs[0].error == "waited 20 s for west's shop; last seen: read-only"
    assert document.runs[0].folder == stage.runs()[0].name
    assert len(stage.ups) == 2


def test_a_lab_that_was_left_broken_is_brought_up_anew_and_told_if_it_was_the_last_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.acts = {1: unhealed}
    assert lab(monkeypatch, "--repeat", "2") == 0
    assert len(stage.ups) == 2
    stage.acts = {2: unhealed}
    assert lab(monkeypatch, "--repeat", "2") == 3
    assert "could not be healed: db1 is on fire" in capfd.readouterr().err


def test_without_an_engine_the_series_ends_and_keeps_what_it_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.acts = {2: loses_the_engine}
    assert lab(monkeypatch, "--repeat", "4") == 3
    document = spread.from_file(stage.series() / "spread.json")
    assert [run.verdict for run in document.runs] == [Verdict.PASS, Verdict.UNKNOWN]
    assert not document.interrupted
    assert "the engine is gone" in capfd.readouterr().err


def test_ctrl_c_keeps_the_runs_that_ended_and_says_how_many(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.acts = {3: is_interrupted}
    assert lab(monkeypatch, "--repeat", "5", "--junit", str(tmp_path / "x.xml")) == 130
    document = spread.from_file(stage.series() / "spread.json")
    assert (len(document.runs), document.asked, document.interrupted) == (2, 5, True)
    told = capfd.readouterr()
    assert "2 of 5 runs" in told.out
    assert "2 of 5 runs came to an end" in told.err
    assert "lab down --name played" in told.err
    assert (tmp_path / "x.xml").is_file()


def test_json_of_a_series_is_one_document(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(monkeypatch, "--repeat", "2", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((stage.series() / "spread.json").read_text())
    assert document["runs"][0]["figures"]["acknowledged"] == a_run(1).acknowledged
