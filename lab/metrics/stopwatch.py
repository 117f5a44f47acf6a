"""The second opinion on the outage: an independent stopwatch against the users' history.

The stopwatch (apps/stopwatch) is another process with another client. It tries to write every
10 ms, straight at the gateways' addresses, and retries nothing. Its record is a header line and
one per attempt. The longest outage by either record, within the same span, is a range of
seconds; ranges that are too far apart leave it open which to believe, and the drill's verdict
unknown.

Pure. Times are CLOCK_MONOTONIC seconds of the engine's kernel, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Found, Judgement, Objective, Verdict, judge
from lab.core.words import moment, seconds
from lab.metrics import entrycounts
from lab.metrics.traffic import Gap, Outage
from lab.records.resultrows import Opinion
from lab.records.stopwatchrecord import WatchRecord, read
from lab.records.thresholds import PATIENCE

_OVERLAP: Final = "the two ranges overlap"
TOLERANCE: Final = 0.050
"""Seconds by which both ranges may be apart.

Each of them is longer than the truth by up to the time until a user's next try: 10 to 20 ms for
the stopwatch, less for all users together. The rest is room for two processes on busy cores.
"""

LONGEST_PAUSE: Final = 0.100
"""Seconds between two attempts beyond which the stopwatch itself stood still.

It matters at both ends of the longest gap: there a try that was not made moves the figure. Amid the
gap every try would have failed; if service had come back there for a moment, the users' gap would
be shorter, and the two would disagree.
"""

NOTHING_TOLD: Final[Mapping[str, int]] = {}
"""Of a lab before this one: how long its record was."""

LONGEST_ABSENCE: Final = PATIENCE
"""Seconds without a try, anywhere, beyond which a part of the record is missing."""


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch that is looked at, [since, until], on one boot's clock."""

    boot_id: str
    since: float
    until: float


# ── measuring ────────────────────────────────────────────────────────────────────────────────


def longest_gap(record: WatchRecord, since: float, until: float) -> Outage:
    """The longest time within [since, until] in which nothing that was tried went through.

    From the start of an acknowledged attempt to the first acknowledgement of one that was started
    later; `since` counts as such a start, `until` as such an acknowledgement. Between two
    acknowledgements it would hang on when the last answer on its way happened to arrive: when
    eight machines die at once that was seen to differ by 240 ms. Of stretches of the same length
    the first counts. It is open from the start of the first later attempt that went through; of
    attempts that were started at one moment none is later than another.
    """
    done = [a for a in record.attempts if a.outcome == "ok" and since < a.start < until]
    longest, next_end, next_start = Outage(until, 0.0), until, until
    for start, end in [*sorted(((a.start, a.end) for a in done), reverse=True), (since, until)]:
        if start < next_start and next_end - start >= longest.seconds:
            longest = Outage(start, next_end - start, max(0.0, next_end - next_start))
        next_end, next_start = min(next_end, end), start
    return longest


def longest_pause(record: WatchRecord, gap: Outage, since: float, until: float) -> Gap:
    """The longest time without a try that reaches within LONGEST_PAUSE of an end of `gap`.

    Both ends are the starts of attempts: of the last one that went through, and of the first one
    that did again. Where none did, the gap ends with `until`. Looked at are tries within
    [since, until].
    """
    end = gap.started + gap.seconds
    ended = [a.start for a in record.attempts if a.outcome == "ok" and abs(a.end - end) < 1e-9]
    ends = [gap.started, *(ended or [end])]
    near = [
        each
        for each in _pauses(record, since, until)
        if any(
            each.started < at + LONGEST_PAUSE and each.started + each.seconds > at - LONGEST_PAUSE
            for at in ends
        )
    ]
    return max(near, key=lambda each: each.seconds)


def _pauses(record: WatchRecord, since: float, until: float) -> list[Gap]:
    """The time between any two tries, and from the borders to the first and the last of them."""
    starts = sorted(a.start for a in record.attempts if since < a.start < until)
    return [Gap(a, b - a) for a, b in pairwise([since, *starts, until])]


# ── judging ──────────────────────────────────────────────────────────────────────────────────

AGREES: Final = Objective(
    "stopwatch_agrees",
    TOLERANCE,
    "s",
    Comparison.AT_MOST,
    "two independent ways of measuring the outage must agree, or neither is to be believed",
    Verdict.UNKNOWN,
)


def second_opinion(
    source: Path | bytes, history: Outage, span: Span, told: Mapping[str, int] = NOTHING_TOLD
) -> Opinion:
    """Hold the stopwatch's record against the longest gap of the users' history.

    `told` is how many entries it said that its record has (`lab.metrics.entrycounts`). A record
    that is missing, damaged, of another boot, full of holes or of another length is no agreement.
    """
    try:
        record = read(source)
    except UsageError as error:
        return missing(error.message)
    if wrong := entrycounts.miscounted(told, {entrycounts.ATTEMPTS: len(record.attempts)}):
        return missing(f"of its record, {wrong}")
    if record.header.boot_id != span.boot_id:
        return missing(f"its clock is of boot {record.header.boot_id}, not {span.boot_id}")
    if span.until <= span.since:
        return missing("the load had stopped before anything was done to users")
    watch = longest_gap(record, span.since, span.until)
    near = longest_pause(record, watch, span.since, span.until)
    anywhere = max(_pauses(record, span.since, span.until), key=lambda each: each.seconds)
    for pause, most in ((near, LONGEST_PAUSE), (anywhere, LONGEST_ABSENCE)):
        if pause.seconds > most:
            when = moment(pause.started - span.since)
            return missing(
                f"it tried nothing for {seconds(pause.seconds)} from {when} on, and {seconds(most)}"
                " is the longest gap with which its figure is still valid"
            )
    return compare(_after(watch, span.since), _after(history, span.since))


def compare(watch: Outage, history: Outage, tolerance: float = TOLERANCE) -> Opinion:
    """Whether both longest gaps agree. `started` of both is on one axis: seconds after the fault.

    Either says "at least a, at most b": service came back while the try that ended the gap was on
    its way. They agree if these two ranges are at most `tolerance` apart. `difference` is between
    both upper ends, the stopwatch's − the history's, which also hangs on who stood where in the
    queue when service came back.
    """
    distance = max(0.0, watch.at_least - history.seconds, history.at_least - watch.seconds)
    agree = distance <= tolerance
    said = (
        f"longest time without an acknowledged write: {_range(watch)} by the stopwatch,"
        f" {_range(history)} by the users' history"
    )
    allowed = f"{tolerance * 1000:.0f} ms allowed"
    apart = f"{distance * 1000:.0f} ms between the ranges; {allowed}" if distance else _OVERLAP
    judged = apart if agree else f"{apart}: it is not known which to believe"
    return _opinion(
        f"{said}; {judged}",
        Verdict.PASS if agree else Verdict.UNKNOWN,
        tolerance,
        {
            "stopwatch": watch.seconds,
            "stopwatch_started": watch.started,
            "history": history.seconds,
            "history_started": history.started,
            "stopwatch_at_least": watch.at_least,
            "history_at_least": history.at_least,
            "difference": watch.seconds - history.seconds,
            "apart": distance,
        },
    )


def _range(silence: Outage) -> str:
    return f"{silence.at_least:.3f} to {silence.seconds:.3f} s"


def missing(reason: str) -> Opinion:
    """No second opinion, and why."""
    return _opinion(f"the stopwatch cannot say: {reason}", Verdict.UNKNOWN, TOLERANCE, {})


def judgement(opinion: Opinion) -> Judgement:
    """The opinion as one of a drill's objectives, so that a disagreement makes it unknown."""
    distance = opinion.values.get("apart")
    found = distance if isinstance(distance, int | float) else None
    return judge(replace(AGREES, limit=opinion.tolerance), Found(found, opinion.answer))


def _after(silence: Outage, zero: float) -> Outage:
    return replace(silence, started=silence.started - zero)


def _opinion(
    answer: str, verdict: Verdict, tolerance: float, values: Mapping[str, float]
) -> Opinion:
    return Opinion(
        name="stopwatch",
        question="For how long was no write acknowledged at all?",
        answer=answer,
        verdict=verdict,
        tolerance=tolerance,
        unit="s",
        values=dict(values),
    )
