"""What checking a runbook found, as JUnit XML: a suite per situation, a case per step. Pure.

What is unsafe is a failure, a step that is not reached is skipped; a file that is no runbook is an
error. What is costly fails nothing: it
stands in the suite's output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab.core.errors import BadRunbook
from lab.core.verdict import Verdict
from lab.report.junit import Case, Suite
from lab.runbooks.checkup import Checked, Checkup, Word
from lab.runbooks.predict import Violation


def suites(found: Checkup, file: str, started: str) -> tuple[Suite, ...]:
    """One for each situation; `started` is ISO 8601 in UTC."""
    return tuple(_suite(found, each, file, started) for each in found.checked)


def unreadable(error: BadRunbook, file: str, started: str) -> Suite:
    """The suite of a file that is no runbook."""
    case = Case("the file is a runbook", Verdict.UNKNOWN, error.message, str(error))
    return Suite(file, started, 0.0, (case,), (("runbook", file),))


def _suite(found: Checkup, each: Checked, file: str, started: str) -> Suite:
    costly = [_told(violation, file) for violation in each.violations if not violation.unsafe]
    return Suite(
        drill=f"{found.runbook.name}.{each.scenario}",
        started=started,
        seconds=0.0,
        cases=(*_steps(each, file), _end(each, file)),
        properties=(
            ("runbook", file),
            ("scenario", each.scenario),
            ("predicted", str(each.prediction.vector)),
            ("level", each.level.value),
        ),
        output="\n".join(costly),
    )


def _steps(each: Checked, file: str) -> Iterator[Case]:
    """A step that is done again is called `verify (2)`."""
    seen: Counter[str] = Counter()
    for number, went in enumerate(each.steps):
        name = went.call.step
        seen[name] += 1
        played = each.prediction.played[number : number + 1]
        told = [_told(wrong, file) for step in played for wrong in step.violations if wrong.unsafe]
        case = _case(f"{name} ({seen[name]})" if seen[name] > 1 else name, told)
        yield replace(case, skipped=went.word is Word.NOT_REACHED)


def _end(each: Checked, file: str) -> Case:
    missing = [_told(wrong, file) for wrong in each.missing if wrong.unsafe]
    return _case("the end", [*([f"{file}: {each.ending}"] if each.ending else []), *missing])


def _case(name: str, told: Sequence[str]) -> Case:
    if not told:
        return Case(name, Verdict.PASS)
    return Case(name, Verdict.FAIL, told[0], "\n".join(told))


def _told(violation: Violation, file: str) -> str:
    where = f"{file}:{violation.line}" if violation.line else file
    return f"{where}: {violation.sentence}"
