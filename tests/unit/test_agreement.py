"""Sequences made from a seed are runbooks; what users saw is read from a run's folder."""

from __future__ import annotations

import pytest
from endurance.sequences import LEAST, MOST, made

from lab.runbooks.predict import predict
from lab.runbooks.runbookfile import parse
from lab.runbooks.scenarios import SCENARIOS, scenario
from lab.steps.catalogue import steps, vocabulary

SEEDS = range(1, 21)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_makes_the_same_file_and_it_can_be_played(seed: int) -> None:
    found = made(seed, 1)
    assert found == made(seed, 1)
    book = parse(found.text, "made", vocabulary())
    assert LEAST <= len(book.steps) <= MOST
    assert predict(book, steps(), scenario(found.scenario)).played


def test_many_sequences_have_the_whole_vocabulary_and_all_situations() -> None:
    many = [made(1, number) for number in range(1, 150)]
    called = {each.step for one in many for each in one.runbook.steps}
    assert {each.name for each in vocabulary()} - called == {"run", "manual"}
    assert {one.scenario for one in many} == {
        each.name for each in SCENARIOS if each.lasts and not each.leads
    }
    assert any(each.fallback for one in many for each in one.runbook.steps)
    assert len({one.text for one in many}) == len(many)
