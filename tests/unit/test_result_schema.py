"""The schemas of result.json and spread.json say what the lab reads and writes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from several import a_run, a_series

from lab.records import result, spread
from lab.records.metricrows import METRICS
from lab.records.result import Result
from lab.records.resultschema import DOCUMENTS, schema, text
from lab.records.spread import Series

ROOT = Path(__file__).parents[2]
VALIDATORS = {name: Draft202012Validator(schema(name)) for name in DOCUMENTS}


def recorded() -> Iterator[tuple[str, Any]]:
    """Results of real runs: those that are packed for tests, and the examples of the docs."""
    for pack in sorted((ROOT / "tests" / "corpus").glob("*.tar.xz")):
        with tarfile.open(pack) as tar:
            for name in tar.getnames():
                if name.endswith("result.json") and (file := tar.extractfile(name)):
                    yield f"{pack.name} {name}", json.load(file)
    for path in sorted((ROOT / "docs" / "examples").glob("*/result.json")):
        yield str(path.relative_to(ROOT)), json.loads(path.read_text())


RECORDED = dict(recorded())
LONG = ("traffic", "addresses", "latencies", "samples")


def short(document: dict[str, Any]) -> dict[str, Any]:
    """The same with little of what is long and of one kind."""
    return {name: value[:2] if name in LONG else value for name, value in document.items()}


MADE_UP = {
    "result": short(json.loads(result.to_json(a_run(1)))),
    "spread": json.loads(spread.to_json(a_series(asked=1, take=1))),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_one_and_the_published_one_is_up_to_date(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    published = ROOT / "docs" / f"{name}.schema.json"
    assert published.read_text() == text(name), (
        f"write it again: python -c 'from lab.records.resultschema import text;"
        f' print(text("{name}"), end="")\' > docs/{name}.schema.json'
    )


def test_results_of_real_runs_are_there_to_be_tried() -> None:
    assert len(RECORDED) >= 5


@pytest.mark.parametrize("name", RECORDED)
def test_the_result_of_a_real_run_fits(name: str) -> None:
    VALIDATORS["result"].validate(RECORDED[name])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_lab_writes_fits_also_with_a_field_that_is_still_to_come(name: str) -> None:
    VALIDATORS[name].validate(MADE_UP[name])
    VALIDATORS[name].validate({**MADE_UP[name], "still_to_come": 1})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_lab_and_the_schema_miss_the_same_fields(name: str) -> None:
    document = MADE_UP[name]
    for field in document:
        cut = {key: value for key, value in document.items() if key != field}
        assert VALIDATORS[name].is_valid(cut) == reads(name, cut), field


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("value", ["x", -1, None, [1]], ids=repr)
def test_what_the_schema_refuses_the_lab_refuses(name: str, value: object) -> None:
    document = MADE_UP[name]
    for field in document:
        changed = {**document, field: value}
        if not VALIDATORS[name].is_valid(changed):
            assert not reads(name, changed), field


def test_another_version_is_refused() -> None:
    for name, document in MADE_UP.items():
        changed = {**document, "schema_version": document["schema_version"] + 1}
        assert not VALIDATORS[name].is_valid(changed)


def test_a_figure_is_described_as_its_metric_is() -> None:
    described = schema("result")["properties"]
    named = [row for row in METRICS if row.name in described]
    assert len(named) >= 10
    for row in named:
        assert described[row.name]["description"] == f"{row.means} ({row.unit})"


def reads(name: str, document: object) -> bool:
    model: type[Result | Series] = {"result": Result, "spread": Series}[name]
    try:
        model.model_validate_json(json.dumps(document), strict=True)
    except ValidationError:
        return False
    return True
