"""The second opinion: what its record says, and when it may call itself an agreement."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import BOOT, write

from lab.core.errors import UsageError
from lab.core.load import WATCH_PREFIX
from lab.core.verdict import Verdict, worst
from lab.metrics.stopwatch import (
    AGREES,
    LONGEST_PAUSE,
    TOLERANCE,
    Span,
    compare,
    judgement,
    longest_gap,
    longest_pause,
    missing,
    second_opinion,
)
from lab.metrics.traffic import Outage, longest_outage
from lab.records import columns
from lab.records.history import Outcome
from lab.records.stopwatchrecord import DamagedRecord, read

NUMBERS = count()
SPAN = Span(BOOT, 100.0, 110.0)


def header(**changes: object) -> bytes:
    document = {
        "record": "header",
        "schema": 1,
        "boot_id": BOOT,
        "started": 99.0,
        "interval": 0.01,
        "deadline": 1.5,
        "gateways": {"east": "10.91.0.11:8000", "west": "10.91.0.12:8000"},
        **changes,
    }
    return json.dumps(document).encode() + b"\n"


def attempt(start: float, outcome: str = "ok", **changes: object) -> bytes:
    document = {
        "record": "attempt",
        "key": f"{WATCH_PREFIX}{next(NUMBERS)}",
        "start": start,
        "end": start + 0.004,
        "gateway": "east",
        "outcome": outcome,
        "timeline": 1 if outcome == "ok" else None,
        "why": None if outcome == "ok" else "status 503",
        **changes,
    }
    return json.dumps(document).encode() + b"\n"


def ticks(since: float, until: float) -> Iterable[float]:
    return (since + n / 100 for n in range(round((until - since) * 100)))


def outage(begin: float, end: float) -> bytes:
    """Ten seconds and a bit, with an attempt every 10 ms; those of the outage fail."""
    tried = ((at, "not" if begin <= at < end else "ok") for at in ticks(99.5, 110.5))
    return header() + b"".join(attempt(at, outcome) for at, outcome in tried)


# ── reading ──────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_read_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "stopwatch.jsonl"
    path.write_bytes(header() + attempt(101.0) + attempt(101.01, "not"))
    record = read(path)
    assert (record.header.boot_id, record.header.interval) == (BOOT, 0.01)
    assert [(a.outcome, a.timeline, a.why) for a in record.attempts] == [
        ("ok", 1, None),
        ("not", None, "status 503"),
    ]
    assert not record.cut


@given(st.integers(1, len(attempt(101.01)) - 1))
def test_a_last_line_may_be_cut_anywhere(size: int) -> None:
    record = read(header() + attempt(101.0) + attempt(101.01)[:size])
    assert len(record.attempts) == 1
    assert record.cut


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", 1, "no header"),
        (header()[:40], 1, "no header"),
        (attempt(101.0), 1, 'no header: record is "attempt"'),
        (header(schema=2), 1, "schema 2"),
        (header(boot_id=None), 1, "boot_id"),
        (header(interval="x"), 1, "interval"),
        (header(interval="0.01"), 1, "interval"),
        (header() + header(), 2, 'no attempt: record is "header"'),
        (header() + b"\n" + attempt(101.0), 2, "JSON"),
        (header() + attempt(101.0)[:30] + b"\n" + attempt(102.0), 2, "JSON"),
        (header() + b"[1]\n", 2, "object"),
        (header() + attempt(101.0) + attempt(102.0, "local"), 3, "outcome"),
        (header() + attempt(101.0, end=100.0), 2, "ends before it starts"),
        (header() + attempt(float("nan")), 2, "start"),
        (header() + attempt(101.0, key="east-1"), 2, "key"),
        (header() + attempt(101.0, timeline="1"), 2, "timeline"),
    ],
)
def test_any_other_damage_is_an_error_that_names_line_and_reason(
    text: bytes, line: int, reason: str
) -> None:
    with pytest.raises(DamagedRecord, match="<record>") as caught:
        read(text)
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert caught.value.exit_code == 2
    assert "run the drill again" in str(caught.value)


def test_damage_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "stopwatch.jsonl"
    path.write_bytes(header() + b"{}\n")
    with pytest.raises(DamagedRecord, match=r"stopwatch\.jsonl, line 2"):
        read(path)


def test_a_record_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"stopwatch\.jsonl cannot be read"):
        read(tmp_path / "stopwatch.jsonl")


# ── measuring ────────────────────────────────────────────────────────────────────────────────


def test_the_longest_gap_is_from_the_last_try_that_went_through_to_the_next_answer() -> None:
    found = longest_gap(read(outage(102.0, 105.0)), 100.0, 110.0)
    assert found.started == pytest.approx(101.99)
    assert found.seconds == pytest.approx(3.014)


def test_an_answer_that_was_long_on_its_way_does_not_shorten_the_gap() -> None:
    late = attempt(101.9, end=102.3)
    found = longest_gap(read(outage(102.0, 105.0) + late), 100.0, 110.0)
    assert (found.started, found.seconds) == (pytest.approx(101.99), pytest.approx(3.014))


def test_borders_end_a_gap_and_without_an_acknowledgement_all_is_one() -> None:
    record = read(outage(102.0, 105.0))
    assert longest_gap(record, 103.0, 104.0) == Outage(103.0, 1.0)
    assert longest_gap(record, 100.0, 104.0).seconds == pytest.approx(104.0 - 101.99)
    assert longest_gap(record, 103.0, 110.0).seconds == pytest.approx(105.004 - 103.0)
    assert longest_gap(read(header()), 100.0, 110.0) == Outage(100.0, 10.0)


TRIES = st.lists(
    st.tuples(
        st.integers(90_000, 120_000), st.integers(0, 3000), st.sampled_from(["ok", "ok", "not"])
    ),
    max_size=30,
)


@given(TRIES)
def test_the_longest_gap_equals_a_naive_reading_of_its_definition_and_the_users_own(
    rows: list[tuple[int, int, str]],
) -> None:
    tries = [(at / 1000, (at + took) / 1000, told) for at, took, told in rows]
    done = [(start, end) for start, end, told in tries if told == "ok" and 100 < start < 110]
    naive = max(
        min([end for later, end in done if later > start] + [110.0]) - start
        for start in (100.0, *(start for start, _ in done))
    )
    record = read(header() + b"".join(attempt(s, told, end=e) for s, e, told in tries))
    gap = longest_gap(record, 100, 110)
    assert gap.seconds == pytest.approx(naive)
    later = min([start for start, _ in done if start > gap.started] + [110.0])
    assert gap.at_least == pytest.approx(min(naive, later - gap.started))
    writes = columns.of(
        write(f"k{n}", Outcome.OK if told == "ok" else Outcome.FAIL, start=0.0, tried=s, end=e)
        for n, (s, e, told) in enumerate(tries)
    )
    users = longest_outage(writes, 100, 110)
    assert (users.seconds, users.open) == (pytest.approx(naive), pytest.approx(gap.open))


def test_of_tries_that_were_started_together_none_is_later_than_another() -> None:
    """Service came back after the try at 102 was started, so the pause was 1 s at least."""
    tries = ((101.0, 101.1), (101.0, 109.5), (102.0, 109.0))
    gap = longest_gap(read(header() + b"".join(attempt(s, end=e) for s, e in tries)), 100, 110)
    writes = columns.of(write(f"{s} {e}", start=0.0, tried=s, end=e) for s, e in tries)
    assert gap == longest_outage(writes, 100, 110)
    assert (gap.started, gap.at_least, gap.seconds) == (101.0, 1.0, 8.0)


def test_of_pauses_of_one_length_the_first_counts_for_the_stopwatch_and_for_users() -> None:
    tries = ((102.0, 102.0), (104.0, 104.0))
    gap = longest_gap(read(header() + b"".join(attempt(s, end=e) for s, e in tries)), 100, 106)
    writes = columns.of(write(f"{s}", start=0.0, tried=s, end=e) for s, e in tries)
    assert gap == longest_outage(writes, 100, 106) == Outage(100.0, 2.0)


def with_pause(begin: float, end: float) -> bytes:
    """The outage from 102 to 105 s, in which nothing was tried between two moments."""
    tried = ((at, "not" if 102.0 <= at < 105.0 else "ok") for at in ticks(99.5, 110.5))
    return header() + b"".join(attempt(at, told) for at, told in tried if not begin < at < end)


@pytest.mark.parametrize(
    ("begin", "end", "matters"),
    [
        (103.0, 103.5, False),  # amid the outage: every try would have failed
        (108.0, 108.5, False),  # long after it
        (101.8, 102.5, True),  # over its beginning
        (102.05, 102.5, True),  # right after it
        (104.5, 105.2, True),  # over its end
        (104.5, 104.95, True),  # right before it
        (103.0, 104.85, False),
        (104.5, 104.9, False),
        (105.1, 105.3, False),  # a tenth of a second after it
        (105.5, 106.0, False),
        (102.05, 102.13, True),
    ],
)
def test_a_pause_matters_at_the_ends_of_the_gap_and_nowhere_else(
    begin: float, end: float, matters: bool
) -> None:
    record = read(with_pause(begin, end))
    gap = longest_gap(record, 100, 110)
    pause = longest_pause(record, gap, 100, 110)
    assert (pause.seconds > 0.05) == matters


def test_an_answer_to_a_try_that_failed_is_no_end_of_the_gap() -> None:
    """The try of 103 was told of its failure at the moment when service came back."""
    late = attempt(103.0, "not", end=105.004)
    record = read(with_pause(103.01, 103.5) + late)
    gap = longest_gap(record, 100, 110)
    assert gap.started + gap.seconds == pytest.approx(105.004)
    assert longest_pause(record, gap, 100, 110).seconds < 0.02


def test_tries_outside_of_the_stretch_are_not_looked_at() -> None:
    """Users were not yet or no longer asked to write when the stopwatch stood still."""
    inside = outage(100.0, 110.0)
    around = attempt(97.0) + attempt(99.4, "not") + attempt(110.6) + attempt(114.0)
    opinion = second_opinion(inside + around, Outage(100.0, 10.0), SPAN)
    assert (opinion.verdict, opinion.values["stopwatch"]) == (Verdict.PASS, 10.0)


# ── judging ──────────────────────────────────────────────────────────────────────────────────


def test_two_that_agree_pass_and_both_figures_are_on_record() -> None:
    opinion = second_opinion(outage(102.0, 105.0), Outage(101.99, 3.0), SPAN)
    assert opinion.verdict is Verdict.PASS
    assert opinion.values["stopwatch"] == pytest.approx(3.014)
    assert opinion.values["stopwatch_started"] == pytest.approx(1.99)
    assert opinion.values["history"] == pytest.approx(3.0)
    assert opinion.values["history_started"] == pytest.approx(1.99)
    assert opinion.values["difference"] == pytest.approx(0.014)
    assert (opinion.tolerance, opinion.unit) == (TOLERANCE, "s")
    assert opinion.answer == (
        "longest time without an acknowledged write: 3.010 to 3.014 s by the stopwatch, 3.000"
        " to 3.000 s by the users' history; 10 ms between the ranges; 50 ms allowed"
    )


@pytest.mark.parametrize("seconds", [3.07, 2.95, 0.0])
def test_two_that_disagree_are_unknown_whichever_is_longer(seconds: float) -> None:
    opinion = second_opinion(outage(102.0, 105.0), Outage(102.0, seconds), SPAN)
    assert opinion.verdict is Verdict.UNKNOWN
    assert "between the ranges; 50 ms allowed: it is not known which to believe" in opinion.answer


@given(st.floats(0, 60), st.floats(0, 60), st.floats(0, 1))
def test_the_verdict_follows_the_difference_alone_and_is_the_same_both_ways(
    one: float, two: float, tolerance: float
) -> None:
    there = compare(Outage(0, one), Outage(5, two), tolerance)
    back = compare(Outage(0, two), Outage(5, one), tolerance)
    assert there.verdict is back.verdict
    assert (there.verdict is Verdict.PASS) == (abs(one - two) <= tolerance)
    assert there.values["difference"] == -float(str(back.values["difference"]))
    assert there.values["apart"] == back.values["apart"]


def test_ranges_that_overlap_agree_and_those_that_do_not_are_as_far_apart_as_their_ends() -> None:
    waited = Outage(0, 3.4, open=0.5)  # 2.9 to 3.4 s
    assert compare(Outage(0, 3.0, open=0.2), waited).values["apart"] == 0.0
    assert compare(Outage(0, 2.8), waited).values["apart"] == pytest.approx(0.1)
    assert compare(Outage(0, 2.8), waited).verdict is Verdict.UNKNOWN
    assert compare(Outage(0, 3.44, open=0.01), waited).verdict is Verdict.PASS


def test_a_stopwatch_that_stood_still_is_no_agreement() -> None:
    tried = [at for at in ticks(99.5, 110.5) if not 102 < at < 102 + LONGEST_PAUSE + 0.02]
    record = header() + b"".join(attempt(at) for at in tried)
    opinion = second_opinion(record, longest_gap(read(record), 100, 110), SPAN)
    assert opinion.verdict is Verdict.UNKNOWN
    assert "it tried nothing for 0.12 s from +2.00 s on" in opinion.answer
    assert opinion.values == {}


@pytest.mark.parametrize(("until", "verdict"), [(103.5, Verdict.PASS), (103.51, Verdict.UNKNOWN)])
def test_amid_an_outage_it_may_stand_still_as_long_as_users_wait_for_one_try(
    until: float, verdict: Verdict
) -> None:
    tried = ((at, "not" if 101.0 <= at < 106.0 else "ok") for at in ticks(99.5, 110.5))
    record = header() + b"".join(attempt(at, told) for at, told in tried if not 102 < at < until)
    assert second_opinion(record, longest_gap(read(record), 100, 110), SPAN).verdict is verdict


def test_how_far_apart_and_how_far_they_may_be_is_told_in_milliseconds() -> None:
    for apart, told in (
        (2.0, "2000 ms between the ranges; 1000 ms allowed: it is not known"),
        (0.75, "750 ms between the ranges; 1000 ms allowed"),
        (0.0, "the two ranges overlap"),
    ):
        assert told in compare(Outage(0, 3.0), Outage(0, 3.0 + apart), 1.0).answer


def test_a_record_that_ends_early_is_no_agreement() -> None:
    record = header() + b"".join(attempt(at) for at in ticks(99.5, 105.0))
    opinion = second_opinion(record, Outage(104.99, 5.01), SPAN)
    assert opinion.verdict is Verdict.UNKNOWN
    assert "tried nothing" in opinion.answer


SILENCES = [
    # from when to when it tried nothing, and until when nothing went through
    (100.3, 112.0, 112.0),  # no return, and no user who looked for one
    (100.3, 111.95, 112.0),  # it looked again when it was nearly over
    (111.85, 112.0, 112.0),  # it ended before the users did
    (105.2, 112.0, 105.0),  # it stood still once service was back: its gap is this silence
    (107.0, 108.6, 105.0),  # not near its gap, but long enough to be missing
    (110.4, 112.0, 105.0),  # the end of the record is missing
    (102.5, 104.5, 106.0),  # amid its gap
]


@pytest.mark.parametrize(("begin", "end", "back"), SILENCES)
def test_a_stopwatch_that_was_silent_for_long_or_at_an_end_of_its_gap_is_no_agreement(
    begin: float, end: float, back: float
) -> None:
    tried = ((at, "not" if 100.0 <= at < back else "ok") for at in ticks(99.5, 112.5))
    record = header() + b"".join(attempt(at, told) for at, told in tried if not begin < at < end)
    span = Span(BOOT, 100.0, 112.0)
    opinion = second_opinion(record, longest_gap(read(record), 100.0, 112.0), span)
    assert opinion.verdict is Verdict.UNKNOWN
    assert "it tried nothing for" in opinion.answer
    assert opinion.values == {}


def test_a_stopwatch_that_went_on_trying_agrees_that_there_was_no_return() -> None:
    record = header() + b"".join(attempt(at, "not") for at in ticks(99.5, 112.5))
    opinion = second_opinion(record, Outage(100.0, 12.0), Span(BOOT, 100.0, 112.0))
    assert opinion.verdict is Verdict.PASS
    assert opinion.values["stopwatch"] == 12.0


def test_a_record_of_another_boot_is_no_agreement() -> None:
    record = outage(102.0, 105.0).replace(BOOT.encode(), b"another")
    opinion = second_opinion(record, Outage(101.99, 3.01), SPAN)
    assert opinion.verdict is Verdict.UNKNOWN
    assert "another" in opinion.answer


def test_a_missing_or_damaged_record_is_no_agreement_and_says_why(tmp_path: Path) -> None:
    for source, why in (
        (tmp_path / "none.jsonl", "cannot be read"),
        (header(schema=9), "schema 9"),
        (header(), "tried nothing"),
    ):
        opinion = second_opinion(source, Outage(101.99, 3.0), SPAN)
        assert opinion.verdict is Verdict.UNKNOWN
        assert why in opinion.answer


def test_the_verdict_of_a_drill_turns_unknown_with_the_reason_but_never_hides_a_failure() -> None:
    disagreement = judgement(compare(Outage(1, 3.0), Outage(1, 3.2)))
    assert disagreement.objective == AGREES
    assert disagreement.verdict is Verdict.UNKNOWN
    assert disagreement.found == pytest.approx(0.2)
    assert "200 ms between the ranges; 50 ms allowed" in disagreement.detail
    assert worst([Verdict.PASS, disagreement.verdict]) is Verdict.UNKNOWN
    assert worst([Verdict.FAIL, disagreement.verdict]) is Verdict.FAIL


def test_agreement_is_a_pass_and_silence_is_not() -> None:
    assert judgement(compare(Outage(1, 3.0), Outage(1, 3.02))).verdict is Verdict.PASS
    silent = judgement(missing("it was never started"))
    assert (silent.verdict, silent.found) == (Verdict.UNKNOWN, None)
    assert "it was never started" in silent.detail


@pytest.mark.parametrize("until", [98.0, 99.9, 100.0])
def test_a_load_that_stopped_before_the_fault_leaves_nothing_to_compare(until: float) -> None:
    opinion = second_opinion(outage(102.0, 105.0), Outage(100.0, 0.0), Span(BOOT, 100.0, until))
    assert opinion.verdict is Verdict.UNKNOWN
    assert "the load had stopped before anything was done to users" in opinion.answer
