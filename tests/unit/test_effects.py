"""What each step makes of the model, one step and one world at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.core.topology import (
    EAST,
    EAST_DB1,
    EAST_DB2,
    REGIONS,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Replication,
)
from lab.runbooks import backeffects, effects, lookeffects
from lab.runbooks.model import IN_ORDER, Database, Health, Role, World, world_of
from lab.runbooks.runbook import Plan, Stuck
from lab.runbooks.scenarios import scenario
from lab.runbooks.servereffects import resolver_restarted

PLAN = Plan(EAST_DB1, WEST_DB1)
BACK = Plan(WEST_DB1, EAST_DB1)
HERE = Plan(EAST_DB1, EAST_DB2)
APART = replace(IN_ORDER, joined=False)
EVERYWHERE: dict[str, str] = {"where": "everywhere"}


def down(world: World, *places: object) -> World:
    for place in places:
        world = world.with_database(place, health=Health.DEAD)  # type: ignore[arg-type]
    return world


def promoted(world: World, plan: Plan = PLAN) -> World:
    (after,) = effects.promote(world, plan, {})
    return after


def lineages(world: World) -> dict[str, int]:
    return {str(place): node.lineage for place, node in world.databases.items()}


def upstreams(world: World) -> dict[str, str]:
    return {str(place): str(node.follows) for place, node in world.databases.items()}


# ── writes, fence ────────────────────────────────────────────────────────────────────────────


def test_only_shops_that_run_are_told_to_refuse_orders_and_to_take_them_again() -> None:
    dead = replace(IN_ORDER, alive=frozenset({WEST}))
    (stopped,) = effects.stop_writes(dead, PLAN, EVERYWHERE)
    assert stopped.read_only == {WEST}
    (both,) = effects.stop_writes(IN_ORDER, PLAN, EVERYWHERE)
    (resumed,) = effects.resume_writes(replace(both, alive=frozenset({EAST})), PLAN, EVERYWHERE)
    assert resumed.read_only == {WEST}
    assert "resumed" in resumed.done


def test_a_fence_stops_a_primary_and_leaves_a_standby_alone() -> None:
    (fenced,) = effects.fence(IN_ORDER, PLAN, {})
    assert fenced.databases[EAST_DB1].health is Health.STOPPED
    assert effects.fence(IN_ORDER, BACK, {}) == (IN_ORDER,)


def test_a_dead_primary_needs_no_fence_though_nothing_reaches_it() -> None:
    dead = replace(down(IN_ORDER, EAST_DB1), managed=frozenset({WEST}))
    assert effects.fence(dead, PLAN, {}) == (dead,)


def test_a_primary_that_lives_and_cannot_be_reached_cannot_be_fenced() -> None:
    with pytest.raises(Stuck, match=r"east\.db1 cannot be reached"):
        effects.fence(replace(IN_ORDER, managed=frozenset({WEST})), PLAN, {})


# ── promote, names ───────────────────────────────────────────────────────────────────────────


def test_a_promotion_begins_the_next_timeline_and_takes_along_all_who_stream_from_it() -> None:
    world = promoted(IN_ORDER)
    assert lineages(world) == {"east.db1": 1, "east.db2": 1, "west.db1": 2, "west.db2": 2}
    assert world.databases[WEST_DB1].role is Role.PRIMARY
    assert world.databases[WEST_DB1].follows is None
    assert promoted(world) == world


def test_a_promotion_after_another_begins_a_timeline_newer_than_any() -> None:
    world = promoted(promoted(IN_ORDER), HERE)
    assert lineages(world) == {"east.db1": 1, "east.db2": 3, "west.db1": 2, "west.db2": 2}


def test_all_who_stream_from_one_another_come_along_with_a_promotion() -> None:
    """A chain of three: a node that streams from one that came along comes along as well."""
    chain = IN_ORDER.with_database(EAST_DB1, role=Role.STANDBY, follows=WEST_DB2)
    assert lineages(promoted(chain)) == {
        "east.db1": 2, "east.db2": 2, "west.db1": 2, "west.db2": 2,
    }  # fmt: skip


def test_what_does_not_run_is_not_promoted() -> None:
    with pytest.raises(Stuck, match=r"west\.db1 does not run"):
        promoted(down(IN_ORDER, WEST_DB1))


def test_near_names_change_before_those_elsewhere_and_the_head_only_where_it_is_new() -> None:
    near, everywhere = effects.repoint(IN_ORDER, PLAN, EVERYWHERE)
    assert near.writer == {EAST: EAST_DB1, WEST: WEST_DB1}
    assert everywhere.writer == {EAST: WEST_DB1, WEST: WEST_DB1}
    assert near.head == {EAST: EAST_DB1, WEST: WEST_DB1}
    assert everywhere.head == {EAST: EAST_DB2, WEST: WEST_DB1}
    assert effects.repoint(IN_ORDER, PLAN, {"where": "near"}) == (near,)
    (twin,) = effects.repoint(IN_ORDER, Plan(EAST_DB1, WEST_DB2), {"where": "near"})
    assert twin.head == {EAST: IN_ORDER.head[EAST], WEST: WEST_DB2}


def test_near_names_need_the_near_resolver() -> None:
    gone = replace(promoted(IN_ORDER), resolvers=frozenset({EAST}))
    with pytest.raises(Stuck, match="west's resolver does not run"):
        effects.repoint(gone, PLAN, {"where": "near"})


def test_users_whose_resolver_is_gone_go_where_the_other_one_sends_its_own() -> None:
    gone = scenario("resolver-gone").begin(PLAN)
    assert gone.sent() == ((EAST, WEST), (WEST, WEST))
    (moved,) = effects.shift(gone, PLAN, {"to": "lost", "share": 100})
    assert moved.sent() == ((EAST, EAST), (WEST, EAST))
    (back,) = resolver_restarted(gone, PLAN, {})
    assert back.sent() == ((EAST, EAST), (WEST, WEST))


def test_a_name_whose_resolver_is_gone_stays_as_it_was() -> None:
    gone = replace(
        IN_ORDER, resolvers=frozenset({EAST}), head={EAST: EAST_DB1, WEST: WEST_DB2}
    )  # fmt: skip
    near, everywhere = effects.repoint(gone, PLAN, EVERYWHERE)
    assert near == gone
    assert everywhere.writer == {EAST: WEST_DB1, WEST: EAST_DB1}
    assert everywhere.head == {EAST: EAST_DB2, WEST: WEST_DB2}


def test_the_head_of_a_region_that_has_none_leads_to_the_primary_and_reads_are_answered() -> None:
    lost = down(IN_ORDER, EAST_DB2)
    (_, after) = effects.repoint(promoted(down(lost, EAST_DB1)), PLAN, EVERYWHERE)
    assert after.head == {EAST: WEST_DB1, WEST: WEST_DB1}
    assert all(map(after.answers_reads, REGIONS))


def test_the_head_of_a_region_that_is_only_cut_off_stays_where_it_answers() -> None:
    (_, after) = effects.repoint(APART, HERE, EVERYWHERE)
    assert after.head == {EAST: EAST_DB2, WEST: WEST_DB1}
    assert after.answers_reads(WEST)


# ── who follows whom ─────────────────────────────────────────────────────────────────────────


def test_standbys_of_the_old_primary_follow_the_new_one_and_theirs_come_along() -> None:
    (after,) = effects.refollow(promoted(IN_ORDER), PLAN, {})
    assert lineages(after) == {"east.db1": 1, "east.db2": 2, "west.db1": 2, "west.db2": 2}
    assert upstreams(after) == {
        "east.db1": "None", "east.db2": "west.db1", "west.db1": "None", "west.db2": "west.db1",
    }  # fmt: skip


def test_nothing_follows_across_a_partition() -> None:
    world = promoted(APART)
    (after,) = effects.refollow(world, PLAN, {})
    assert after == world
    (here,) = effects.refollow(promoted(APART, HERE), HERE, {})
    assert upstreams(here)["west.db1"] == "east.db1"
    near = world.with_database(WEST_DB2, follows=EAST_DB1, lineage=1)
    assert effects.refollow(near, PLAN, {}) == (world,)


def test_a_standby_of_a_standby_keeps_its_upstream() -> None:
    world = promoted(IN_ORDER).with_database(EAST_DB2, follows=WEST_DB2)
    (after,) = effects.refollow(world, PLAN, {})
    assert after == world.with_database(EAST_DB2, lineage=2)


def test_a_standby_that_does_not_run_is_not_told_whom_to_follow() -> None:
    (after,) = effects.refollow(promoted(down(IN_ORDER, EAST_DB2)), PLAN, {})
    assert upstreams(after)["east.db2"] == "east.db1"


def test_no_node_can_follow_what_is_not_primary() -> None:
    with pytest.raises(Stuck, match=r"west\.db1 is not primary"):
        effects.refollow(IN_ORDER, PLAN, {})


# ── users ────────────────────────────────────────────────────────────────────────────────────


def test_a_cache_is_warmed_by_what_a_shop_can_read() -> None:
    (after,) = effects.warm(IN_ORDER, PLAN, {})
    assert after.warm == IN_ORDER.warm | {(WEST, EAST), (WEST, WEST)}
    with pytest.raises(Stuck, match="west's shop finds nothing"):
        effects.warm(down(IN_ORDER, WEST_DB1), PLAN, {})


TO_WEST: dict[str, str | int] = {"to": "target", "share": 100}


def test_no_user_is_sent_anywhere_where_no_resolver_is_left() -> None:
    mute = replace(IN_ORDER, resolvers=frozenset())
    for share in (100, 50):
        with pytest.raises(Stuck, match="no resolver can be told"):
            effects.shift(mute, PLAN, {**TO_WEST, "share": share})


def test_users_stay_where_nothing_can_tell_their_steering_or_resolver() -> None:
    world = scenario("unreachable").begin(PLAN)
    (moved,) = effects.shift(world, PLAN, TO_WEST)
    assert moved.sent() == ((EAST, EAST), (WEST, WEST))
    (some,) = effects.shift(world, PLAN, {**TO_WEST, "share": 50})
    assert some.shared == frozenset()
    (steered,) = effects.send_home(world, PLAN, {})
    assert steered.sent() == ((EAST, EAST), (WEST, EAST))
    with pytest.raises(Stuck, match="east's resolver cannot be reached"):
        resolver_restarted(world, PLAN, {})


def test_a_share_is_sent_by_the_steering_of_those_who_are_to_go() -> None:
    gone = replace(IN_ORDER, alive=frozenset({WEST}))
    assert effects.shift(gone, PLAN, {**TO_WEST, "share": 99}) == (gone,)
    (all_of_them,) = effects.shift(gone, PLAN, TO_WEST)
    assert set(all_of_them.traffic.values()) == {WEST}
    other = replace(IN_ORDER, alive=frozenset({EAST}))
    (some,) = effects.shift(other, PLAN, {**TO_WEST, "share": 99})
    assert some.shared == {(EAST, WEST, 99)}


def test_sending_all_of_them_ends_the_sending_of_a_share() -> None:
    (some,) = effects.shift(IN_ORDER, PLAN, {**TO_WEST, "share": 10})
    (after,) = effects.shift(some, PLAN, {"to": "lost", "share": 100})
    assert after.shared == frozenset()
    assert after.traffic == {EAST: EAST, WEST: EAST}


def test_a_gate_says_why_those_who_were_sent_on_cannot_order() -> None:
    with pytest.raises(Stuck, match="it reaches no primary"):
        effects.gate(APART, PLAN, TO_WEST)
    with pytest.raises(Stuck, match="its shop refuses orders"):
        effects.gate(replace(IN_ORDER, read_only=frozenset({WEST})), PLAN, TO_WEST)
    (some,) = effects.shift(IN_ORDER, PLAN, {**TO_WEST, "share": 10})
    (after,) = effects.gate(some, PLAN, TO_WEST)
    assert "looked-at 10" in after.done


def test_an_operators_order_ignores_read_only_mode_and_must_reach_the_new_primary() -> None:
    (_, world) = effects.repoint(promoted(IN_ORDER), PLAN, EVERYWHERE)
    (after,) = lookeffects.verify(replace(world, read_only=frozenset({WEST})), PLAN, {})
    assert "verified" in after.done
    assert after.read_only == {WEST}
    split = world.with_database(WEST_DB2, role=Role.PRIMARY)
    lost = replace(split, writer={WEST: WEST_DB2, EAST: EAST_DB1})
    with pytest.raises(Stuck, match=r"not taken by west\.db1"):
        lookeffects.verify(lost, PLAN, {})


def test_where_no_node_is_promoted_an_order_is_looked_for_at_the_present_primary() -> None:
    (after,) = lookeffects.verify(IN_ORDER, PLAN, {})
    assert "verified" in after.done
    with pytest.raises(Stuck, match="not taken by a primary"):
        lookeffects.verify(APART, PLAN, {})


# ── coming back ──────────────────────────────────────────────────────────────────────────────


RETURNED = scenario("returned").begin(BACK)


def test_machines_return_to_where_they_were_lost_and_no_old_primary_starts() -> None:
    gone = replace(RETURNED, alive=frozenset({WEST}), managed=frozenset({WEST}))
    for place in (EAST_DB1, EAST_DB2):
        gone = gone.with_database(place, health=Health.DEAD)
    (after,) = backeffects.return_machines(gone, BACK, {})
    assert (after.alive, after.managed) == ({EAST, WEST}, {EAST, WEST})
    assert after.databases[EAST_DB1].health is Health.STOPPED
    assert after.databases[EAST_DB2].health is Health.UP


WAY_BACK = (backeffects.return_machines, backeffects.export, backeffects.rewind, backeffects.follow)


@pytest.mark.parametrize("step", [*WAY_BACK, backeffects.catch_up])
def test_no_step_of_the_way_back_is_done_while_the_primary_is_unknown(
    step: Callable[..., object],
) -> None:
    for world, reason in (
        (promoted(APART), "are both primary"),
        (down(promoted(APART), EAST_DB1, WEST_DB1), "neither"),
    ):
        with pytest.raises(Stuck, match=reason):
            step(world, PLAN, {})


def test_what_a_dead_machine_alone_has_is_kept_only_if_it_can_be_read() -> None:
    gone = RETURNED.with_database(EAST_DB2, health=Health.DEAD)
    with pytest.raises(Stuck, match=r"east\.db2's machine cannot be read"):
        backeffects.export(gone, BACK, {})
    (given_up,) = backeffects.export(gone, BACK, {"accept_unread": True})
    (kept,) = backeffects.export(RETURNED, BACK, {})
    assert "exported" in given_up.done & kept.done
    with pytest.raises(Stuck, match=r"east\.db2 cannot be reached"):
        backeffects.follow(backeffects.rewind(gone, BACK, {})[0], BACK, {})


def test_a_rewound_node_follows_the_present_primary_and_its_neighbour_follows_it() -> None:
    (rewound,) = backeffects.rewind(RETURNED, BACK, {})
    assert rewound.databases[EAST_DB1] == Database(Health.UP, Role.STANDBY, 2, WEST_DB1)
    assert rewound.databases[EAST_DB2] == RETURNED.databases[EAST_DB2]
    (followed,) = backeffects.follow(rewound, BACK, {})
    assert followed.databases[EAST_DB2] == Database(Health.UP, Role.STANDBY, 2, EAST_DB1)
    assert followed == rewound.with_database(
        EAST_DB2, health=Health.UP, role=Role.STANDBY, lineage=2, follows=EAST_DB1
    )


def test_nothing_is_rewound_that_nothing_reaches_or_that_finds_no_source() -> None:
    for world, reason in (
        (replace(RETURNED, managed=frozenset({WEST})), "east.db1 cannot be reached"),
        (replace(RETURNED, joined=False), "east.db1 cannot reach west.db1"),
        (down(RETURNED, WEST_DB1), "neither west.db1 nor east.db1 is primary"),
    ):
        with pytest.raises(Stuck, match=reason):
            backeffects.rewind(world, BACK, {})


def test_a_node_follows_its_neighbour_also_in_a_partition() -> None:
    stopped = APART.with_database(EAST_DB2, health=Health.STOPPED)
    (after,) = backeffects.rewind(stopped, HERE, {})
    assert after.databases[EAST_DB2].follows == EAST_DB1


# ── a planned hand-over ──────────────────────────────────────────────────────────────────────


def test_a_hand_over_leaves_every_node_that_runs_on_the_new_timeline() -> None:
    pause, after = backeffects.switch_over(down(IN_ORDER, EAST_DB2), PLAN, {})
    assert [each.name for each in pause.cannot_read()] == ["east"]
    assert [each.name for each in pause.cannot_write()] == ["east", "west"]
    assert lineages(after) == {"east.db1": 2, "east.db2": 1, "west.db1": 2, "west.db2": 2}
    assert after.databases[EAST_DB1] == Database(Health.UP, Role.STANDBY, 2, WEST_DB1)
    assert after.databases[WEST_DB1] == Database(Health.UP, Role.PRIMARY, 2, None, WEST_DB2)
    assert after.writer == {EAST: WEST_DB1, WEST: WEST_DB1}
    assert backeffects.switch_over(after, PLAN, {}) == (after,)


def test_the_timeline_after_a_hand_over_is_newer_than_any() -> None:
    (_, after) = backeffects.switch_over(IN_ORDER.with_database(EAST_DB2, lineage=4), PLAN, {})
    assert set(lineages(after).values()) == {5}


STANDBY = IN_ORDER.with_database(EAST_DB1, role=Role.STANDBY)


@pytest.mark.parametrize(
    ("step", "world", "reason"),
    [
        (backeffects.switch_over, down(IN_ORDER, EAST_DB1), "does not have what east.db1 has"),
        (backeffects.switch_over, down(IN_ORDER, WEST_DB1), "does not have what east.db1 has"),
        (
            backeffects.switch_over,
            IN_ORDER.with_database(WEST_DB1, lineage=2),
            "does not have what",
        ),
        (backeffects.switch_over, STANDBY, "east.db1 is a standby"),
        (
            backeffects.switch_over,
            replace(IN_ORDER, managed=frozenset({WEST})),
            "cannot be stopped",
        ),
        (backeffects.switch_over, APART, "west.db1 receives nothing"),
        (backeffects.catch_up, IN_ORDER.with_database(WEST_DB1, lineage=2), "can never catch up"),
        (backeffects.catch_up, down(IN_ORDER, WEST_DB1), "west.db1 receives nothing"),
        (backeffects.catch_up, APART, "west.db1 receives nothing"),
        (backeffects.catch_up, down(IN_ORDER, EAST_DB1), "writes no WAL any more"),
        (backeffects.catch_up, STANDBY, "writes no WAL any more"),
    ],
)
def test_a_planned_move_stops_where_orders_could_be_missing(
    step: Callable[..., object], world: World, reason: str
) -> None:
    with pytest.raises(Stuck, match=reason):
        step(world, PLAN, {})


def test_a_standby_that_streams_has_caught_up_and_so_has_a_primary_of_any_timeline() -> None:
    alone = promoted(down(APART, EAST_DB1))
    for world, plan in ((IN_ORDER, PLAN), (APART, HERE), (alone, PLAN)):
        (after,) = backeffects.catch_up(world, plan, {})
        assert after == replace(world, lacking=world.lacking - {plan.new}).having("caught-up")


def test_steering_sends_users_home_who_can_order_there() -> None:
    (some,) = effects.shift(IN_ORDER, PLAN, {**TO_WEST, "share": 10})
    (home,) = effects.send_home(some, PLAN, {})
    assert (home.traffic, home.shared) == ({EAST: EAST, WEST: WEST}, frozenset())
    (parted,) = effects.send_home(APART, PLAN, {})
    assert parted.traffic == {EAST: EAST, WEST: EAST}
    for step in (effects.send_home, effects.reopen):
        with pytest.raises(Stuck, match="no region takes orders"):
            step(IN_ORDER.with_database(EAST_DB1, waits_for=EAST_DB2, lineage=2), PLAN, {})


def test_what_a_failed_step_did_before_it_failed_is_what_users_meet() -> None:
    """A hand-over starts the old primary again; a stand-down has fenced what it could reach."""
    with pytest.raises(Stuck, match="receives nothing") as hangs:
        backeffects.switch_over(replace(IN_ORDER, paused=True), PLAN, {})
    stopped, after = hangs.value.states
    assert [each.name for each in stopped.cannot_write()] == ["east", "west"]
    assert after == replace(IN_ORDER, paused=True)
    with pytest.raises(Stuck, match="can be fenced") as fenced:
        effects.stand_down(IN_ORDER, PLAN, {})
    [last] = fenced.value.states
    assert last.primaries() == ()


def test_a_gate_that_stays_shut_sends_users_home_if_orders_are_taken_there() -> None:
    (some,) = effects.shift(APART, PLAN, {**TO_WEST, "share": 10})
    for world, home in ((some, True), (down(some, EAST_DB1), False)):
        with pytest.raises(Stuck, match="cannot order") as shut:
            effects.gate(world, PLAN, {"to": "target"})
        states = shut.value.states
        assert ([(each.traffic, each.shared) for each in states] != []) is home
        assert all(each.sent() == ((EAST, EAST), (WEST, WEST)) for each in states)
    unread = IN_ORDER.with_database(WEST_DB1, health=Health.STOPPED)
    with pytest.raises(Stuck, match="cannot read"):
        effects.gate(unread, PLAN, {"to": "target"})


def test_checks_that_agree_are_no_grey_failure() -> None:
    dead = replace(IN_ORDER, alive=frozenset({WEST}))
    for world in (IN_ORDER, dead):
        with pytest.raises(Stuck, match="agree"):
            lookeffects.compare_checks(world, PLAN, {})
    assert lookeffects.compare_checks(down(IN_ORDER, EAST_DB1), PLAN, {})


def test_a_shop_that_refuses_orders_looks_lost_and_so_does_none_that_only_the_far_side_misses() -> (
    None
):
    refusing = replace(IN_ORDER, read_only=frozenset({EAST}))
    assert lookeffects.detect(refusing, PLAN, {"by": "health-checks", "after": 0})
    with pytest.raises(Stuck, match="no sign shows"):
        lookeffects.detect(APART, HERE, {"by": "health-checks"})
    with pytest.raises(Stuck, match="both primary"):
        lookeffects.detect(promoted(APART), PLAN, {"by": "any"})


def test_what_does_not_run_confirms_nothing_and_has_no_lag_and_no_room() -> None:
    for step, world, reason in (
        (lookeffects.confirm, down(IN_ORDER, WEST_DB1), "confirms nothing"),
        (lookeffects.confirm, scenario("unreachable").begin(PLAN), "nothing tells whether"),
        (lookeffects.check_lag, down(IN_ORDER, WEST_DB1), "does not say how far"),
        (lookeffects.scale_up, replace(IN_ORDER, alive=frozenset({EAST})), "shop does not run"),
    ):
        with pytest.raises(Stuck, match=reason):
            step(world, PLAN, {})
    both = down(IN_ORDER, EAST_DB1, WEST_DB1)
    assert lookeffects.confirm(both, PLAN, {})


def test_time_that_passes_is_noted() -> None:
    assert lookeffects.hold(IN_ORDER, PLAN, {}) == (IN_ORDER.having("held"),)
    assert lookeffects.noted("decided")(IN_ORDER, PLAN, {}) == (IN_ORDER.having("decided"),)


# ── what users get of a world ────────────────────────────────────────────────────────────────


def test_a_shop_reaches_what_serves_near_it_or_across_regions_that_are_joined() -> None:
    assert IN_ORDER.reaches(WEST, EAST_DB1)
    assert not APART.reaches(WEST, EAST_DB1)
    assert APART.reaches(EAST, EAST_DB1)
    assert not replace(IN_ORDER, alive=frozenset({WEST})).reaches(EAST, EAST_DB1)
    assert not down(IN_ORDER, EAST_DB1).reaches(EAST, EAST_DB1)


def test_orders_are_taken_at_a_primary_and_at_no_standby() -> None:
    assert IN_ORDER.takes_orders_from(WEST) == EAST_DB1
    assert STANDBY.takes_orders_from(WEST) is None
    assert list(STANDBY.cannot_write()) == [EAST, WEST]
    assert list(IN_ORDER.cannot_write()) == []
    assert list(APART.cannot_write()) == [WEST]


def test_a_node_that_is_in_no_topology_stands_still_and_the_first_timeline_is_one() -> None:
    world = world_of(Replication(EAST_DB1, None, (Follows(WEST_DB1, EAST_DB1),)))
    assert world.databases[EAST_DB2] == Database(Health.STOPPED, Role.STANDBY, 1)
    assert world.databases[WEST_DB1] == Database(Health.UP, Role.STANDBY, 1, EAST_DB1)
    assert set(lineages(IN_ORDER).values()) == {1}
