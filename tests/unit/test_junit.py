"""JUnit XML: what CI reads is what was judged, and it is well-formed whatever a run says."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import region_loss

from lab.core import outputfiles
from lab.core.errors import UsageError
from lab.core.verdict import Verdict
from lab.report import junit

PASSED = region_loss()
FOLDER = "runs/2026-01-02T03-04-05Z-region-loss"


def parsed(*suites: junit.Suite) -> ElementTree.Element:
    return ElementTree.fromstring(junit.document(suites))  # noqa: S314 - our own document


def with_rows(**changes: dict[str, object]) -> junit.Suite:
    rows = tuple(row.model_copy(update=changes.get(row.name, {})) for row in PASSED.objectives)
    return junit.of_result(PASSED.model_copy(update={"objectives": rows}), FOLDER)


def test_a_run_is_a_suite_and_each_objective_a_case_of_its_drill() -> None:
    [suite] = parsed(junit.of_result(PASSED, FOLDER))
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [row.name for row in PASSED.objectives]
    assert {case.get("classname") for case in cases} == {"region-loss"}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        str(len(cases)),
        "0",
        "0",
    )
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    assert float(suite.get("time", "0")) == pytest.approx(PASSED.duration, abs=0.001)
    properties = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert properties["seed"] == "7"
    assert properties["run"] == FOLDER
    assert properties["verdict"] == "pass"


def test_a_breach_is_a_failure_and_what_is_unknown_an_error_with_found_and_limit() -> None:
    [suite] = parsed(
        with_rows(
            rpo_seconds={"verdict": Verdict.FAIL, "found": 9.0, "detail": "seen <here> & there"},
            rto_seconds={"verdict": Verdict.UNKNOWN, "found": None, "detail": "no return"},
        )
    )
    assert (suite.get("failures"), suite.get("errors")) == ("1", "1")
    [failure], [error] = list(suite.iter("failure")), list(suite.iter("error"))
    assert failure.get("message") == "found 9.00 s, limit ≤ 5 s: seen <here> & there"
    assert "seen <here> & there" in (failure.text or "")
    assert error.get("message") == "found not measured, limit ≤ 10 s: no return"
    assert "no return" in (error.text or "")
    assert (failure.get("type"), error.get("type")) == ("fail", "unknown")


def test_a_run_that_died_is_one_case_in_error() -> None:
    [suite] = parsed(junit.of_error("zone-loss", 3, None, "2026-01-02T03:04:05+00:00", "a\n  → b"))
    [error] = suite.iter("error")
    assert (error.get("message"), error.text) == ("a", "a\n  → b")
    assert suite.get("errors") == "1"


def test_the_shape_is_the_one_that_both_schemas_ask_for() -> None:
    """Order and attributes as in Ant's schema, the stricter of the two."""
    root = parsed(junit.of_result(PASSED, FOLDER), with_rows())
    assert root.attrib == {}
    assert [suite.get("id") for suite in root] == ["0", "1"]
    for suite in root:
        assert set(suite.attrib) == {
            "name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time",
        }  # fmt: skip
        tags = [child.tag for child in suite]
        cases = ["testcase"] * int(suite.get("tests", "0"))
        assert tags == ["properties", *cases, "system-out", "system-err"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        for case in suite.iter("testcase"):
            assert set(case.attrib) == {"classname", "name", "time"}


@given(st.text(max_size=30))
def test_any_text_of_a_run_can_be_read_back(text: str) -> None:
    [suite] = parsed(with_rows(rpo_seconds={"verdict": Verdict.FAIL, "detail": f"[{text}]"}))
    [failure] = suite.iter("failure")
    kept = "".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in text)
    kept = re.sub("[\ufffe\uffff]", "\ufffd", kept).replace("\r\n", "\n").replace("\r", "\n")
    assert f"[{kept}]" in (failure.text or "")


def test_the_time_of_the_run_is_counted_once() -> None:
    suite = junit.Suite(
        "d", "2026-01-02T03:04:05", 40.0,
        (
            junit.Case("runbook_finished", Verdict.PASS, seconds=40.0),
            junit.Case("lost", Verdict.PASS),
        ),
    )  # fmt: skip
    assert sum(float(case.get("time", "0")) for case in parsed(suite).iter("testcase")) == 40.0
    rows = (PASSED.objectives[0].model_copy(update={"name": "runbook_finished"}),)
    run = PASSED.model_copy(update={"objectives": rows})
    assert junit.of_result(run, FOLDER).cases[0].seconds == PASSED.duration


def test_a_file_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/proc/nowhere/drill.xml")):
        with pytest.raises(UsageError, match="--junit") as caught:
            outputfiles.prove_writable(path, junit.FLAG)
        assert caught.value.exit_code == 2
        with pytest.raises(UsageError, match="--junit"):
            outputfiles.write(path, "", junit.FLAG)


def test_the_proof_leaves_nothing_behind_and_nothing_changed(tmp_path: Path) -> None:
    new, old = tmp_path / "drill.xml", tmp_path / "old.xml"
    old.write_text("before")
    outputfiles.prove_writable(new, junit.FLAG)
    outputfiles.prove_writable(old, junit.FLAG)
    assert [each.name for each in tmp_path.iterdir()] == ["old.xml"]
    assert old.read_text() == "before"
    outputfiles.write(new, junit.document([junit.of_result(PASSED, FOLDER)]), junit.FLAG)
    assert ElementTree.parse(new).getroot().tag == "testsuites"  # noqa: S314 - our own document
