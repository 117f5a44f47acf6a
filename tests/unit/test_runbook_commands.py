"""`lab runbook`: what people see of a runbook before anything is run."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab import cli
from lab.commands import terminal
from lab.commands.parsing import options
from lab.runbooks import shipped

FLAWED = "five-steps-as-listed"
FINE = "region-failover"
HASTY = """\
name: hasty
title: East is lost, west takes over at once
why: users of both regions must be able to order again
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [region-dead, partition]
steps:
  - promote: {force: true}
  - repoint: {where: near}
  - stop-writes
  - fence
  - shift-traffic
  - resume-writes
"""


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file in the folder that commands are run in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hasty.yaml").write_text(HASTY)
    return "hasty.yaml"


class Lab:
    """The program, in this process: what it printed and how it ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["lab", "runbook", *arguments])
        self._monkeypatch.setattr("signal.signal", lambda *_: None)
        terminal.say.cache_clear()
        terminal.out.cache_clear()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = self._capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    def data(self, *arguments: str) -> Any:
        """The document of a command, which must be all that it prints."""
        _, out, _ = self(*arguments, "--json")
        return json.loads(out)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    return Lab(monkeypatch, capsys)


# ── list, steps, show ────────────────────────────────────────────────────────────────────────


def test_the_list_has_every_shipped_runbook_and_marks_those_that_are_printed_as_found(
    lab: Lab,
) -> None:
    code, out, _ = lab("list")
    assert code == 0
    for path in shipped.shipped():
        assert path.stem in out
    marked = [each["name"] for each in lab.data("list") if each["printed_as_found"]]
    assert FLAWED in marked
    assert out.count("contains a known mistake") == len(marked)


def test_steps_are_listed_in_short_and_one_of_them_in_full(lab: Lab) -> None:
    _, out, _ = lab("steps")
    assert "promote the standby" in out
    _, out, _ = lab("steps", "promote")
    assert "otherwise two primaries take orders, and the orders of one" in out
    assert "the new node" in out
    [row] = lab.data("steps", "promote")
    assert [each["name"] for each in row["options"]] == ["force", "accept_loss"]


def test_an_unknown_step_names_the_nearest_one(lab: Lab) -> None:
    code, _, err = lab("steps", "promot")
    assert code == 2
    assert "did you mean promote" in err


def test_a_runbook_is_shown_with_what_each_step_is_for_and_what_needs_what(lab: Lab) -> None:
    code, out, _ = lab("show", FINE, "--scenario", "partition")
    assert code == 0
    assert "What each step needs, in the situation partition" in out
    assert re.search(
        r"promote +done +needs: east.db1 can no longer commit \(made true by step \d", out
    )
    graph = lab.data("show", FINE)["graph"]
    assert graph["scenario"] == "region-dead"
    assert graph["end"] == "right"


def test_what_is_wrong_with_a_runbook_that_is_printed_as_found_is_not_shown(lab: Lab) -> None:
    _, out, _ = lab("show", FLAWED)
    assert "What each step needs" not in out
    assert "needs: " not in out
    assert f"lab runbook check {FLAWED}" in out
    assert lab.data("show", FLAWED)["graph"] is None


def test_a_picture_is_written_where_it_is_wanted(lab: Lab, hasty: str, tmp_path: Path) -> None:
    code, _, err = lab("show", hasty, "--svg", "graph.svg")
    assert code == 0
    assert "graph.svg: hasty in region-dead" in err
    lab("check", hasty, "--svg", "check.svg")
    root = ElementTree.parse(tmp_path / "check.svg").getroot()  # noqa: S314 - our own document
    assert root.tag.endswith("svg")
    assert "hasty" in (tmp_path / "graph.svg").read_text()


# ── check ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", shipped.shipped(), ids=lambda path: path.stem)
def test_shipped_runbooks_are_unsafe_exactly_when_they_are_printed_as_found(
    lab: Lab, path: Path
) -> None:
    flawed = "\nflaw: true" in path.read_text()
    code, out, _ = lab("check", path.stem)
    assert code == int(flawed)
    assert (f"{path.stem} is unsafe" in out) == flawed


def test_each_finding_stands_on_a_line_that_leads_to_its_step(lab: Lab, hasty: str) -> None:
    code, out, _ = lab("check", hasty)
    assert code == 1
    lines = HASTY.splitlines()
    found = re.findall(r"^hasty\.yaml:(\d+): (\w+): ([\w-]+) ", out, re.MULTILINE)
    assert len(found) >= 5
    for number, level, step in found:
        assert level in ("unsafe", "costly")
        assert lines[int(number) - 1].startswith(f"  - {step}")
    assert out.splitlines()[-1] == (
        "hasty is unsafe in partition: two primaries take orders, and the orders of one of them"
        " are lost"
    )


def test_only_the_situations_that_are_named_count(lab: Lab, hasty: str) -> None:
    code, out, _ = lab("check", hasty, "--scenario", "region-dead")
    assert code == 0
    assert "partition" not in out
    found = lab.data("check", hasty, "--scenario", "zone-dead", "--scenario", "partition")
    [book] = found["runbooks"]
    assert [each["scenario"] for each in book["scenarios"]] == ["zone-dead", "partition"]


def test_as_data_it_has_the_prediction_and_every_violation(lab: Lab, hasty: str) -> None:
    found = lab.data("check", hasty, FINE)
    assert found["level"] == "unsafe"
    first, second = found["runbooks"]
    assert (first["file"], first["level"], second["level"]) == (hasty, "unsafe", "fine")
    partition = first["scenarios"][1]
    assert partition["predicted"]["split_brain"] is True
    assert partition["steps"][0] == {"step": "promote", "line": 9, "word": "too early"}
    assert any(each["unsafe"] and each["line"] == 9 for each in partition["violations"])


def test_one_unsafe_runbook_of_several_is_enough(lab: Lab, hasty: str) -> None:
    code, out, _ = lab("check", FINE, hasty)
    assert code == 1
    assert f"{FINE} is fine" in out
    assert "hasty is unsafe" in out


def test_what_ci_reads_has_a_suite_for_each_situation_and_a_case_for_each_step(
    lab: Lab, hasty: str, tmp_path: Path
) -> None:
    code, _, _ = lab("check", hasty, "--junit", "found.xml")
    assert code == 1
    root = ElementTree.parse(tmp_path / "found.xml").getroot()  # noqa: S314 - our own document
    assert [suite.get("name") for suite in root] == ["hasty.region-dead", "hasty.partition"]
    assert [suite.get("failures") for suite in root] == ["0", "1"]
    cases = [case.get("name") for case in root[1].iter("testcase")]
    assert cases == ["promote", "repoint", "stop-writes", "fence", "shift-traffic",
                     "resume-writes", "the end"]  # fmt: skip
    [failure] = root[1].iter("failure")
    assert (failure.get("message") or "").startswith("hasty.yaml:9: promote comes too early")
    assert "cold cache" in (root[1].findtext("system-out") or "")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("region-failovr",), "region-failover"),
        (("nothing.yaml",), "nothing.yaml"),
        ((FINE, "--scenario", "partiton"), "partition"),
        ((FINE, "--junit", "/proc/nowhere/x.xml"), "--junit"),
        ((FINE, "--code-quality", "/proc/nowhere/x.json"), "--code-quality"),
        ((FINE, "hasty.yaml", "--junit", "hasty.yaml"), "it is the runbook"),
        ((FINE, "--junit", "x", "--code-quality", "x"), "--junit goes there"),
        (("nothing/*.yaml",), "no file fits 'nothing/*.yaml'"),
        (("*.yaml", FLAWED, "--svg", "x.svg"), "--svg"),
        ((FINE, "--svg", "/proc/nowhere/x.svg"), "--svg"),
        ((FINE, "--svg", "loop.svg"), "--svg"),
        ((FINE, FLAWED, "--svg", "x.svg"), "--svg"),
        ((), "NAME|FILE"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_what_cannot_be_checked_is_refused(lab: Lab, arguments: tuple[str, ...], hint: str) -> None:
    Path("loop.svg").symlink_to("loop.svg")
    code, out, err = lab("check", *arguments)
    assert code == 2
    assert hint in err
    assert out == ""


def test_patterns_stand_for_files_of_any_ending_and_each_file_is_checked_once(
    lab: Lab, hasty: str, tmp_path: Path
) -> None:
    (tmp_path / "team" / "deep").mkdir(parents=True)
    for name in ("a.yaml", "b.yml", "deep/c.runbook", ".hidden.yaml"):
        (tmp_path / "team" / name).write_text(HASTY.replace("hasty", f"in-{Path(name).stem}", 1))
    patterns = ("team/**/*.y*ml", "team/deep/*", f"{tmp_path}/team/[ab].*", "team/a.yaml", hasty)
    found = lab.data("check", *patterns, "--scenario", "region-dead")
    files = [each["file"] for each in found["runbooks"]]
    assert files == ["team/a.yaml", "team/b.yml", "team/deep/c.runbook", hasty]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "a[1].yaml").write_text(HASTY)
    (tmp_path / "a1.yaml").write_text("nothing")
    found = lab.data("check", f"{tmp_path}/a[1].yaml", "--scenario", "region-dead")
    assert found["unreadable"] == []
    assert len(found["runbooks"]) == 1


def test_a_file_that_is_no_runbook_keeps_no_other_from_being_checked(
    lab: Lab, hasty: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("name: broken\nname: again\n")
    code, out, err = lab("check", "broken.yaml", hasty)
    assert code == 2
    assert "hasty is unsafe" in out
    assert "broken.yaml:2: key 'name' is on line 1 already" in err
    found = lab.data("check", "broken.yaml", hasty)
    assert [each["runbook"] for each in found["runbooks"]] == ["hasty"]
    assert found["unreadable"] == [
        {"file": "broken.yaml", "line": 2, "reason": "key 'name' is on line 1 already"}
    ]


@pytest.mark.parametrize(
    ("variable", "flags", "marked"),
    [
        ("", (), False),
        ("true", (), True),
        ("true", ("--no-annotations",), False),
        ("false", ("--annotations",), True),
        ("true", ("--json",), True),
    ],
)
def test_lines_are_marked_in_github_actions_or_if_asked(
    lab: Lab,
    hasty: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    flags: tuple[str, ...],
    marked: bool,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", variable)
    _, out, err = lab("check", hasty, *flags)
    assert ("::error file=hasty.yaml,line=9,title=unsafe%3A promote::" in err) == marked
    assert "::" not in out


# ── completion ───────────────────────────────────────────────────────────────────────────────


def test_runbooks_are_completed_by_name_and_by_file(hasty: str, tmp_path: Path) -> None:
    assert options.runbooks("region") == ["region-failover", "region-failover-west"]
    assert options.runbooks("has") == [hasty]
    assert options.runbooks(f"{tmp_path}/ha") == [f"{tmp_path}/{hasty}"]
    assert hasty in options.runbooks("")


def test_steps_and_situations_are_completed() -> None:
    assert "promote" in options.step_names()
    assert options.completing(options.scenarios)("part") == ["partition"]
