"""A check that begins at the lab as it stands: what was seen becomes the model's first state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_runbooks import CAREFUL, SPECS, runbook
from made_up_status import healthy, machines, node, region_down, silent, with_nodes

from lab.core.errors import Refused
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Place,
)  # fmt: skip
from lab.infra.linkstates import Toxic
from lab.runbooks.checkup import Level, Word, check
from lab.runbooks.model import PLANNED, World, world_of
from lab.runbooks.runbook import Call, Plan
from lab.runbooks.scenarios import scenario, topology_with
from lab.status.look import Status
from lab.status.worldnow import situation
from lab.testbed.inforce import InForce

PLAN = Plan(EAST_DB1, WEST_DB1)


def begun(status: Status, *unmanaged: Place) -> World:
    return situation(status, unmanaged).begin(PLAN)


def lost_east() -> Status:
    down = [silent(each, "its machine is down", "exited") for each in (EAST_DB1, EAST_DB2)]
    return with_nodes(*down, machines=region_down("east"))


def test_a_healthy_lab_is_the_model_in_order() -> None:
    assert begun(healthy()) == world_of(topology_with(EAST_DB1)).having(PLANNED)


def test_a_lost_region_is_what_the_scenario_says_but_for_its_resolver() -> None:
    now, meant = begun(lost_east()), scenario("region-dead").begin(PLAN)
    assert (now.alive, now.joined, now.managed) == (meant.alive, meant.joined, meant.managed)
    assert now.primaries() == ()
    assert now.resolvers == {WEST}
    [found] = check(runbook(*CAREFUL), SPECS, [situation(lost_east(), ())]).checked
    assert (found.scenario, found.level) == ("here", Level.FINE)


@pytest.mark.parametrize("silently", [True, False])
def test_a_partition_is_seen_on_the_links_between_the_regions(silently: bool) -> None:
    toxic = Toxic("cut", "timeout", "upstream")
    cut = tuple(
        replace(each, open=silently, toxics=(toxic,) if silently else ())
        if each.link.is_long_distance
        else each
        for each in healthy().links
    )
    now = begun(healthy(links=cut))
    assert (now.joined, PLANNED in now.done) == (False, False)


def test_machines_out_of_reach_are_not_managed() -> None:
    assert begun(healthy(), EAST_DB1).managed == {WEST}


def test_after_a_failover_the_new_primary_leads_and_the_old_one_stands_still() -> None:
    led = {"east": "west.db1 through west.gateway", "west": "west.db1"}
    after = with_nodes(
        silent(EAST_DB1, "its server does not run"),
        silent(EAST_DB2, "its server does not run"),
        node(WEST_DB1, primary=True, timeline=2),
        node(WEST_DB2, timeline=2),
        replaced=(EAST_DB1,),
        leads={
            name: {**dict.fromkeys(healthy().leads[name], way), APP_NAME: "west.gateway"}
            for name, way in led.items()
        },
        writers={"east": WEST_DB1, "west": WEST_DB1},
        in_force=(InForce("east's shop refuses customers' orders", refuses=True, where="east"),),
    )
    now = begun(after)
    assert now.primaries() == (WEST_DB1,)
    assert {now.takes_orders_from(each) for each in (EAST, WEST)} == {None, WEST_DB1}
    assert now.traffic == {EAST: WEST, WEST: WEST}
    assert (now.read_only, PLANNED in now.done) == ({EAST}, False)
    steps = runbook(Call("promote"), Call("verify"))
    [found] = check(steps, SPECS, [situation(after, ())]).checked
    assert [each.word for each in found.steps] == [Word.NOT_NEEDED, Word.DONE]


def test_a_frozen_database_cannot_be_judged() -> None:
    frozen = with_nodes(silent(EAST_DB1, "its machine is frozen", "paused"))
    with pytest.raises(Refused, match=r"east\.db1 is frozen") as caught:
        situation(frozen, ())
    assert caught.value.next_step == "end that first: lab fault heal freeze --node east.db1"


def test_a_machine_that_runs_without_its_server_is_stopped_and_may_be_started() -> None:
    stopped = with_nodes(silent(EAST_DB2, "its server does not run"), machines=machines({}))
    world = begun(stopped)
    assert world.hangs(EAST_DB1)
    assert PLANNED not in world.done
    assert len(world.databases) == len(DATABASES)
