"""The registry of metrics: a row each, and no other list of them anywhere. Pure.

A metric has a name such as `lost` or `rto_seconds.east`; what stands after the first dot says of
whom it is. To add one, add a row. A percentile of latency is a field of `StretchRow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from lab.core.errors import UnknownName
from lab.core.verdict import Found
from lab.records import metricvalues as values
from lab.records.metric import PHASES, USERS, Better, Metric, Shown, Tolerance
from lab.records.result import Result
from lab.records.resultrows import MOVED, PERCENTILES
from lab.records.thresholds import filled

_FIRST, _ALONE = Shown.FIRST, Shown.ALONE
_TIME: Final = Tolerance(0.5)
_LOSS: Final = Tolerance(10)
_NO_FAULT: Final = "there was no fault, or no users, to measure"
_NO_LOAD: Final = "there was no fault, or no load before it"
_UNTRACED: Final = "some acknowledgements name no timeline"
_NOT_DONE: Final = "there was neither a fault nor a first step to measure from"
_NEARLY_ALL: Final = f"{MOVED['t99'].share:g} %"

METRICS: Final = (
    Metric(
        "acknowledged", "writes", "acknowledged",
        "writes that were acknowledged as safe",
        "writes whose outcome is `ok`",
        values.field("acknowledged"), Better.NEITHER, _FIRST,
    ),
    Metric(
        "lost", "writes", "lost",
        "acknowledged writes that the final primary does not have",
        "acknowledged writes (`ok`) whose client key is missing from the final primary",
        values.field("lost"), shown=_FIRST, flag="loss", tolerance=_LOSS,
    ),
    Metric(
        "rpo_seconds", "s", "RPO",
        "how far back the lost acknowledgements reach",
        "max(fault, last lost acknowledgement) − first lost acknowledgement; 0 if nothing was lost",
        values.field("rpo_seconds"), shown=_FIRST, missing="there was no fault to measure from",
        flag="rpo", tolerance=Tolerance(0.25),
    ),
    Metric(
        "rto_seconds", "s", "RTO, {}",
        "how long users could not order; for the whole run: the value of the slowest population",
        "from just before the fault's first action to the first acknowledgement t after it such"
        " that at least {share} % of the writes started in (t, t + {window} s] were served, each"
        " within {patience} s. Only users who honour TTLs; the others are listed apart. 0 exactly"
        " if this is true at the fault itself (never interrupted). null, with a lower bound, if it"
        " is true at no moment of the record",
        values.returns, shown=_FIRST, of=USERS, missing=_NO_FAULT, flag="rto",
        tolerance=_TIME,
    ),
    Metric(
        "longest_gap_seconds", "s", "longest pause, {}",
        "the longest time without an acknowledged write",
        "longest time after the fault (or the first step of a run without one) in which none of a"
        " population's users' writes was acknowledged (`ok`); fault and end of the load end a gap."
        " Without any acknowledged write it is the whole time. For the whole run: the value of the"
        " population that waited longest",
        values.of_users(lambda row: row.longest_gap_seconds), of=USERS, missing=_NOT_DONE,
        tolerance=_TIME,
    ),
    Metric(
        "longest_read_gap_seconds", "s", "longest pause of reads, {}",
        "the longest time without an answered read",
        "the same of reads that were answered (`ok`)",
        values.of_users(lambda row: row.longest_read_gap_seconds), of=USERS, missing=_NOT_DONE,
        tolerance=_TIME,
    ),
    Metric(
        "split_brain_writes", "writes", "split brain",
        "writes that an old primary acknowledged after the new primary had acknowledged its first"
        " one",
        "acknowledgements (`ok` or `local`) on a branch after the first one on a newer branch. A"
        " branch is a timeline of one server: two servers on a timeline of the same number were"
        " promoted each by itself. The branch with the higher timeline is newer. If both have the"
        " same number, the branch with the later first acknowledgement is newer. If an"
        " acknowledgement names no timeline, the count is a lower bound, and objectives are judged"
        " by that bound",
        values.bounded("split_brain_writes"), missing=_UNTRACED, flag="split-brain",
        tolerance=Tolerance(0),
    ),
    Metric(
        "split_brain_seconds", "s", "split-brain time",
        "how long two primaries took writes at once",
        "from the first acknowledgement on the newer branch to the last one on the old branch."
        " Overlaps count once. If an acknowledgement names no timeline, it is a lower bound",
        values.bounded("split_brain_seconds"), missing=_UNTRACED, tolerance=Tolerance(0),
    ),
    Metric(
        "rpo_wal_bytes", "bytes", "WAL of lost writes",
        "how much write-ahead log the lost acknowledgements span",
        "highest LSN of a lost acknowledgement on the old timeline − LSN of the fork (where the"
        " new timeline left the old one). A lower bound: the LSN is read just before the commit is"
        " written. 0 if nothing was lost, or only below the fork; null where writes were lost but"
        " no database was promoted or no lost acknowledgement on that timeline names an LSN",
        values.wal_bytes, missing="no lost acknowledgement names a position behind the fork",
    ),
    Metric(
        "orphaned", "writes", "lost, on an old machine",
        "lost writes that are still on a machine that was replaced",
        "lost writes that a loser has",
        values.field("orphaned"),
    ),
    Metric(
        "unaccounted", "writes", "lost, in no database",
        "lost writes that are in no database that was read",
        "lost writes that no node has",
        values.unaccounted,
    ),
    Metric(
        "unexpected", "writes", "reported as failed, but stored",
        "writes that are stored although users were told that they failed",
        "writes whose outcome is `fail` that the winner has",
        values.field("unexpected"),
    ),
    Metric(
        "duplicated", "writes", "stored twice",
        "orders that are stored more than once",
        "client keys that the winner has twice, whether or not a record has them",
        values.field("duplicated"),
    ),
    Metric(
        "unknown", "writes", "no answer",
        "writes without an answer: they may have happened",
        "writes whose outcome is `unknown`",
        values.field("unknown"),
    ),
    Metric(
        "stale_reads", "reads", "stale reads",
        "reads that missed an order which exists",
        "reads that a user began after his order was acknowledged, and that were answered \"no such"
        " order\" although the final primary has the order",
        values.stale,
    ),
    Metric(
        "seen_then_gone", "writes", "read, then gone",
        "orders that a user read and that the final primary does not have",
        "writes of any outcome that the winner does not have, and that a read of any user found (it"
        " was answered with the order), whenever that was. Orders are counted, not reads",
        values.seen_then_gone, missing="the run is older than this figure", tolerance=_LOSS,
    ),
    Metric(
        "phase_seconds", "s", "phase: {}",
        "where the recovery time went; of the run: the longest phase",
        "detect = fault → detected; decide = detected → decided; fence, promote, re-point = time"
        " covered by their steps; clients follow = end of the last re-point step that began before"
        " the return → return. They may overlap; *unexplained* is the part of fault → return that"
        " none of them covers. null: the phase has no mark and no step; *clients follow* and"
        " *unexplained* are also null if users did not come back. *Clients follow* is 0 if the"
        " last re-point step ended after the return, or if all re-point and promote steps began"
        " after the return",
        values.phases, of=PHASES, missing="there was no fault",
    ),
    Metric(
        "full_recovery_seconds", "s", "full recovery",
        "time until error rate and capacity were as before",
        "from the fault to the end of the last whole second that was not good, all users together,"
        " also those who ignore TTLs. Good: at least {share} % of the writes started in it served,"
        " and at least {capacity} % of the rate served before the fault. {window} s of record must"
        " follow; null with a bound if the record ends before that",
        values.full_recovery, missing=_NO_LOAD, tolerance=Tolerance(2),
    ),
    Metric(
        "seconds_over_limit", "s", "too slow",
        filled("seconds in which p99 was more than {spike} times its value before the fault"),
        "whole seconds after the fault in which any population's p99 is over the limit;"
        " unacknowledged writes count as infinite latency. Limit = {spike} × the slowest"
        " population's p99 before the fault",
        values.over_limit, missing=_NO_LOAD,
    ),
    Metric(
        "moved_seconds", "s", f"{_NEARLY_ALL} moved, {{}}",
        "time until nearly all users had come to the region that took over",
        f"time from the fault until {_NEARLY_ALL} of the users who had to move had moved"
        " (`movements`); only users who honour TTLs",
        values.moved, of=USERS, missing="no user had to move",
    ),
    *(
        Metric(
            f"{name}_before", "s", f"{each.title} before, {{}}",
            f"latency that {each.share:g} % of the writes before the fault did not exceed",
            "nearest-rank percentile of the time from the start of the first attempt to the final"
            " answer; counted are writes that started after the steady state began and were"
            " acknowledged before the fault",
            values.of_latency(name), of=USERS, missing="no write was acknowledged before the fault",
        )
        for name, each in PERCENTILES.items()
    ),
    Metric(
        "acknowledged_before_fault", "writes", "acknowledged before the fault",
        "shows that there were enough acknowledged writes before the fault",
        "acknowledged writes from the steady state to the fault, of the population with the fewest"
        " writes",
        values.before_fault, Better.HIGHER, _ALONE,
    ),
    Metric(
        "load_pause_seconds", "s", "pause of the load",
        "the longest time in which users started no write",
        "longest time from the steady state to the end of the load in which a population started"
        " no write",
        values.load_pause, shown=_ALONE,
    ),
    Metric(
        "record_gaps", "gaps", "gaps of the record",
        "what is missing of the users' record",
        "populations whose record is missing or lacks operations, records that are cut in the"
        " middle, orders of users that are on a node but in no record, losers that could not be"
        " read",
        values.record_gaps, shown=_ALONE,
    ),
    Metric(
        "recovered", "writes", "no answer, but stored",
        "writes without an answer that are stored",
        "writes whose outcome is `unknown` that the winner has",
        values.field("recovered"), Better.NEITHER, _ALONE,
    ),
    Metric(
        "local_lost", "writes", "lost with a warning",
        "writes that were acknowledged with a warning and are gone",
        "writes whose outcome is `local` that the winner does not have",
        values.field("local_lost"), shown=_ALONE,
    ),
    Metric(
        "lost_earlier", "writes", "lost before",
        "acknowledged writes that were lost by what led to the situation",
        "acknowledged writes (`ok`) that ended before the measured part of the run began, and whose"
        " client key was then missing from the primary, and is from the final primary. They do not"
        " count as lost",
        values.field("lost_earlier"), Better.NEITHER, _ALONE,
    ),
    Metric(
        "relapses", "populations", "relapses",
        "populations that were interrupted again after they were back",
        "populations that honour TTLs and have a later window of {window} s in which fewer than"
        " {share} % of the writes were served",
        values.relapses, shown=_ALONE, missing=_NO_FAULT,
    ),
)  # fmt: skip


def read(result: Result) -> dict[str, float | None]:
    """What other runs are compared with, by its full name; null was not measured."""
    return {
        row.of_whom(whom).name: found.value
        for row in METRICS
        if row.shown is not Shown.ALONE
        for whom, found in row.find(result).items()
    }


def find(name: str, result: Result) -> Found:
    """What was measured under a full name. Raises UnknownName."""
    row, whom = _placed(name)
    return row.found(result, whom)


def metric(name: str) -> Metric:
    """The row of a full name, which its name and its title say. Raises UnknownName."""
    row, whom = _placed(name)
    return row.of_whom(whom) if whom else row


def figure(name: str) -> Metric:
    """The row of a full name that an objective may give. Raises UnknownName, also for of whom."""
    row, whom = _placed(name)
    if row.of and whom and whom not in row.of.names:
        raise UnknownName(row.of.noun, whom, row.of.names)
    return row


def _placed(name: str) -> tuple[Metric, str]:
    """A row, and of whom. Raises UnknownName."""
    stem, dot, whom = name.partition(".")
    for row in METRICS:
        if row.name == stem and (row.of or not dot):
            return row, whom
    raise UnknownName("figure", name, [row.name for row in METRICS])


def ordered(names: Iterable[str]) -> list[str]:
    """Full names in the order of the rows, unknown ones left out; others as they came."""
    place = {row.name: number for number, row in enumerate(METRICS)}
    known = [name for name in names if name.partition(".")[0] in place]
    return sorted(known, key=lambda name: place[name.partition(".")[0]])


def flags() -> Mapping[str, str]:
    """Short options of `lab drill`, and the metric that each one puts an upper limit on."""
    return {row.flag: row.name for row in METRICS if row.flag}
