"""The page on what is promised names all that `lab.api` exports, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lab import api
from lab.drills.byhand import Hands
from lab.drills.mistakes import written
from lab.records import result, spread

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "api.md").read_text()
DRILLS = (DOCS / "drills.md").read_text()
NAMES = re.findall(r"^\| `(\w+)(?:\(.*?\))?` \|", PAGE.partition("| Stable |")[0], re.MULTILINE)


def test_the_page_names_what_is_exported_and_nothing_else() -> None:
    assert sorted(NAMES) == sorted(api.__all__)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize(
    "name", [name for name in api.__all__ if not isinstance(getattr(api, name), type)]
)
def test_a_function_is_written_with_the_arguments_that_it_has(name: str) -> None:
    assert f"| `{written(getattr(api, name))}` |" in PAGE


def test_nothing_else_in_the_module_looks_public() -> None:
    made_here = {
        name
        for name, each in vars(api).items()
        if getattr(each, "__module__", "") == "lab.api" and not name.startswith("_")
    }
    assert made_here <= set(api.__all__)


VERBS = [name for name, each in vars(Hands).items() if name[0] != "_" and callable(each)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_guide(verb: str) -> None:
    if verb != "end":  # the block does it
        assert re.search(rf"^\|.*`{verb}\(.*\|", DRILLS, re.MULTILINE)


def test_every_field_of_a_drill_that_a_script_sets_is_in_the_guide() -> None:
    guide = DRILLS.partition("| Field |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", guide))
    set_by_the_lab = {"added", "file", "bound", "pattern"}
    assert {each.name for each in fields(api.Drill)} - set_by_the_lab <= named


def test_the_page_names_the_versions_of_both_documents() -> None:
    assert f"`schema_version` is {result.SCHEMA}." in PAGE
    assert f"its version is {spread.SCHEMA}" in PAGE
