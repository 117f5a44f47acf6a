"""What a check says of planned moves, of steps that may fail, and of a wrong choice."""

from __future__ import annotations

import pytest
from made_up_runbooks import SPECS, runbook

from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2
from lab.runbooks.checkup import Checked, Level, Word, check
from lab.runbooks.model import Health
from lab.runbooks.option import Value
from lab.runbooks.predict import End
from lab.runbooks.runbook import CONTINUE, Call, Plan, Runbook
from lab.runbooks.scenarios import scenario

NEAR: dict[str, Value] = {"where": "near"}
CAPACITY = {"scaled", "warm"}


def calls(*steps: str | Call) -> tuple[Call, ...]:
    return tuple(each if isinstance(each, Call) else Call(each) for each in steps)


def checked(*steps: str | Call, where: str = "healthy", **more: object) -> Checked:
    book: Runbook = runbook(*calls(*steps), **more)  # type: ignore[arg-type]
    [found] = check(book, SPECS, [scenario(where)]).checked
    return found


def unsafe(found: Checked) -> list[str]:
    return [each.step for each in found.violations if each.unsafe]


def sentences(found: Checked) -> str:
    return "\n".join(each.sentence for each in found.violations)


MOVE = ("repoint", "scale-up", "warm-caches", "shift-traffic", "resume-writes")


@pytest.mark.parametrize(
    "steps",
    [("hold", "fence", "promote", *MOVE), ("stop-writes", "fence", "promote", *MOVE)],
)
def test_a_planned_move_that_leaves_orders_on_their_way_is_unsafe_and_says_the_safe_way(
    steps: tuple[str, ...],
) -> None:
    found = checked(*steps)
    assert (found.level, unsafe(found)) == (Level.UNSAFE, ["promote"])
    assert "a step after the stop of writes (`catch-up`, `compare`)" in sentences(found)


def test_writes_are_stopped_before_the_standby_catches_up_and_not_the_other_way_round() -> None:
    rest = ("fence", "promote", Call("repoint", NEAR), "verify", "shift-traffic", "resume-writes")
    right = checked("stop-writes", "catch-up", *rest)
    assert (right.level, unsafe(right)) == (Level.COSTLY, [])
    assert {each.step for each in right.violations} == {"shift-traffic"}
    assert "the loss is unknown" not in sentences(right)
    assert "no decision" not in sentences(right)
    wrong = checked("catch-up", "stop-writes", *rest)
    assert (wrong.level, unsafe(wrong)) == (Level.UNSAFE, ["promote"])
    assert "a step after the stop of writes (`catch-up`, `compare`)" in sentences(wrong)


def test_a_switch_that_compares_positions_before_it_promotes_is_fine() -> None:
    """Applications read-only, the database stopped, positions compared, names moved, promoted."""
    steps = "scale-up", "warm-caches", "stop-writes", "fence", "compare", "shift-traffic"
    found = checked(*steps, "promote", "repoint", "resume-writes")
    assert (found.level, found.prediction.vector.end) == (Level.FINE, End.RIGHT)
    busy = checked(*steps[:2], "fence", "compare", "promote", "repoint")
    assert [each.word for each in busy.steps][3] is Word.CANNOT


def test_a_person_who_thinks_for_long_makes_the_lag_unknown_again() -> None:
    """While an old primary that is cut off goes on taking orders, the loss grows."""
    asked = Call("decide", {"approval": "human"})
    before = checked("detect", "confirm", "check-lag", asked, "fence", "promote", where="partition")
    after = checked("detect", "confirm", asked, "check-lag", "fence", "promote", where="partition")
    assert "the loss is unknown" in sentences(before)
    assert "the loss is unknown" not in sentences(after)
    dead = checked("detect", "confirm", "check-lag", asked, "promote", where="region-dead")
    assert "the loss is unknown" not in sentences(dead)


def test_an_alarm_that_must_last_makes_the_lag_unknown_again() -> None:
    waits = Call("detect", {"after": 30})
    steps = "confirm", "decide", "fence", "promote"
    assert "the loss is unknown" in sentences(
        checked("check-lag", waits, *steps, where="partition")
    )
    assert "the loss is unknown" not in sentences(
        checked("check-lag", "detect", *steps, where="partition")
    )
    assert checked(waits, where="healthy").steps[0].word is Word.CANNOT


def test_where_no_database_is_promoted_a_real_order_is_looked_for_at_the_present_primary() -> None:
    steps = "scale-up", "warm-caches", "shift-traffic", "verify", "send-home"
    found = checked(*steps, promotes=False, planned=True)
    assert (found.level, found.ending) == (Level.FINE, "")


def test_an_optional_step_that_cannot_be_done_stops_nothing() -> None:
    rest = (
        "detect",
        "confirm",
        "decide",
        "check-lag",
        "promote",
        "repoint",
        "scale-up",
        "warm-caches",
    )
    optional = Call("catch-up", on_failure="continue")
    found = checked(optional, *rest, "steer", where="region-dead")
    assert (found.level, found.prediction.vector.end) == (Level.FINE, End.RIGHT)
    assert [each.word for each in found.steps][:2] == [Word.CANNOT, Word.DONE]
    stops = checked("catch-up", *rest, where="region-dead")
    assert stops.steps[1].word is Word.NOT_REACHED


def test_a_step_that_fails_leads_to_the_step_that_it_names() -> None:
    steps = Call("fence", on_failure="go-to announce"), "promote", "repoint", "announce"
    found = checked(*steps, where="unreachable", promotes=False)
    assert [each.word for each in found.steps] == [
        Word.CANNOT, Word.SKIPPED, Word.SKIPPED, Word.DONE,
    ]  # fmt: skip


@pytest.mark.parametrize(("steps", "where"), [
    (("detect",), "healthy"), (("detect", "confirm"), "healthy"),
    (("detect", "confirm"), "zone-returned"),
])  # fmt: skip
def test_nothing_is_noticed_where_nothing_is_lost(steps: tuple[str, ...], where: str) -> None:
    assert checked(*steps, where=where).steps[0].word is Word.CANNOT


def test_a_neighbour_that_has_every_order_is_promoted_before_a_far_copy() -> None:
    steps = "detect", "confirm", "decide", "check-lag", "promote", "repoint", "refollow"
    far = checked(*steps, where="zone-dead")
    assert unsafe(far) == ["promote"]
    assert "orders that the other standby has are lost" in sentences(far)
    near = checked(*steps, where="zone-dead", plan=Plan(EAST_DB1, EAST_DB2))
    assert near.level is Level.FINE
    both = checked(*steps, where="zones-dead", plan=Plan(EAST_DB1, WEST_DB1))
    assert unsafe(both) == []


def test_a_copy_of_a_copy_may_be_behind_it() -> None:
    steps = "detect", "confirm", "decide", "check-lag", "promote", "repoint", "steer"
    found = checked(*steps, where="region-dead", plan=Plan(EAST_DB1, WEST_DB2))
    assert unsafe(found) == []
    assert "most advanced" in sentences(found)


def test_commits_that_wait_for_a_dead_standby_are_no_service_and_one_copy_is_enough() -> None:
    hangs = checked("announce", where="standby-gone", promotes=False)
    vector = hangs.prediction.vector
    assert (vector.write_errors, vector.end) == (True, End.STUCK)
    steps = "detect", "confirm", "decide", "check-lag", "promote", "repoint", "announce"
    last = checked(*steps, where="one-copy-left", plan=Plan(WEST_DB1, WEST_DB2))
    assert (unsafe(last), last.prediction.vector.end) == ([], End.RIGHT)


def test_a_runbook_that_goes_on_without_its_safety_is_unsafe() -> None:
    careful = Call("catch-up", on_failure=CONTINUE)
    found = checked("stop-writes", careful, "fence", "promote", *MOVE)
    assert (found.level, unsafe(found)) == (Level.UNSAFE, ["promote"])
    assert "if catch-up fails, the runbook goes on, and then promote comes too early" in sentences(
        found
    )
    forced = checked(
        *("detect", "confirm", "decide", "check-lag", Call("fence", on_failure=CONTINUE)),
        *(Call("promote", {"force": True}), "repoint", "verify"),
        where="partition",
    )
    assert forced.level is Level.UNSAFE
    assert "if fence fails" in sentences(forced)


def test_a_step_that_may_fail_and_that_nothing_rests_on_costs_nothing() -> None:
    careful = ("stop-writes", "catch-up", "fence", "promote")
    move = ("repoint", "scale-up", Call("announce", on_failure=CONTINUE))
    assert "fails" not in sentences(checked(*careful, *move, *MOVE[2:]))


@pytest.mark.parametrize(("seconds", "known"), [(2.0, True), (3600.0, False)])
def test_what_is_known_of_the_lag_is_out_of_date_after_a_long_wait(
    seconds: float, known: bool
) -> None:
    found = checked(
        *("detect", "confirm", "decide", "check-lag", Call("wait", {"seconds": seconds})),
        *("fence", "promote", "repoint", "verify"),
        where="partition",
    )
    assert ("the loss is unknown" not in sentences(found)) is known


def test_nobody_catches_up_with_a_primary_that_is_out_of_reach() -> None:
    """Where both nodes are in the lost region, the model once forgot that nobody can ask them."""
    near = Plan(EAST_DB1, EAST_DB2)
    found = checked("catch-up", where="unreachable", plan=near, promotes=False)
    assert found.prediction.vector.end is End.STUCK
    assert checked("catch-up", plan=near, promotes=False).prediction.vector.end is End.RIGHT


# ── a primary that stands still ──────────────────────────────────────────────────────────────


def test_a_frozen_primary_may_go_on_until_a_fence_kills_it() -> None:
    plan = Plan(EAST_DB1, EAST_DB2)
    steps = "detect", "confirm", "decide", "check-lag"
    beside = checked(*steps, "promote", "repoint", where="primary-frozen", plan=plan)
    assert unsafe(beside) == ["promote"]
    fenced = checked(*steps, "fence", "promote", "repoint", where="primary-frozen", plan=plan)
    assert (unsafe(fenced), fenced.prediction.vector.end) == ([], End.RIGHT)
    killed = fenced.prediction.worlds[-1].databases[EAST_DB1]
    assert killed.health is Health.DEAD


def test_a_frozen_primary_is_waited_for_and_a_dead_or_fenced_one_does_not_come_back() -> None:
    waits = "detect", "wait-for-primary", "verify"
    found = checked(*waits, where="primary-frozen", promotes=False)
    assert (found.level, found.prediction.vector.end) == (Level.FINE, End.RIGHT)
    for steps, where in ((waits, "zone-dead"), (("fence", *waits), "primary-frozen")):
        words = [each.word for each in checked(*steps, where=where, promotes=False).steps]
        assert Word.CANNOT in words


@pytest.mark.parametrize("step", ["start", "rebuild", "stop"])
def test_nothing_in_a_frozen_machine_can_be_told(step: str) -> None:
    call = Call(step, {"node": "east.db1"} if step == "rebuild" else {})
    found = checked("promote", call, where="primary-frozen")
    assert found.steps[-1].word is Word.CANNOT


def test_users_may_stay_where_their_shop_writes_to_the_new_primary() -> None:
    steps = "scale-up", "stop-writes", "catch-up", "fence", "promote", "repoint", "verify"
    assert checked(*steps, "resume-writes").level is Level.FINE
    near = (*steps[:-2], Call("repoint", NEAR), "verify", "resume-writes")
    assert "or east's shop writes to west.db1 as well" in sentences(checked(*near))
