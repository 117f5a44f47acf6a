"""JUnit XML for CI: a test suite for each run, a test case for each objective. Pure.

A runbook that was checked has suites of its own (`lab.report.checksuites`).

It fits both schemas in use, Jenkins' and Ant's: so the root has no attributes, times of day have
no zone (they are UTC), and each suite has all parts that either asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from lab.charts.svg import legal
from lab.core import words
from lab.core.verdict import Verdict

if TYPE_CHECKING:
    from lab.records.result import Result
    from lab.records.resultrows import ObjectiveRow

_TAG: Final = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error"}
FLAG: Final = "--junit"
WHOLE: Final = "runbook_finished"
"""The test case that carries the time of the run: the others are read from its record."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `message` is empty if it passed; `skipped` is for one that was not come to."""

    name: str
    verdict: Verdict
    message: str = ""
    detail: str = ""
    seconds: float = 0.0
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """One run. `started` is ISO 8601 in UTC, `properties` and `output` are shown as they are."""

    drill: str
    started: str
    seconds: float
    cases: tuple[Case, ...]
    properties: tuple[tuple[str, str], ...] = field(default=())
    output: str = ""


def of_result(result: Result, folder: str) -> Suite:
    """The suite of a run that has a result."""
    properties = {"seed": str(result.seed), "run": folder, "command": result.command}
    return Suite(
        drill=result.drill,
        started=result.started,
        seconds=result.duration,
        cases=tuple(_case(row, result.duration) for row in result.objectives),
        properties=(*properties.items(), ("verdict", result.verdict.value)),
    )


def of_error(drill: str, seed: int, folder: str | None, started: str, error: str) -> Suite:
    """The suite of a run that died before there was anything to judge."""
    case = Case("run_finished", Verdict.UNKNOWN, error.partition("\n")[0], error)
    properties = {"seed": str(seed), "run": folder or "none", "verdict": Verdict.UNKNOWN.value}
    return Suite(drill, started, 0.0, (case,), tuple(properties.items()))


def after(suite: Suite, earlier: Sequence[str]) -> Suite:
    """The suite of a run that was tried before; `earlier` says what came of each attempt."""
    if not earlier:
        return suite
    attempts = ("attempts", str(len(earlier) + 1))
    told = [f"attempt {number}: {each}" for number, each in enumerate(earlier, 1)]
    return replace(suite, properties=(*suite.properties, attempts), output="\n".join(told))


def _case(row: ObjectiveRow, duration: float) -> Case:
    seconds = duration if row.name == WHOLE else 0.0
    name = row.name if row.baseline is None else f"{row.name} (baseline)"
    if row.verdict is Verdict.PASS:
        return Case(name, row.verdict, seconds=seconds)
    limit = f"{row.comparison.sign} {words.limit(row.limit, row.unit)}"
    found = words.number(row.found, row.unit)
    detail = "\n".join(filter(None, [f"found: {found}", f"limit: {limit}", row.detail, row.why]))
    reason = row.detail.partition("\n")[0]
    message = f"found {found}, limit {limit}" + (f": {reason}" if reason else "")
    return Case(name, row.verdict, message, detail, seconds)


def document(suites: Iterable[Suite]) -> str:
    """The whole file as text."""
    root = ElementTree.Element("testsuites")
    for number, suite in enumerate(suites):
        _append_suite(root, number, suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _append_suite(root: ElementTree.Element, number: int, suite: Suite) -> None:
    told = [case.verdict for case in suite.cases]
    element = _under(
        root,
        "testsuite",
        name=suite.drill,
        package="lab",
        id=str(number),
        timestamp=suite.started[: len("2026-01-02T03:04:05")],
        hostname="localhost",
        tests=str(len(told)),
        failures=str(told.count(Verdict.FAIL)),
        errors=str(told.count(Verdict.UNKNOWN)),
        time=f"{suite.seconds:.3f}",
    )
    properties = _under(element, "properties")
    for name, value in suite.properties:
        _under(properties, "property", name=name, value=value)
    for case in suite.cases:
        _append_case(element, suite.drill, case)
    _under(element, "system-out").text = legal(suite.output) or None
    _under(element, "system-err")


def _append_case(suite: ElementTree.Element, drill: str, case: Case) -> None:
    element = _under(suite, "testcase", classname=drill, name=case.name, time=f"{case.seconds:.3f}")
    if case.verdict in _TAG:
        told = _under(element, _TAG[case.verdict], message=case.message, type=case.verdict.value)
        told.text = legal(case.detail)
    if case.skipped:
        _under(element, "skipped")


def _under(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        parent, tag, {name: legal(text) for name, text in attributes.items()}
    )
