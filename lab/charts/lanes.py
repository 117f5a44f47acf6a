"""The lanes of a report, as rows: what each shows, how it is made, who draws it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lab.charts import bands, bars, curves, events
from lab.charts.axis import Axis, Block
from lab.records.result import Result


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane. `formula` is a line that says what is drawn; `draw` gives None for "no data"."""

    title: str
    formula: str
    draw: Callable[[Result, Axis], Block | None]


LANES: Final = (
    Lane(
        "Runbook",
        "Each step from its start to its end, as journaled; a diamond is a moment: the fault, and"
        " when each population that honours TTLs could write again (its RTO).",
        events.runbook,
    ),
    Lane(
        "Writes per second",
        "Writes by the second in which they ended, and what their users were told. Height is a"
        " rate, whatever number of seconds a bar stands for.",
        bars.traffic,
    ),
    Lane(
        "Latency of writes",
        "From a write's first attempt to its acknowledgement, by the second in which it was"
        " started. A write that was never acknowledged counts as infinite latency. Logarithmic; a"
        " bar of several seconds shows the worst of them.",
        curves.latency,
    ),
    Lane(
        "Replication lag",
        "WAL that the primary of the standby's timeline had flushed and the standby had not"
        " received, sampled twice a second; “… old” is the age of the last commit that the standby"
        " had replayed. Empty where there was no such primary to ask, or no answer.",
        curves.lag,
    ),
    Lane(
        "What DNS answers",
        "What each region's resolver said of the users' name, sampled twice a second.",
        bands.answers,
    ),
    Lane(
        "Where users went",
        "Operations per second by the gateway that they were sent to, by the second in which they"
        " started. Both rows have one scale.",
        bars.addresses,
    ),
    Lane(
        "Databases",
        "What each database said it was, and its timeline, sampled twice a second: a change is"
        " drawn where it was first seen, up to half a second late.",
        bands.roles,
    ),
)
