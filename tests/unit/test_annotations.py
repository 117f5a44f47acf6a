"""Marks on lines, as GitHub and GitLab read them."""

from __future__ import annotations

import json
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from made_up_runbooks import CAREFUL, RUNBOOKS, SPECS, runbook

from lab.core.errors import BadRunbook
from lab.report import annotations
from lab.report.annotations import NOTE, UNREADABLE, Annotation
from lab.runbooks.checkup import Level, check
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import SCENARIOS, scenario

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MARKS = st.builds(
    Annotation, st.sampled_from([NOTE, UNREADABLE]), TEXTS, st.integers(0), TEXTS, TEXTS
)


@given(st.lists(MARKS))
def test_github_gets_one_command_for_each_mark_whatever_the_texts_hold(
    marks: list[Annotation],
) -> None:
    lines = annotations.github(marks).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(marks)
    for line, mark in zip(lines, marks, strict=True):
        _, command, text = line.split("::", 2)
        kind, _, properties = command.partition(" ")
        said = dict(each.split("=", 1) for each in properties.split(","))
        assert kind == mark.severity.github
        assert unquote(text) == mark.text
        assert unquote(said["file"]) == mark.file
        assert unquote(said["title"]) == f"{mark.severity.word}: {mark.rule}"


@given(st.lists(MARKS))
def test_gitlab_tells_any_two_marks_apart(marks: list[Annotation]) -> None:
    found = json.loads(annotations.code_quality(marks))
    assert [each["description"] for each in found] == [mark.text for mark in marks]
    assert len({each["fingerprint"] for each in found}) == len(marks)
    assert all(each["location"]["lines"]["begin"] >= 1 for each in found)


def test_a_fingerprint_stays_when_lines_move() -> None:
    one, other = (Annotation(NOTE, "a.yaml", line, "run", "it runs") for line in (3, 9))
    first, second = (json.loads(annotations.code_quality([each]))[0] for each in (one, other))
    assert first["fingerprint"] == second["fingerprint"]
    assert first["location"] != second["location"]


@given(RUNBOOKS)
def test_a_runbook_has_an_error_exactly_if_it_is_unsafe(book: Runbook) -> None:
    found = check(book, SPECS, SCENARIOS)
    marks = [*annotations.of_checkup(found, "book.yaml")]
    assert any(mark.severity.github == "error" for mark in marks) == (found.level is Level.UNSAFE)
    assert bool(marks) == (found.level is not Level.FINE)


def test_a_mark_names_the_situations_if_it_is_not_so_in_all() -> None:
    book = runbook(Call("promote", {"force": True}, line=9), *CAREFUL)
    found = check(book, SPECS, [scenario("region-dead"), scenario("partition")])
    texts = [each.text for each in annotations.of_checkup(found, "book.yaml")]
    assert any(text.endswith("(in partition)") for text in texts)
    assert any("(in" not in text for text in texts)


def test_a_note_is_about_the_step_of_its_line() -> None:
    found = check(runbook(Call("verify", line=4)), SPECS, [scenario("healthy")])
    note = [*annotations.of_checkup(found, "book.yaml", [(4, "a note")])][-1]
    assert (note.severity, note.line, note.rule) == (NOTE, 4, "verify")


def test_a_file_that_is_no_runbook_is_told_with_the_next_step() -> None:
    mark = annotations.of_error(BadRunbook("a.yaml", 0, "is empty", "write one"), "a.yaml")
    assert annotations.github([mark]) == (
        "::error file=a.yaml,line=1,title=unreadable%3A runbook::is empty%0Awrite one\n"
    )
