"""What checking runbooks found, as marks on lines, in GitHub's and in GitLab's form. Pure.

GitHub reads a line of a job's log as a command if it begins with `::`. It shows at most ten errors,
ten warnings and ten notices of a step. GitLab reads a file of JSON, its report of code quality.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lab.core.errors import BadRunbook
from lab.runbooks.checkup import Checkup, Level


@dataclass(frozen=True, slots=True)
class Severity:
    """How bad a mark is, in the words of each place that shows it."""

    word: str
    github: str
    gitlab: str


NOTE: Final = Severity("note", "notice", "info")
UNREADABLE: Final = Severity("unreadable", "error", "blocker")
_LEVELS: Final = {
    Level.COSTLY: Severity("costly", "warning", "minor"),
    Level.UNSAFE: Severity("unsafe", "error", "critical"),
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark on a line of a file; line 0 is the whole file. `rule` is the step that it is about."""

    severity: Severity
    file: str
    line: int
    rule: str
    text: str


def of_checkup(
    found: Checkup, file: str, notes: Iterable[tuple[int, str]] = ()
) -> Iterator[Annotation]:
    """Every finding and every note, each with its line."""
    for each in found.findings:
        wrong = each.violation
        text = f"{wrong.sentence}{found.among(each)}"
        yield Annotation(_LEVELS[each.level], file, wrong.line, wrong.step, text)
    steps = {call.line: call.step for call in found.runbook.steps}
    for line, text in notes:
        yield Annotation(NOTE, file, line, steps.get(line, "runbook"), text)


def of_error(error: BadRunbook, file: str) -> Annotation:
    """A file that is no runbook."""
    text = "\n".join(filter(None, [error.reason, error.next_step]))
    return Annotation(UNREADABLE, file, error.line, "runbook", text)


# ── GitHub ───────────────────────────────────────────────────────────────────────────────────


def github(marks: Iterable[Annotation]) -> str:
    """A line for each, as GitHub's runner reads it from a job's output."""
    return "".join(f"{_command(each)}\n" for each in marks)


def _command(mark: Annotation) -> str:
    where = {"file": mark.file, "line": str(mark.line or 1)}
    said = {**where, "title": f"{mark.severity.word}: {mark.rule}"}
    properties = ",".join(f"{name}={_property(text)}" for name, text in said.items())
    return f"::{mark.severity.github} {properties}::{_data(mark.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# ── GitLab ───────────────────────────────────────────────────────────────────────────────────


def code_quality(marks: Iterable[Annotation]) -> str:
    """All of them as one document. A fingerprint tells two marks apart, wherever lines move."""
    seen: Counter[tuple[str, ...]] = Counter()
    issues = []
    for each in marks:
        same = each.file, each.rule, each.text
        seen[same] += 1
        issues.append(_issue(each, json.dumps([*same, seen[same]])))
    return f"{json.dumps(issues, indent=2)}\n"


def _issue(mark: Annotation, identity: str) -> dict[str, object]:
    return {
        "description": mark.text,
        "check_name": mark.rule,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest(),
        "severity": mark.severity.gitlab,
        "location": {"path": mark.file, "lines": {"begin": mark.line or 1}},
    }
