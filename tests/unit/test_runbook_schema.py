"""The schema for editors says of a runbook what the parser says."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lab.core.errors import BadRunbook
from lab.runbooks.option import Option, Texts
from lab.runbooks.runbook import Step
from lab.runbooks.runbookfile import KEYS, parse
from lab.runbooks.runbookschema import schema, text
from lab.runbooks.shipped import shipped
from lab.steps.catalogue import vocabulary

FILE = Path(__file__).parent.parent.parent / "docs" / "runbook.schema.json"
ROWS = vocabulary()
SCHEMA = schema(ROWS)
VALIDATOR = Draft202012Validator(SCHEMA)
GOOD = {
    "name": "my-failover",
    "title": "East is lost",
    "why": "users must be able to order",
    "pattern": "hot-single-writer",
    "from": "east.db1",
    "to": "west.db1",
    "scenarios": ["region-dead"],
    "steps": ["detect", {"check-lag": {"rpo": "5m"}}, {"fence": None}],
}


def parses(data: object, rows: Iterable[Step] = ROWS) -> bool:
    try:
        parse(yaml.safe_dump(data), "my.yaml", rows)
    except BadRunbook:
        return False
    return True


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert all(VALIDATOR.is_valid(each) and parses(each) for each in SCHEMA["examples"])


def test_the_schema_that_is_published_is_up_to_date() -> None:
    assert FILE.read_text() == text(vocabulary()), (
        "write it again: python -c 'from lab.steps.catalogue import vocabulary;"
        ' from lab.runbooks.runbookschema import text; print(text(vocabulary()), end="")\''
        " > docs/runbook.schema.json"
    )


def test_every_step_and_every_key_is_described() -> None:
    steps = SCHEMA["properties"]["steps"]["items"]["anyOf"]
    named = {each["const"]: each["description"] for each in steps if "const" in each}
    assert set(named) == {each.name for each in vocabulary() if not each.main}
    assert set(steps[-1]["properties"]) == {each.name for each in vocabulary()}
    assert not [each for each in named.values() if "{" in each]
    assert all(SCHEMA["properties"][each.name]["description"] for each in KEYS)


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_a_shipped_runbook_is_right_for_the_schema_too(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))


def test_a_shipped_runbook_tells_editors_where_the_schema_is() -> None:
    for path in shipped():
        first = path.read_text().partition("\n")[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (path.parent / first.partition("=")[2]).resolve() == FILE


# ── the same judgement ───────────────────────────────────────────────────────────────────────

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**10),
    st.sampled_from([0.5, -1.5]),
    st.sampled_from(["", " ", "5m", "1h30m", "5", "5x", "m5", "60s ms", "lost", "human", "fence"]),
    st.sampled_from(
        ["detect", "partition", "east.db1", "west.db1", "west.app", "my-failover", "-"]
    ),
    st.just([]),
    st.just({}),
)
OPTIONS = ["rpo", "accept_loss", "approval", "where", "to", "force", "connections", "other"]
STEPS = [each.name for each in vocabulary()]
STEP = st.one_of(
    ANYTHING,
    st.sampled_from(STEPS),
    st.dictionaries(
        st.sampled_from(STEPS),
        st.one_of(ANYTHING, st.dictionaries(st.sampled_from(OPTIONS), ANYTHING, max_size=2)),
        max_size=2,
    ),
)


@given(st.sampled_from([*(each.name for each in KEYS), "other"]), ANYTHING)
def test_a_value_is_right_for_both_or_for_neither(key: str, value: object) -> None:
    data = {**GOOD, key: value}
    assert VALIDATOR.is_valid(data) == parses(data)


@given(STEP)
def test_a_step_is_right_for_both_or_for_neither(step: object) -> None:
    data = {**GOOD, "steps": [step]}
    assert VALIDATOR.is_valid(data) == parses(data)


@given(st.lists(ANYTHING, max_size=3))
def test_scenarios_are_right_for_both_or_for_neither(names: list[object]) -> None:
    data = {**GOOD, "scenarios": names}
    assert VALIDATOR.is_valid(data) == parses(data)


@pytest.mark.parametrize("key", GOOD)
def test_a_key_that_is_missing_is_missed_by_both(key: str) -> None:
    data: dict[str, Any] = deepcopy(GOOD)
    del data[key]
    assert not VALIDATOR.is_valid(data)
    assert not parses(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "east.db1"},
        {"from": "west.db1"},
        {"name": "My Failover"},
        {"name": "x" * 61},
        {"scenarios": ["partition", "partition"]},
        {"steps": [{"decide": {"approval": "humane"}}]},
        {"steps": [{"check-lag": {"rpo": "5 m"}}]},
        {"steps": [{"check-lag": {"rpo": True}}]},
        {"steps": [{"fence": None, "promote": None}]},
        {"flaw": "true"},
    ],
)
def test_what_is_wrong_is_wrong_for_both(changes: dict[str, Any]) -> None:
    assert parses(GOOD)
    assert VALIDATOR.is_valid(GOOD)
    assert not parses({**GOOD, **changes})
    assert not VALIDATOR.is_valid({**GOOD, **changes})


@pytest.mark.parametrize(
    ("stages", "right"),
    [([0], True), ([10, 50], True), ([], False), ([-1], False), (["x"], False), (5, False)],
)
def test_a_list_of_numbers_is_right_for_both_or_for_neither(stages: object, right: bool) -> None:
    stage = Option("stages", tuple, (10, 100), "per cent of users")
    rows = [replace(vocabulary()[0], name="gate", options=(stage,))]
    made = schema(rows)
    *_, shapes = made["properties"]["steps"]["items"]["anyOf"]
    assert shapes["properties"]["gate"]["properties"]["stages"]["default"] == [10, 100]
    data = {**GOOD, "steps": [{"gate": {"stages": stages}}]}
    assert Draft202012Validator(made).is_valid(data) is right
    assert parses(data, rows) is right


@pytest.mark.parametrize(
    ("told", "right"),
    [
        (["go"], True), ({"words": ["go"]}, True), ({"words": ["go"], "days": ["friday"]}, True),
        (None, False), ([], False), ([5], False), ([" "], False), ("go", False), ({}, False),
        ({"days": ["friday"]}, False), ({"words": ["go"], "days": ["sunday"]}, False),
        ({"words": ["go"], "days": []}, False),
    ],
)  # fmt: skip
def test_a_list_of_texts_that_must_be_said_is_right_for_both_or_for_neither(
    told: object, right: bool
) -> None:
    words = Option("words", Texts, Texts(), "what to do")
    days = Option("days", Texts, Texts(), "when", ("monday", "friday"))
    rows = [replace(vocabulary()[0], name="do", options=(words, days), main="words")]
    data = {**GOOD, "steps": [{"do": told}]}
    assert Draft202012Validator(schema(rows)).is_valid(data) is right
    assert parses(data, rows) is right


def test_a_letter_of_any_language_stands_in_the_schema_as_it_is() -> None:
    assert "Östlich" in text([replace(ROWS[0], title="Östlich")])
