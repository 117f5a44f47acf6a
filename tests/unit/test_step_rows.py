"""The catalogue of steps as data: rows that say everything, in the program and on paper."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from contexts import context

from lab.runbooks.option import Option, Texts
from lab.runbooks.runbook import Call, Step
from lab.steps import catalogue
from lab.steps.catalogue import of_drills, vocabulary
from lab.steps.listing import as_json, markdown, option, table
from lab.testbed.journalwriter import EngineClock, Recorder

ROWS = vocabulary()
DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_it_changes_what_for_and_what_comes_without_it(row: Step) -> None:
    for text in (row.title, row.changes, row.why, row.breaks):
        assert len(text) > 8
        assert not text.endswith(".")
    for need in row.needs:
        assert len(need.otherwise) > 15
    for each in row.options:
        assert len(each.why) > 5
        listed = each.default if isinstance(each.default, tuple) else (each.default,)
        assert not each.choices or {*listed} <= {*each.choices}
    main = row.option(row.main)
    assert not row.main or (main and main.default in ("", ()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_number_has_a_unit_and_the_prose_does_not_repeat_it(row: Step) -> None:
    for each in row.options:
        assert bool(each.unit) is (each.kind in (int, float, tuple))
        assert not each.unit or each.measure.word not in each.why


def test_steps_that_only_prepare_are_known_by_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No user can follow because of these: a journal says so of each."""
    assert [row.name for row in ROWS if row.prepares] == ["scale-up"]
    book = Recorder(EngineClock("boot", 0.0, 0.0), tmp_path / "journal.json", ())
    for name in ("scale-up", "promote"):
        row = replace(catalogue.step(name), act=lambda _: "done")
        monkeypatch.setattr(catalogue, "step", lambda _name, row=row: row)
        written = catalogue.do(Call(name), context(recorder=book))
        assert (written.phase, written.prepares) == (row.phase, row.prepares)
        monkeypatch.undo()


def test_no_two_rows_have_one_name_and_the_list_is_in_order() -> None:
    names = [row.name for row in ROWS]
    assert names == sorted(set(names))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_where_no_plan_says_which_node_is_meant_no_name_is_left_in_braces(row: Step) -> None:
    assert not set("{}") & set(markdown([row]))
    assert "{" not in str(as_json(row)["needs"]).replace("{'fact'", "")


def test_an_option_says_what_it_may_be_and_is() -> None:
    told = option(Option("where", str, "near", "on which resolvers", ("everywhere", "near")))
    assert told == "on which resolvers: everywhere or near (default: near)"
    assert option(Option("node", str, "", "which database")) == "which database: a text"
    told = option(Option("at", tuple, (5, 25), "parts of a hundred"))
    assert told == "parts of a hundred: a list of whole numbers (default: [5, 25])"
    told = option(Option("days", Texts, Texts(), "when", ("monday", "friday")))
    assert told == "when: a list of monday, friday"
    assert option(Option("words", Texts, Texts(), "what to do")) == "what to do: a list of texts"
    told = option(Option("rpo", int, 5, "what may be lost", most=9, unit="s"))
    assert told == (
        "what may be lost (seconds): a whole number or a duration such as 5m, 0 to 9 (default: 5)"
    )


def test_the_documentation_holds_the_rows_as_they_are() -> None:
    text = (DOCS / "runbooks.md").read_text()
    assert text.partition("<!-- catalogue -->\n")[2] == markdown(ROWS)


def test_the_documentation_of_drills_holds_the_steps_that_are_theirs_alone() -> None:
    text = (DOCS / "drills.md").read_text()
    found = re.search(r"<!-- steps -->\n(.*)<!-- end of the steps -->", text, re.DOTALL)
    assert found
    assert found[1] == table(of_drills())
    assert not set("{}") & set(found[1])


def test_the_example_in_the_documentation_is_a_runbook_that_may_be_used(tmp_path: Path) -> None:
    from lab.runbooks.checkup import Level, check
    from lab.runbooks.runbookfile import read
    from lab.runbooks.scenarios import scenario

    text = (DOCS / "runbooks.md").read_text()
    found = re.search(r"```yaml\n(name:.*?)```", text, re.DOTALL)
    assert found
    path = tmp_path / "example.yaml"
    path.write_text(found[1])
    book = read(path, ROWS)
    assert check(book, ROWS, [scenario(name) for name in book.scenarios]).level is Level.FINE
