"""Checking a runbook: what is promised of any, and of all 120 orders of a failover's steps."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runbooks import CAREFUL, FAILOVER, ORDERS, RUNBOOKS, SPECS, ordered, runbook

from lab.core.topology import EAST_DB1, WEST_DB1
from lab.runbooks.checkup import Checked, Checkup, Level, Word, check, worst
from lab.runbooks.facts import DECIDED, needs
from lab.runbooks.model import IN_ORDER
from lab.runbooks.option import Option
from lab.runbooks.predict import PARTS, End, Played, Violation
from lab.runbooks.runbook import Call, Harm, Plan, Runbook
from lab.runbooks.scenarios import SCENARIOS, scenario

NAMES = tuple(each.name for each in SCENARIOS)
FAILOVERS = ("partition", "region-dead", "zone-dead", "healthy")
"""Situations in which every one of the five steps can be done."""

LEVELS = tuple(Level)


def checked(book: Runbook, name: str = "partition") -> Checked:
    [found] = check(book, SPECS, [scenario(name)]).checked
    return found


@cache
def in_order(order: str, name: str) -> Checked:
    return checked(ordered(order), name)


def before(order: str, first: str, second: str) -> bool:
    return order.index(first) < order.index(second)


def words(found: Checked) -> dict[str, Word]:
    return {each.call.step: each.word for each in found.steps}


# ── all orders ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_who_fences_before_promoting_never_splits_the_brain(name: str) -> None:
    for order in ORDERS:
        if before(order, "S", "P"):
            assert not in_order(order, name).prediction.vector.split_brain, order


@pytest.mark.parametrize("name", ["partition", "unreachable", "healthy"])
def test_who_promotes_beside_a_primary_that_takes_orders_splits_the_brain(name: str) -> None:
    for order in ORDERS:
        if before(order, "P", "S"):
            assert in_order(order, name).prediction.vector.split_brain, order


@pytest.mark.parametrize("name", ["region-dead", "zone-dead"])
def test_a_dead_primary_splits_no_brain_and_needs_no_fence(name: str) -> None:
    for order in ORDERS:
        found = in_order(order, name)
        assert not found.prediction.vector.split_brain, order
        assert words(found)["fence"] is Word.NOT_NEEDED, order


@pytest.mark.parametrize("name", FAILOVERS)
def test_reads_are_cold_exactly_when_users_are_sent_before_the_caches_are_warm(name: str) -> None:
    for order in ORDERS:
        cold = in_order(order, name).prediction.vector.cold_reads
        assert cold == before(order, "T", "W"), order


@pytest.mark.parametrize("name", FAILOVERS)
def test_it_ends_well_exactly_when_writes_are_resumed_after_they_were_stopped(name: str) -> None:
    for order in ORDERS:
        right = in_order(order, name).prediction.vector.end is End.RIGHT
        assert right == before(order, "S", "R"), order


@pytest.mark.parametrize("name", ["partition", "region-dead"])
def test_an_order_is_unsafe_exactly_when_it_promotes_too_early_or_ends_badly(name: str) -> None:
    dead = name == "region-dead"
    for order in ORDERS:
        safe = before(order, "S", "R") and (dead or before(order, "S", "P"))
        assert (in_order(order, name).level is Level.UNSAFE) == (not safe), order


@pytest.mark.parametrize("name", ["zone-dead", "healthy"])
def test_the_far_copy_is_not_promoted_where_each_order_could_be_kept(name: str) -> None:
    """A neighbour that lives has every order; and so has the old primary, where nothing is lost."""
    for order in ORDERS:
        found = in_order(order, name)
        assert found.level is Level.UNSAFE, order
        assert Harm.DATA in {each.harm for each in found.violations if each.step == "promote"}


def test_nothing_can_be_done_about_a_primary_that_cannot_be_fenced() -> None:
    for order in ORDERS:
        found = in_order(order, "unreachable")
        assert words(found)["fence"] is Word.CANNOT
        assert found.level is Level.UNSAFE


def test_fencing_first_ends_every_split_brain_and_makes_nothing_but_reads_worse() -> None:
    """Reads: until users are sent elsewhere, the database that they read from is the fenced one."""
    for order in ORDERS:
        book = ordered(order)
        was = in_order(order, "partition").prediction.vector
        now = checked(runbook(Call("fence"), *book.steps)).prediction.vector
        assert not now.split_brain
        assert now.end is was.end
        assert (now.write_errors, now.cold_reads) <= (was.write_errors, was.cold_reads)
        assert now.read_errors >= was.read_errors


def test_fencing_first_costs_reads_only_those_who_had_sent_users_away_before_they_fenced() -> None:
    for order in ORDERS:
        found = checked(runbook(Call("fence"), *ordered(order).steps))
        assert found.prediction.vector.read_errors
        was = in_order(order, "partition").prediction.vector.read_errors
        assert was == before(order, "S", "T"), order


# ── any runbook ──────────────────────────────────────────────────────────────────────────────


@given(RUNBOOKS)
def test_no_runbook_splits_the_brain_in_a_partition_once_it_has_fenced(book: Runbook) -> None:
    fenced = runbook(Call("fence"), *book.steps, plan=FAILOVER)
    assert not checked(fenced).prediction.vector.split_brain


@given(RUNBOOKS)
def test_any_runbook_can_be_checked_and_told_as_data(book: Runbook) -> None:
    found = check(book, SPECS, SCENARIOS)
    told = json.loads(json.dumps(found.as_json()))
    assert [each["scenario"] for each in told["scenarios"]] == list(NAMES)
    assert set(PARTS) < told["scenarios"][0]["predicted"].keys()
    assert all(len(each.steps) == len(book.steps) for each in found.checked)


@given(RUNBOOKS)
def test_every_sentence_names_a_step_and_what_comes_of_it(book: Runbook) -> None:
    for each in check(book, SPECS, SCENARIOS).checked:
        for violation in each.violations:
            assert violation.step in violation.sentence or violation.step == "the end"
            assert not set("{}") & set(violation.sentence)
            what, consequence = re.split(": |, so ", violation.sentence, maxsplit=1)
            assert what.startswith((violation.step, "at the end", "the runbook stops at"))
            assert len(consequence) > 10


@given(RUNBOOKS)
def test_what_is_unsafe_says_why_and_a_split_brain_names_its_step(book: Runbook) -> None:
    for each in check(book, SPECS, SCENARIOS).checked:
        assert (each.level is Level.UNSAFE) == any(found.unsafe for found in each.violations)
        assert (each.level is Level.FINE) == (not each.violations)
        if each.prediction.unsafe:
            assert each.level is Level.UNSAFE
        if each.prediction.vector.split_brain:
            assert Harm.DATA in {found.harm for found in each.violations}
        assert bool(each.ending) == (each.prediction.vector.end is not End.RIGHT)


@given(RUNBOOKS)
def test_words_are_those_of_the_play(book: Runbook) -> None:
    for each in check(book, SPECS, SCENARIOS).checked:
        told = [step.word for step in each.steps]
        stops = told.index(Word.CANNOT) + 1 if Word.CANNOT in told else len(told)
        assert all(word is Word.NOT_REACHED for word in told[stops:])
        assert Word.NOT_REACHED not in told[:stops]
        assert all(bool(step.reason) == (step.word is Word.CANNOT) for step in each.steps)


@given(RUNBOOKS, st.sets(st.sampled_from(SCENARIOS)))
def test_the_worst_situation_counts_and_each_finding_is_told_once(
    book: Runbook, chosen: set[object]
) -> None:
    found = check(book, SPECS, [each for each in SCENARIOS if each in chosen])
    assert found.level is max(
        (each.level for each in found.checked), key=LEVELS.index, default=Level.FINE
    )
    assert found.exit_code == (found.level is Level.UNSAFE)
    told = [each.violation for each in found.findings]
    assert len(told) == len(set(told))
    assert set(told) == {every for each in found.checked for every in each.violations}
    assert worst(each.level for each in found.findings) is found.level


# ── one at a time ────────────────────────────────────────────────────────────────────────────


def test_a_careful_runbook_is_fine_wherever_the_lost_region_can_be_fenced() -> None:
    lost = ("partition", "region-dead")
    found = check(runbook(*CAREFUL), SPECS, [scenario(name) for name in lost])
    assert [(each.level, each.ending) for each in found.checked] == [(Level.FINE, "")] * 2
    assert found.exit_code == 0
    assert found.findings == ()


def test_a_step_that_is_not_told_of_the_lag_is_costly_and_no_reason_to_fail() -> None:
    hasty = [call for call in CAREFUL if call.step != "check-lag"]
    found = check(runbook(*hasty), SPECS, [scenario("region-dead")])
    [finding] = found.findings
    assert (found.level, found.exit_code) == (Level.COSTLY, 0)
    assert finding.violation.line == 15
    assert "the loss is unknown" in finding.violation.sentence


def test_one_unsafe_situation_is_enough() -> None:
    late = Call("stop-writes"), Call("promote", {"force": True}), Call("repoint"), Call("fence")
    book = runbook(*late, Call("shift-traffic"), Call("resume-writes"))
    found = check(book, SPECS, [scenario("region-dead"), scenario("partition")])
    assert [each.level for each in found.checked] == [Level.COSTLY, Level.UNSAFE]
    assert (found.level, found.exit_code) == (Level.UNSAFE, 1)
    assert found.worst.scenario == "partition"


def test_what_only_the_shops_word_keeps_apart_is_unsafe_though_nothing_is_lost() -> None:
    steps = "stop-writes", "promote", "fence", "repoint", "shift-traffic", "resume-writes"
    found = checked(runbook(*map(Call, steps)))
    assert not found.prediction.vector.split_brain
    assert found.prediction.vector.end is End.RIGHT
    assert found.level is Level.UNSAFE


def test_an_end_that_no_step_explains_is_told_in_a_sentence_of_its_own() -> None:
    found = checked(runbook(Call("fence"), Call("promote"), Call("repoint")))
    assert found.ending == "at the end: users of east cannot order"
    assert found.prediction.vector.end is End.WRONG
    assert found.violations[-1].step == "the end"
    assert found.level is Level.UNSAFE


def test_an_end_at_two_primaries_says_who_orders_where() -> None:
    found = checked(runbook(Call("promote"), Call("repoint", {"where": "near"})))
    assert found.ending == (
        "at the end: users of east order at east.db1, but should order at west.db1; east.db1 is"
        " also primary, in addition to west.db1"
    )


def test_a_runbook_that_stops_half_way_says_where_and_what_that_means() -> None:
    found = checked(runbook(*CAREFUL), "unreachable")
    told = words(found)
    assert (told["confirm"], told["promote"]) == (Word.CANNOT, Word.NOT_REACHED)
    assert found.ending == (
        "the runbook stops at confirm: users of west cannot order; users of east order at east.db1,"
        " but should order at west.db1; east.db1 is primary"
    )


def test_an_end_that_a_step_explains_is_told_once() -> None:
    for steps in (CAREFUL, (Call("promote"), *CAREFUL)):
        found = checked(runbook(*steps), "unreachable")
        assert found.ending
        assert [each.step for each in found.violations if each.harm is Harm.END] == ["confirm"]
    assert len(found.violations) > 1


def test_a_step_that_cannot_be_done_is_told_also_where_users_go_on_ordering() -> None:
    found = checked(runbook(Call("refollow"), promotes=False), "healthy")
    assert found.ending == "the runbook stops at refollow: what follows is not done"


def test_what_is_missing_stands_on_no_line_and_says_which_step_is_missing() -> None:
    found = checked(runbook(Call("promote"), Call("repoint")))
    assert [(each.step, each.line) for each in found.missing] == [
        ("fence", 0), ("shift-traffic", 0),
    ]  # fmt: skip
    assert all(
        each.sentence.endswith(f". The step `{each.step}` is missing") for each in found.missing
    )
    near = Call("promote"), Call("repoint", {"where": "near"}), Call("fence")
    there = runbook(*near, Call("shift-traffic"), Call("shift-traffic", {"to": "lost"}))
    [moved] = checked(there).missing
    assert moved.sentence.endswith(
        ". The step `shift-traffic` is in the runbook, but its effect is not there at the end"
    )


def test_nothing_is_missing_of_what_ends_well_or_is_to_leave_the_primary_where_it_is() -> None:
    near = runbook(Call("fence"), Call("promote"), Call("repoint"))
    assert [each.step for each in checked(near, "healthy").missing] == []
    stays = runbook(Call("stop-writes"), promotes=False)
    found = checked(stays, "healthy")
    assert (found.prediction.vector.end, found.missing) == (End.STUCK, ())


def test_an_end_is_told_beside_costs_that_do_not_explain_it() -> None:
    found = checked(runbook(Call("fence"), Call("promote"), Call("repoint")))
    assert [each.step for each in found.violations].count("the end") == 1
    assert len(found.violations) > 1


def test_findings_stand_in_the_order_of_lines_the_worse_ones_of_a_line_first() -> None:
    rows = ((0, Harm.COST), (3, Harm.COST), (2, Harm.OUTAGE), (3, Harm.DATA), (0, Harm.END))
    wrongs = tuple(Violation(f"{line} {harm}", "", harm, line) for line, harm in rows)
    found = checked(runbook())
    went = replace(found.prediction, played=(Played(Call("fence"), True, wrongs),), missing=())
    shown = replace(found, ending="", prediction=went)
    told = [(each.violation.step, each.level) for each in Checkup(runbook(), (shown,)).findings]
    assert told == [
        ("2 outage", Level.COSTLY), ("3 data", Level.UNSAFE), ("3 cost", Level.COSTLY),
        ("0 end", Level.UNSAFE), ("0 cost", Level.COSTLY),
    ]  # fmt: skip


def test_a_checkup_is_told_as_data_with_every_step_and_what_is_wrong() -> None:
    steps = "promote", "stop-writes", "stop-writes", "fence", "repoint"
    found = check(runbook(*map(Call, steps)), SPECS, [scenario("unreachable")])
    told = json.loads(json.dumps(found.as_json()))
    assert (told["runbook"], told["level"]) == ("made-up", "unsafe")
    [each] = told["scenarios"]
    assert (each["scenario"], each["level"]) == ("unreachable", "unsafe")
    assert each["predicted"]["end"] == "stuck"
    assert each["ending"].startswith(
        "the runbook stops at fence: users of east and west cannot order"
    )
    assert [(step["step"], step["line"], step["word"]) for step in each["steps"]] == [
        ("promote", 10, "too early"), ("stop-writes", 11, "done"),
        ("stop-writes", 12, "not needed"), ("fence", 13, "cannot be done"),
        ("repoint", 14, "not reached"),
    ]  # fmt: skip
    assert [(wrong["step"], wrong["harm"], wrong["unsafe"]) for wrong in each["violations"]] == [
        ("promote", "data", True), ("promote", "cost", False), ("promote", "cost", False),
        ("fence", "end", True),
    ]  # fmt: skip


def test_nothing_asked_is_nothing_found() -> None:
    assert Checkup(runbook(), ()).level is Level.FINE


# ── rows of steps ────────────────────────────────────────────────────────────────────────────


def test_a_need_does_not_matter_only_where_a_step_is_told_all_that_it_names() -> None:
    options = Option("a", int, 0, "one"), Option("b", int, 0, "another")
    always, seldom = needs(DECIDED, "x"), needs(DECIDED, "y", a=1, b=2)
    row = replace(SPECS[0], options=options, needs=(always, seldom))
    for told, wanted in (
        ({}, [always, seldom]), ({"a": 1}, [always, seldom]), ({"b": 2}, [always, seldom]),
        ({"a": 1, "b": 2}, [always]),
    ):  # fmt: skip
        assert [*row.needed(Call(row.name, told), IN_ORDER)] == wanted


def test_what_goes_to_the_lost_region_has_that_as_its_target() -> None:
    [row] = [each for each in SPECS if each.name == "shift-traffic"]
    assert row.seen_from(Call(row.name), FAILOVER) == FAILOVER
    back = Plan(FAILOVER.new, FAILOVER.old)
    assert row.seen_from(Call(row.name, {"to": "lost"}), FAILOVER) == back


def test_only_making_room_for_all_users_prepares_and_is_no_promotion() -> None:
    assert [each.name for each in SPECS if each.prepares] == ["scale-up"]


def way_back(**options: bool) -> Runbook:
    """A way back that has no export of its own."""
    steps = ("return", "rewind", "follow", "catch-up", "switch-over", "send-home", "verify")
    able = {row.name for row in SPECS if row.option("accept_unread")}
    calls = (Call(each, dict(options) if each in able else {}) for each in steps)
    return runbook(*calls, plan=Plan(WEST_DB1, EAST_DB1))


def test_a_rewind_keeps_what_it_gives_up_and_so_needs_no_export_before_it() -> None:
    assert checked(way_back(), "returned").level is Level.FINE
    late = replace(way_back(), steps=(*way_back().steps[:2], Call("export-orphans")))
    assert words(checked(late, "returned"))["export-orphans"] is Word.NOT_NEEDED


def test_giving_a_node_up_unread_is_unsafe() -> None:
    found = checked(way_back(accept_unread=True), "returned")
    assert found.level is Level.UNSAFE
    assert {(each.step, each.harm) for each in found.violations} == {
        ("rewind", Harm.DATA), ("follow", Harm.DATA), ("switch-over", Harm.DATA),
    }  # fmt: skip
    assert "deleted before they are saved to a file" in found.violations[0].sentence
