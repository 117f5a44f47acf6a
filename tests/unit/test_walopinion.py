"""The WAL of the old primary agrees with the lost writes to the row, or the verdict is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.verdict import Verdict
from lab.metrics.measure import Fork
from lab.metrics.waldump import Commit
from lab.metrics.walopinion import Evidence, LostWrite, Owner, Told, judged, second_opinion
from lab.records.resultrows import Opinion

OLD = "east_db1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def commits(*xids: int, timeline: int = 1) -> tuple[Commit, ...]:
    return tuple(Commit(timeline, xid, 0x5A00108 + xid, NOW) for xid in xids)


def order(key: str, customer: str = "east-1") -> Owner:
    return Owner("orders", key, customer)


def ask(
    lost: Iterable[LostWrite] = (),
    told: Mapping[str, Told] | None = None,
    evidence: Mapping[str, Evidence] | None = None,
    *,
    promoted: bool = True,
    fork: str = "0/5A00108",
    rowless: Iterable[str] = (),
) -> Opinion:
    return second_opinion(
        lost, (told or {}).get, OLD, evidence or {}, promoted=promoted, fork=fork, rowless=rowless
    )


def one_more(owner: Owner | None, told: Mapping[str, Told] | None = None) -> Opinion:
    """One lost write, and a commit 8 that left the row `owner`."""
    owners = {7: order("gone")} | ({8: owner} if owner else {})
    known = {"gone": Told("ok", 1, "7"), **(told or {})}
    return ask([("gone", 1, "7")], known, {OLD: Evidence(commits(7, 8), owners)})


def test_lost_writes_that_the_log_holds_agree() -> None:
    found = one_more(order("cut"), {"cut": Told("unknown")})
    assert found.verdict is Verdict.PASS
    assert found.answer == (
        "agrees: east_db1 has 2 commits after the fork at 0/5A00108. 1 is the lost order; 1 is an"
        " order whose user got no answer"
    )
    assert found.values["commits"] == 2
    assert "told fail" not in found.values
    assert found.tolerance == judged(found).objective.limit == 0
    assert judged(found).found == 0


def test_a_lost_write_that_the_log_does_not_hold_makes_the_verdict_unknown() -> None:
    lost: list[LostWrite] = [("gone", 1, "7"), ("nowhere", 1, "9")]
    found = ask(lost, {}, {OLD: Evidence(commits(7), {7: order("gone")})})
    assert found.verdict is judged(found).verdict is Verdict.UNKNOWN
    assert "lost write 'nowhere' (timeline 1, xid 9) is not in the WAL" in found.answer
    assert judged(found).found == 1


@pytest.mark.parametrize("pair", [(2, "7"), (None, "7"), (1, None), (1, ""), (1, "x")])
def test_a_lost_write_is_found_by_timeline_and_xid_only(pair: tuple[int | None, str]) -> None:
    found = ask([("gone", *pair)], {"gone": Told("ok", *pair)}, {OLD: Evidence(commits(7))})
    assert found.verdict is Verdict.UNKNOWN
    assert found.values["not in the WAL"] == 1


def test_two_lost_writes_cannot_share_a_commit() -> None:
    lost: list[LostWrite] = [("one", 1, "7"), ("two", 1, "7")]
    assert ask(lost, {}, {OLD: Evidence(commits(7))}).verdict is Verdict.UNKNOWN


def test_the_epoch_in_an_acknowledgement_is_taken_off() -> None:
    xid = str((3 << 32) + 7)
    found = ask([("gone", 1, xid)], {}, {OLD: Evidence(commits(7), {7: order("gone")})})
    assert found.verdict is Verdict.PASS
    assert found.answer.endswith("has 1 commit after the fork at 0/5A00108. 1 is the lost order")


@pytest.mark.parametrize(
    ("owner", "told", "kind"),
    [
        (order("k"), Told("unknown"), "told unknown"),
        (order("k"), Told("local", 1, "8"), "told local"),
        (order("k"), Told("fail"), "told fail"),
        (order("k"), Told("ok", 2, "8"), "acknowledged by another attempt"),
        (order("k"), Told("ok", 1, "5"), "acknowledged by another attempt"),
        (order("gone"), None, "other attempts of lost writes"),
        (order("watch-1"), None, "the lab's own orders"),
        (order("verify-1"), None, "the lab's own orders"),
        (order("mine", "guest-1"), None, "guests' orders"),
        (Owner("customers", "", "east-1"), None, "sign-ups"),
        (Owner("readiness", "", "east.app"), None, "readiness probes"),
        (None, None, "no row of their own"),
    ],
)
def test_any_other_commit_is_explained_by_the_row_it_left(
    owner: Owner | None, told: Told | None, kind: str
) -> None:
    found = one_more(owner, {"k": told} if told else None)
    assert (found.verdict, found.values.get(kind)) == (Verdict.PASS, 1)


@pytest.mark.parametrize(
    ("owner", "told", "why"),
    [
        (order("k"), Told("ok", 1, "8"), "not called lost"),
        (order("k"), Told("ok", 1, "7"), "not called lost"),  # another commit after the fork
        (order("k"), Told("ok"), "not called lost"),
        (order("k"), Told("ok", None, "8"), "not called lost"),
        (order("k"), None, "history does not know"),
    ],
)
def test_a_commit_that_nothing_explains_makes_the_verdict_unknown(
    owner: Owner, told: Told | None, why: str
) -> None:
    found = one_more(owner, {"k": told} if told else None)
    assert found.verdict is Verdict.UNKNOWN
    assert why in found.answer


def test_an_order_that_was_lost_before_is_no_disagreement() -> None:
    """The old primary of an earlier failover still has it, and this one is not about it."""
    found = one_more(order("before"), {"before": Told("earlier")})
    assert found.verdict is Verdict.PASS
    assert found.answer.endswith("1 is an order that was lost before")
    assert one_more(order("before"), {"before": Told("ok", 1, "8")}).verdict is Verdict.UNKNOWN


def test_a_commit_that_wrote_another_order_than_the_lost_one_makes_the_verdict_unknown() -> None:
    found = ask([("gone", 1, "7")], {}, {OLD: Evidence(commits(7), {7: order("other")})})
    assert found.verdict is Verdict.UNKNOWN
    assert "another key" in found.answer


def test_without_the_log_there_is_no_second_opinion() -> None:
    for evidence in ({}, {OLD: Evidence(problem="the disk burnt")}, {"east_db2": Evidence(())}):
        found = ask([], {}, evidence)
        assert found.verdict is judged(found).verdict is Verdict.UNKNOWN
        assert "no second opinion" in found.answer
        assert judged(found).found is None


def test_a_promotion_whose_fork_is_not_known_leaves_nothing_to_compare() -> None:
    found = ask(evidence={OLD: Evidence(commits(7), {7: order("cut")})}, fork="")
    assert (found.verdict, judged(found).found) == (Verdict.UNKNOWN, None)
    assert "it is not known where the new timeline left the old one" in found.answer


def test_a_lost_write_on_a_loser_whose_row_no_disk_told_is_a_disagreement() -> None:
    evidence = {OLD: Evidence(commits(7))}
    found = ask([("gone", 1, "7")], {"gone": Told("ok", 1, "7")}, evidence, rowless=["gone"])
    assert (found.verdict, judged(found).found) == (Verdict.UNKNOWN, 1)
    assert "lost write 'gone' is on a loser, and no disk told its row" in found.answer


def test_without_a_promotion_there_is_nothing_to_compare() -> None:
    assert ask(promoted=False).verdict is Verdict.PASS
    assert "no database was promoted" in ask(promoted=False).answer
    assert judged(ask(promoted=False)).found == 0
    stray = ask([("gone", 1, "7")], promoted=False)
    assert (stray.verdict, judged(stray).found) == (Verdict.UNKNOWN, None)
    assert stray.values["lost"] == 1


def test_other_losers_are_counted_and_do_not_decide() -> None:
    found = ask([], {}, {OLD: Evidence(()), "east_db2": Evidence(commits(7, 8))})
    assert found.verdict is Verdict.PASS
    assert (found.values["commits east_db1"], found.values["commits east_db2"]) == (0, 2)
    assert found.answer == (
        "agrees: east_db1 has no commits after the fork at 0/5A00108, and no order is lost"
    )
    own = ask([], {}, {OLD: Evidence(commits(7), {7: Owner("readiness")})})
    assert own.answer == (
        "agrees: east_db1 has 1 commit after the fork at 0/5A00108. None is a lost order; 1 is a"
        " readiness probe"
    )


@pytest.mark.parametrize(("many", "end"), [(3, "WAL"), (4, "; and 1 more"), (10, "; and 7 more")])
def test_no_more_than_three_objections_are_spelled_out(many: int, end: str) -> None:
    lost: list[LostWrite] = [(f"k{n}", 1, str(n)) for n in range(many)]
    answer = ask(lost, {}, {OLD: Evidence(())}).answer
    assert answer.count("is not in the WAL") == 3
    assert answer.endswith(end)


@given(
    st.sets(st.integers(3, 60), min_size=1),
    st.sets(st.integers(61, 99)),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_taking_any_lost_commit_out_of_the_log_is_noticed(
    lost: set[int], others: set[int], epoch: int, chance: object
) -> None:
    writes: list[LostWrite] = [(f"k{xid}", 1, str((epoch << 32) + xid)) for xid in sorted(lost)]
    owners = {xid: order(f"k{xid}") for xid in lost | others}
    told = {f"k{xid}": Told("unknown") for xid in others}
    whole = Evidence(commits(*sorted(lost | others)), owners)
    agreed = ask(writes, told, {OLD: whole})
    assert agreed.verdict is Verdict.PASS
    counted = sum(int(str(agreed.values.get(k, 0))) for k in ("lost writes", "told unknown"))
    assert counted == len(lost | others)
    gone = chance.choice(sorted(lost))  # type: ignore[attr-defined]
    part = Evidence(commits(*sorted((lost | others) - {gone})), owners)
    assert ask(writes, told, {OLD: part}).verdict is Verdict.UNKNOWN
    fewer = [write for write in writes if write[0] != f"k{gone}"]
    told[f"k{gone}"] = Told("ok", 1, str(gone))
    assert ask(fewer, told, {OLD: whole}).verdict is Verdict.UNKNOWN


# --- A node that was promoted beside the winner ---------------------------------------------------

RIVAL = "east_db2"
ITS_OWN = (Fork(2, 0x5A00108),)


def beside(told: Mapping[str, Told], rival: Evidence, *, promoted: bool = True) -> Opinion:
    """The old primary lost one order, and so did a node that was promoted beside the winner."""
    lost: list[LostWrite] = [("one", 1, "7"), ("two", 2, "7")]
    known = {"one": Told("ok", 1, "7", OLD), "two": Told("ok", 2, "7", RIVAL), **told}
    evidence = {OLD: Evidence(commits(7), {7: order("one")}), RIVAL: rival}
    return ask(lost, known, evidence, promoted=promoted)


def test_the_log_of_every_node_that_took_orders_after_the_fork_is_compared() -> None:
    rival = Evidence(commits(7, 8, timeline=2), {7: order("two"), 8: order("k")}, "", ITS_OWN)
    found = beside({"k": Told("unknown")}, rival)
    assert (found.verdict, found.values["lost writes"], found.values["commits"]) == ("pass", 2, 3)
    assert found.answer == (
        "agrees: east_db1 and east_db2 have 3 commits after the fork at 0/5A00108. 2 are the lost"
        " orders; 1 is an order whose user got no answer"
    )


def test_a_commit_of_another_server_is_none_of_an_acknowledgements() -> None:
    """The winner may have a timeline and a transaction of the same numbers."""
    rival = Evidence(commits(7, 8, timeline=2), {7: order("two"), 8: order("k")}, "", ITS_OWN)
    retried = beside({"k": Told("ok", 2, "8", "west_db1")}, rival)
    assert retried.values["acknowledged by another attempt"] == 1
    kept = beside({"k": Told("ok", 2, "8", RIVAL)}, rival)
    assert (kept.verdict, kept.values["disagreements"]) == ("unknown", 1)


def test_a_lost_write_of_such_a_node_that_its_log_does_not_hold_is_a_disagreement() -> None:
    found = beside({}, Evidence((), branches=ITS_OWN))
    assert found.verdict is Verdict.UNKNOWN
    assert "lost write 'two' (timeline 2, xid 7) is not in the WAL" in found.answer


def test_without_the_log_of_such_a_node_there_is_no_second_opinion() -> None:
    found = beside({}, Evidence(problem="its disk burnt", branches=ITS_OWN))
    assert found.answer == "there is no second opinion: its disk burnt"


def test_a_node_that_was_promoted_beside_a_primary_that_stayed_is_compared() -> None:
    lost: list[LostWrite] = [("two", 2, "7")]
    told = {"two": Told("ok", 2, "7", RIVAL)}
    evidence = {RIVAL: Evidence(commits(7, timeline=2), {7: order("two")}, "", ITS_OWN)}
    found = ask(lost, told, evidence, promoted=False, fork="")
    assert found.verdict is Verdict.PASS
    assert found.answer == (
        "agrees: east_db2 has 1 commit since it was promoted by itself. 1 is the lost order"
    )
