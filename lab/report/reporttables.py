"""The tables of a report, as rows of text: what was measured of users, and how. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from lab.core import words
from lab.records.journalfile import StepRecord
from lab.records.result import Result
from lab.records.resultrows import (
    MOVED,
    PERCENTILES,
    MisdirectedRow,
    MovementRow,
    Scalar,
    StepRow,
    StretchRow,
)
from lab.records.thresholds import filled
from lab.report.table import Column, Table


def _n(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, "n") for title in titles)


Group = TypeVar("Group", MovementRow, MisdirectedRow)
_WHO: Final = (Column("Users"), Column("DNS TTL"))


def _ttl(honours: bool) -> str:
    return "honoured" if honours else "ignored"


def _or(text: str, value: float | None) -> str:
    return text if value is None else words.seconds(value)


def incidents(result: Result) -> Table:
    """What happened in a run by hand, one thing after the other."""
    names = [each for row in result.incidents[:1] for each in row.rto_seconds if each != "max"]
    return Table(
        "What happened",
        (
            Column("What", "line"),
            *_n("From", *(f"{each} back after" for each in names), "No order for"),
        ),
        tuple(
            (
                row.what,
                words.moment(row.started),
                *(_or("not back", row.rto_seconds.get(name)) for name in names),
                words.seconds(row.gap_seconds),
            )
            for row in result.incidents
        ),
        "Each counts until the next one begins, or users stop. Back means the same as below.",
    )


def returns(result: Result) -> Table:
    """When each group could write again."""
    return Table(
        "When they could order again",
        (*_WHO, *_n("First order", "Back after", "Served from then on"), Column("How", "line")),
        tuple(
            (
                row.population,
                _ttl(row.honours_ttl),
                words.seconds(result.rto_first_seconds.get(row.population))
                if row.honours_ttl
                else "–",
                words.seconds(row.seconds),
                "–"
                if row.seconds is None
                else f"{row.served:,} of {row.started:,} in {result.rto_window:g} s",
                row.why
                + (
                    ""
                    if row.relapsed is None
                    else f"; interrupted again at {words.moment(row.relapsed)}"
                ),
            )
            for row in result.recoveries
        ),
        filled(
            "Back after: from the fault to the first acknowledged write after which at least"
            " {share} % of the writes started in the next {window} s were served, each within"
            " {patience} s. First order: from the fault to the first acknowledged write at all.",
            window=result.rto_window,
            patience=result.rto_patience,
        ),
    )


def movements(result: Result) -> Table:
    """How fast users came to the region that took over."""
    shares = [f"{each.share:g} %" for each in MOVED.values()]
    return Table(
        "How fast they moved",
        (*_WHO, *_n("Had to move", "Moved", *shares)),
        tuple(
            (
                row.population,
                _ttl(row.honours_ttl),
                f"{row.users:,}",
                f"{row.moved:,}",
                *(_or("not seen", getattr(row, name)) for name in MOVED),
            )
            for row in _by_ttl(result.movements)
        ),
        "Had to move: users whose last operation before the fault went to a gateway that died. A"
        " user has moved with the first operation after the fault that is acknowledged through"
        f" another one. {words.listed(shares)}: seconds from the fault until that share of them had"
        " moved; not seen if the record ended before.",
    )


def misdirected(result: Result) -> Table:
    """What was still sent to the region that was gone."""
    return Table(
        "Sent to the dead region",
        (*_WHO, *_n("Operations", "Last one")),
        tuple(
            (
                row.population,
                _ttl(row.honours_ttl),
                f"{row.operations:,}",
                "–" if row.last is None else words.moment(row.last),
            )
            for row in _by_ttl(result.misdirected)
        ),
        "Operations that were started after the fault and sent to a gateway that was dead, and"
        " when the last of them was started.",
    )


def _by_ttl(rows: Iterable[Group]) -> list[Group]:
    """Those who honour TTLs first: the others are a story of their own."""
    return sorted(rows, key=lambda row: (not row.honours_ttl, row.population))


_PARTS: Final = {
    "fault_started": ("before the fault", "until they were back"),
    "runbook_started": ("before the first step", "from the first step on"),
}
"""What the parts of a run are called, by the zero of its time axis."""


def latency(result: Result) -> Table:
    """Load and latency before, during and after."""
    titles = [each.title for each in PERCENTILES.values()]
    before, during = _PARTS.get(result.time_zero, ("whole run", ""))
    parts = ((before, "before"), (during, "during"), ("after the return", "after"))
    return Table(
        "Load and latency",
        (Column("Users"), Column("When"), *_n("Started", "Acknowledged", *titles)),
        tuple(
            (row.population, when, *_stretch(part))
            for row in result.populations
            for when, name in parts
            if (part := getattr(row, name)) is not None
        ),
        "Writes per second, and latency of acknowledged writes from the first attempt to the"
        " answer.",
        " ".join(_silences(result)),
    )


def _stretch(part: StretchRow) -> tuple[str, ...]:
    return (
        words.rate(part.started_per_second),
        words.rate(part.acknowledged_per_second),
        *(words.milliseconds(getattr(part, name)) for name in PERCENTILES),
    )


def _silences(result: Result) -> Iterator[str]:
    for row in result.populations:
        found = [
            f"{words.seconds(length)} without {what} from {words.moment(begin)}"
            for what, length, begin in (
                ("an order", row.longest_gap_seconds, row.longest_gap_started),
                ("a read", row.longest_read_gap_seconds, row.longest_read_gap_started),
            )
            if length is not None
        ]
        if found:
            yield f"Longest pauses of users {row.population}: {words.listed(found)}."


def budgets(result: Result) -> Table:
    """What the outage cost of error budgets."""
    return Table(
        "Error budget",
        (*_n("Target"), Column("Period"), *_n("Budget", "Spent by this run", "Share")),
        tuple(
            (
                f"{row.target * 100:g} %",
                f"{row.period_days} days",
                words.seconds(row.budget_seconds),
                words.seconds(row.spent_seconds),
                f"{row.spent:,.1%}".replace("%", " %"),
            )
            for row in result.budgets
        ),
        "Budget: (1 − target) × period. Spent: writes after the fault that were not served ÷"
        " writes started per second before it; example: if half of the users cannot write for 10"
        " s, 5 s are spent.",
    )


STEP_COLUMNS: Final = (
    Column("Took", "n"), Column("Step"), Column("Path"), Column("Outcome"),
    Column("Evidence", "line"),
)  # fmt: skip


def step_cells(step: StepRow | StepRecord) -> tuple[str, ...]:
    """A step without its moment; the cells of STEP_COLUMNS."""
    return (
        words.seconds(step.ended - step.started),
        step.name,
        step.path.value,
        step.outcome,
        f"{step.evidence} ({step.why})" if step.why else step.evidence,
    )


STEPS_FORMULA: Final = (
    "In-band steps go through the gateways, out-of-band ones by a management network. Evidence"
    " is what the step saw, in brackets why it is done."
)


def steps(result: Result) -> Table:
    """The runbook with its evidence."""
    return Table(
        "Runbook steps",
        (*_n("After the fault"), *STEP_COLUMNS),
        tuple((words.moment(step.started), *step_cells(step)) for step in result.steps),
        STEPS_FORMULA,
    )


USERS: Final[tuple[Callable[[Result], Table], ...]] = (
    incidents, returns, movements, misdirected, latency, budgets,
)  # fmt: skip
"""Tables of the section about users, in its order; those without rows are left out."""


def value(found: Scalar) -> str:
    """A figure of a second opinion, as it is."""
    if found is None:
        return words.NOT_MEASURED
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int):
        return f"{found:,}"
    return f"{found:,.4g}" if isinstance(found, float) else found
