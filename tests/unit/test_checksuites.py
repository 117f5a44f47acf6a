"""What CI reads of a runbook that was checked."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from made_up_runbooks import CAREFUL, RUNBOOKS, SPECS, runbook

from lab.report import checksuites, junit
from lab.runbooks.checkup import Level, check
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import SCENARIOS, scenario

NOW = "2026-01-02T03:04:05+00:00"


def parsed(book: Runbook, *names: str) -> list[ElementTree.Element]:
    found = check(book, SPECS, [scenario(name) for name in names])
    text = junit.document(checksuites.suites(found, "book.yaml", NOW))
    return list(ElementTree.fromstring(text))  # noqa: S314 - our own document


def test_where_it_stops_is_a_failure_and_what_is_behind_is_skipped() -> None:
    [suite] = parsed(runbook(*CAREFUL), "unreachable")
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases["detect"] == []
    assert cases["confirm"] == ["failure"]
    assert cases["promote"] == ["skipped"]
    assert cases["the end"] == ["failure"]
    assert suite.get("failures") == "2"


def test_what_is_missing_fails_the_end() -> None:
    [suite] = parsed(runbook(Call("scale-up")), "partition")
    [failure] = suite.iter("failure")
    assert (failure.get("message") or "").startswith("book.yaml: at the end: users of west cannot")
    assert "so no user can order. The step `promote` is missing" in (failure.text or "")


def test_a_step_that_is_done_again_has_a_name_of_its_own() -> None:
    [suite] = parsed(runbook(Call("verify"), Call("verify"), Call("fence")), "healthy")
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names == ["verify", "verify (2)", "fence", "the end"]


@given(RUNBOOKS)
def test_a_suite_fails_exactly_where_the_runbook_is_unsafe(book: Runbook) -> None:
    found = check(book, SPECS, SCENARIOS)
    suites = checksuites.suites(found, "book.yaml", NOW)
    for each, suite in zip(found.checked, suites, strict=True):
        failed = any(case.verdict.value == "fail" for case in suite.cases)
        assert failed == (each.level is Level.UNSAFE)
        assert len({case.name for case in suite.cases}) == len(book.steps) + 1
