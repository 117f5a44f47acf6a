"""Episodes are made from a seed, and nothing in them contradicts itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.core.topology import EAST_DB1
from lab.drills import soak
from lab.drills.soak import FAILOVERS, Episode, episode
from lab.runbooks.runbook import Call

SEEDS = st.integers(0, 10_000)
NUMBERS = st.integers(1, 500)


def shape(made: Episode) -> tuple[object, ...]:
    drill = made.drill
    return (
        drill.name,
        drill.situation,
        [str(each) for each in drill.faults],
        [str(call) for call in drill.calls],
    )


@given(SEEDS, NUMBERS)
def test_the_same_seed_and_number_make_the_same_episode(seed: int, number: int) -> None:
    assert shape(episode(seed, number)) == shape(episode(seed, number))


@given(SEEDS, NUMBERS)
def test_an_episode_is_a_storm_or_one_of_the_drills(seed: int, number: int) -> None:
    drill = episode(seed, number).drill
    assert drill.name == "storm" or drill.name in FAILOVERS
    assert drill.load == soak.LOAD


@given(SEEDS, NUMBERS)
def test_a_storm_promotes_no_database_takes_no_region_and_ends_in_order(
    seed: int, number: int
) -> None:
    drill = episode(seed, number).drill
    if drill.name == "storm":
        assert not drill.book.promotes
        assert drill.book.plan.old == EAST_DB1
        assert not any(
            name in drill.situation for name in ("region-loss", "blackout", "engine-restart")
        )
        assert drill.calls[-1] == Call("prove-order")
        assert {each.name for each in drill.objectives} == {"lost", "split_brain_writes"}


@given(SEEDS, NUMBERS)
def test_nothing_takes_away_what_would_see_the_fault_beside_it(seed: int, number: int) -> None:
    told = episode(seed, number).drill.situation.rstrip(".").partition(": ")[2]
    for together in told.split("; "):
        chosen, _, beside = together.partition(" with ")
        if "steering-down" in beside:
            assert "steering" not in chosen
            assert "checks-" not in chosen
        if "cache-loss" in beside:
            assert ":cache" not in chosen


def test_many_episodes_use_most_of_the_catalogue() -> None:
    told = " ".join(episode(seed, number).drill.situation for seed in range(20)
                    for number in range(1, 20))  # fmt: skip
    from lab.faults.catalogue import faults

    unused = [row.name for row in faults() if row.name not in told]
    alone = ["blackout", "engine-restart", "region-loss", "second-primary", "wal-gone"]
    assert unused == [*alone, "wal-recycled"]


def test_an_episode_says_how_to_run_it_again() -> None:
    assert episode(7, 3).again == "lab soak --seed 7 --episode 3"
