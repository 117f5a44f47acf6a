"""The first states of the model: what each situation takes away, for any plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import UnknownName
from lab.core.topology import DATABASES, DEFAULT_REPLICATION, EAST, REGIONS, WEST, Place
from lab.runbooks.model import Health, Role, World
from lab.runbooks.runbook import Plan
from lab.runbooks.scenarios import SCENARIOS, scenario, topology_with
from lab.runbooks.shipped import find

PLANS = st.permutations(DATABASES).map(lambda places: Plan(*places[:2]))


def health(world: World, *places: Place) -> set[Health]:
    return {world.databases[each].health for each in places}


def of(region: object) -> list[Place]:
    return [each for each in DATABASES if each.region is region]


@pytest.mark.parametrize("primary", DATABASES)
def test_around_any_primary_its_twin_is_synchronous_and_the_other_pair_is_a_chain(
    primary: Place,
) -> None:
    made = topology_with(primary)
    assert (made.primary, made.members) == (primary, set(DATABASES))
    [twin] = {*of(primary.region)} - {primary}
    assert made.synchronous == twin
    assert made.upstream_of(twin) == primary
    head, tail = of(primary.region.other)
    assert made.head_of(primary.region.other) == made.upstream_of(tail) == head
    assert made.upstream_of(head) == primary
    assert topology_with(DEFAULT_REPLICATION.primary) == DEFAULT_REPLICATION


@given(PLANS)
def test_a_partition_takes_the_wide_area_and_what_cannot_be_reached_its_management(
    plan: Plan,
) -> None:
    whole, apart, unreached = (
        scenario(name).begin(plan) for name in ("healthy", "partition", "unreachable")
    )
    for world in (whole, apart, unreached):
        assert world.primaries() == (plan.old,)
        assert world.alive == {*REGIONS}
        assert health(world, *DATABASES) == {Health.UP}
    assert (whole.joined, apart.joined, unreached.joined) == (True, False, False)
    assert whole.managed == apart.managed == {*REGIONS}
    assert unreached.managed == {*REGIONS} - {plan.lost}


@given(PLANS)
def test_a_dead_region_takes_its_machines_and_a_dead_zone_the_primarys_alone(plan: Plan) -> None:
    region, zone = (scenario(name).begin(plan) for name in ("region-dead", "zone-dead"))
    assert health(region, *of(plan.lost)) == {Health.DEAD}
    assert health(region, *of(plan.lost.other)) == {Health.UP}
    assert region.alive == region.managed == {plan.lost.other}
    assert region.resolvers == {*REGIONS}
    assert not region.joined
    assert health(zone, plan.old) == {Health.DEAD}
    assert health(zone, *({*DATABASES} - {plan.old})) == {Health.UP}
    assert zone.alive == zone.managed == {*REGIONS}
    assert zone.joined


@pytest.mark.parametrize("old", DATABASES)
def test_a_region_that_is_back_stands_still_and_the_other_one_serves_all_users(old: Place) -> None:
    new = of(old.region.other)[0]
    world = scenario("returned").begin(Plan(old, new))
    assert world.primaries() == (old,)
    assert health(world, *of(old.region)) == {Health.UP}
    assert health(world, *of(new.region)) == {Health.STOPPED}
    roles = {place: world.databases[place].role for place in of(new.region)}
    assert [place for place, role in roles.items() if role is Role.PRIMARY] == [new]
    lineages = {place: world.databases[place].lineage for place in DATABASES}
    assert lineages == {each: 2 if each.region is old.region else 1 for each in DATABASES}
    [twin] = {*of(old.region)} - {old}
    assert world.databases[twin].follows == old
    assert all(world.databases[each].follows is None for each in of(new.region))
    assert world.traffic == {EAST: old.region, WEST: old.region}
    assert world.head == {EAST: old, WEST: old}
    assert all(map(world.answers_reads, REGIONS))


@pytest.mark.parametrize("old", DATABASES)
def test_a_survivor_is_lost_when_one_database_of_the_other_region_follows_again(old: Place) -> None:
    new = of(old.region.other)[0]
    world = scenario("survivor-lost").begin(Plan(old, new))
    assert world.primaries() == ()
    assert health(world, *of(old.region)) == {Health.DEAD}
    assert (health(world, new), health(world, new.twin)) == ({Health.UP}, {Health.STOPPED})
    assert world.databases[new].lineage == world.databases[old].lineage
    assert world.databases[new.twin].lineage < world.databases[old].lineage
    assert world.alive == {new.region}
    assert new in world.lacking


def test_only_runbooks_that_come_with_the_lab_lead_to_a_situation() -> None:
    names = [lead.runbook for each in SCENARIOS for lead in each.leads if lead.runbook]
    assert len(names) > 3
    assert all(find(name).is_file() for name in names)


def test_a_scenario_is_found_by_its_name_and_an_unknown_one_names_the_nearest() -> None:
    assert [scenario(each.name) for each in SCENARIOS] == [*SCENARIOS]
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)
    with pytest.raises(UnknownName, match="partition"):
        scenario("partitoin")
