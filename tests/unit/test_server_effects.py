"""What steps that act on one server make of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.core.topology import EAST, EAST_DB1, EAST_DB2, WEST, WEST_DB1, WEST_DB2
from lab.runbooks import servereffects as effects
from lab.runbooks.effects import fence, promote, stop_writes
from lab.runbooks.model import IN_ORDER, Health, Role, World
from lab.runbooks.option import Options
from lab.runbooks.runbook import Makes, Plan, Stuck
from lab.runbooks.scenarios import scenario

PLAN = Plan(EAST_DB1, WEST_DB1)
HERE = Plan(EAST_DB1, EAST_DB2)
BUSY = IN_ORDER.after_orders()
QUIET = stop_writes(BUSY, PLAN, {"where": "everywhere"})[0]
MOVED = promote(fence(QUIET, PLAN, {})[0], PLAN, {})[0]
GONE = scenario("standby-gone").begin(PLAN)
UNMANAGED = replace(BUSY, managed=frozenset({WEST}))


def one(makes: Makes, world: World, plan: Plan = PLAN, **options: object) -> World:
    [after] = makes(world, plan, options)  # type: ignore[arg-type]
    return after


def test_a_clean_stop_sends_standbys_what_they_lack_and_an_immediate_one_does_not() -> None:
    clean = one(effects.stop, BUSY, mode="clean")
    assert (clean.databases[EAST_DB1].health, clean.lacking) == (Health.STOPPED, frozenset())
    hard = one(effects.stop, BUSY, mode="immediate")
    assert hard.lacking == {WEST_DB1, WEST_DB2}
    apart = one(effects.stop, replace(BUSY, joined=False), mode="clean")
    assert apart.lacking == {WEST_DB1, WEST_DB2}
    assert one(effects.stop, clean, mode="clean") == clean


def test_the_end_of_the_wal_is_compared_once_writes_are_stopped() -> None:
    """Between two steps WAL has time to arrive, unless its server ended in the middle of orders."""
    for world in (QUIET, fence(QUIET, PLAN, {})[0], one(effects.stop, BUSY, mode="clean")):
        assert WEST_DB1 not in one(effects.compare, world).lacking
    with pytest.raises(Stuck, match="stopped at once"):
        effects.compare(fence(BUSY, PLAN, {})[0], PLAN, {})
    with pytest.raises(Stuck, match="receives nothing"):
        effects.compare(replace(QUIET, paused=True), PLAN, {})


def test_a_stopped_server_starts_as_what_it_is_and_never_as_a_second_primary() -> None:
    stopped = one(effects.stop, QUIET, mode="clean")
    assert one(effects.start, stopped).databases[EAST_DB1].health is Health.UP
    with pytest.raises(Stuck, match=r"west\.db1 would both be primary"):
        effects.start(MOVED, PLAN, {})
    with pytest.raises(Stuck, match="cannot be started"):
        effects.start(GONE, PLAN, {"node": "east.db2"})


def test_the_old_primary_becomes_a_standby_of_the_new_one() -> None:
    after = one(effects.demote, MOVED)
    node = after.databases[EAST_DB1]
    assert (node.role, node.follows, node.lineage) == (Role.STANDBY, WEST_DB1, 2)
    with pytest.raises(Stuck, match="is not primary"):
        effects.demote(QUIET, PLAN, {})


def test_a_primary_that_waits_for_no_standby_takes_orders_and_may_lose_them() -> None:
    assert GONE.takes_orders_from(EAST) is None
    alone = one(effects.go_async, GONE)
    assert alone.takes_orders_from(EAST) == EAST_DB1
    assert EAST_DB2 in alone.after_orders().lacking
    with pytest.raises(Stuck, match="does not stream"):
        effects.go_sync(alone, PLAN, {})
    with pytest.raises(Stuck, match=r"east\.db2 cannot be reached"):
        effects.rebuild(alone, PLAN, {})
    booted = alone.with_database(EAST_DB2, health=Health.STOPPED)
    back = one(effects.go_sync, one(effects.rebuild, booted).after_orders())
    assert back.databases[EAST_DB1].waits_for == EAST_DB2
    assert EAST_DB2 not in back.after_orders().lacking


def test_a_rebuilt_standby_is_a_copy_of_the_present_primary() -> None:
    after = one(effects.rebuild, MOVED, node="east.db1")
    assert after.databases[EAST_DB1].follows == WEST_DB1
    with pytest.raises(Stuck, match="it is no standby"):
        effects.rebuild(MOVED, PLAN, {"node": "west.db1"})
    with pytest.raises(Stuck, match="cannot reach"):
        effects.rebuild(replace(MOVED, joined=False), PLAN, {"node": "east.db1"})


def test_nothing_arrives_while_replication_is_paused() -> None:
    with pytest.raises(Stuck, match="gateway cannot be reached"):
        effects.pause_replication(scenario("unreachable").begin(PLAN), PLAN, {})
    assert one(effects.pause_replication, scenario("region-dead").begin(PLAN)).paused
    apart = scenario("partition").begin(PLAN)
    with pytest.raises(Stuck, match="no link leads"):
        effects.resume_replication(apart, PLAN, {})
    paused = one(effects.pause_replication, BUSY)
    assert not paused.streams(EAST_DB1, WEST_DB1)
    assert one(effects.resume_replication, paused) == BUSY
    with pytest.raises(Stuck, match="one region"):
        effects.pause_replication(BUSY, HERE, {})


def test_a_standby_that_has_everything_is_chosen_before_one_that_lags() -> None:
    near = scenario("zone-dead").begin(PLAN)
    assert "chosen" in one(effects.choose, near, accept_loss=False).done
    paused = replace(scenario("healthy").begin(PLAN), paused=True).after_orders()
    dead = paused.with_database(EAST_DB1, health=Health.DEAD)
    with pytest.raises(Stuck, match=r"east\.db2 has orders that west\.db1 lacks"):
        effects.choose(dead, PLAN, {"accept_loss": False})
    assert "chosen" in one(effects.choose, dead, HERE, accept_loss=False).done
    assert "chosen" in one(effects.choose, dead, accept_loss=True).done


@pytest.mark.parametrize("makes", [effects.stop, effects.compare])
def test_what_nothing_reaches_is_neither_stopped_nor_read(makes: Makes) -> None:
    options: Options = {"mode": "clean"}
    with pytest.raises(Stuck, match=r"east\.db1 cannot be"):
        makes(UNMANAGED, PLAN, options)


def test_a_resolver_that_was_restarted_takes_names_again() -> None:
    world = scenario("resolver-gone").begin(PLAN)
    assert EAST not in world.resolvers
    assert EAST in one(effects.resolver_restarted, world).resolvers


def test_a_primary_that_was_promoted_without_all_orders_is_compared_and_refused() -> None:
    for world in (fence(BUSY, PLAN, {})[0], BUSY):
        with pytest.raises(Stuck, match="timelines parted"):
            effects.compare(promote(world, PLAN, {})[0], PLAN, {})
    whole = one(effects.stop, BUSY, mode="clean")
    assert "compared" in one(effects.compare, promote(whole, PLAN, {})[0]).done


def test_no_primary_is_told_to_wait_that_nothing_reaches() -> None:
    for makes in (effects.go_async, effects.go_sync, effects.rebuild):
        with pytest.raises(Stuck, match=r"neither west\.db1 nor east\.db1 answers"):
            makes(UNMANAGED, PLAN, {})
