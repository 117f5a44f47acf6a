"""Episodes of incidents are made from a seed, and an order that is nowhere is found missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from endurance import writer
from endurance.episodes import KINDS, Episode, episode
from endurance.writer import Answers, held
from hypothesis import given
from hypothesis import strategies as st

from lab.faults.catalogue import fault
from lab.metrics import orphans
from lab.metrics.orphans import OrderRow
from lab.runbooks import runbookfile, shipped
from lab.steps.catalogue import vocabulary

SEEDS = st.integers(0, 10_000)
STORIES = [
    pytest.param(story, id=f"{kind.name}-{number}")
    for kind in KINDS
    for number, story in enumerate(kind.stories)
]


# ── episodes ─────────────────────────────────────────────────────────────────────────────────


@given(SEEDS, st.integers(1, 100))
def test_the_same_seed_and_number_make_the_same_episode(seed: int, number: int) -> None:
    assert episode(seed, number) == episode(seed, number)


def test_other_seeds_make_other_episodes() -> None:
    assert len({str(episode(seed, 1)) for seed in range(20)}) == 20


@given(SEEDS)
def test_each_kind_comes_before_any_comes_again(seed: int) -> None:
    kinds = [episode(seed, number).kind for number in range(1, 1 + 2 * len(KINDS))]
    for part in (kinds[: len(KINDS)], kinds[len(KINDS) :]):
        assert sorted(part) == sorted(kind.name for kind in KINDS)


@given(SEEDS)
def test_each_story_of_a_kind_comes_before_any_comes_again(seed: int) -> None:
    episodes = [episode(seed, number) for number in range(1, 1 + 4 * len(KINDS))]
    for kind in KINDS:
        played = [_told(each) for each in episodes if each.kind == kind.name]
        assert len({*played[: len(kind.stories)]}) == len(kind.stories)


def _told(made: Episode) -> str:
    return "; ".join(str(each.act) for each in made.acts)


@given(SEEDS, st.integers(1, 100))
def test_only_runbooks_that_are_to_reach_their_end_are_cut(seed: int, number: int) -> None:
    made = episode(seed, number)
    [kind] = [each for each in KINDS if each.name == made.kind]
    for each in made.acts:
        assert bool(each.cuts) == (kind.cut and bool(each.act.runbook))
        assert all(0 <= where.share < 1 and where.seconds >= 0 for where in each.cuts)


@pytest.mark.parametrize("story", STORIES)
def test_a_story_names_faults_and_runbooks_that_there_are(story: tuple[object, ...]) -> None:
    for command, *words in (each.words for each in story):  # type: ignore[attr-defined]
        if command == "fault" and words[1] != "--all":
            fault(words[1])
        if command == "runbook":
            runbookfile.read(shipped.find(words[1]), vocabulary())


@pytest.mark.parametrize("story", STORIES)
def test_a_story_heals_all_that_it_broke_and_ends_with_a_way_back(
    story: tuple[object, ...],
) -> None:
    heal, back = story[-2:]
    assert str(heal) == "lab fault heal --all"
    assert back.runbook in {"zone-failback", "failback", "return-west"}  # type: ignore[attr-defined]


# ── the invariant ────────────────────────────────────────────────────────────────────────────


def test_an_order_that_is_in_no_database_and_no_export_is_missing() -> None:
    found = held({"a", "b", "c", "planted"}, {"a", "another's"}, {"b", "c"})
    assert (found.acknowledged, found.exported, found.missing) == (4, 2, ("planted",))


def test_nothing_is_missing_where_all_is_held() -> None:
    assert held({"a", "b"}, {"a", "b"}, {"b"}).missing == ()
    assert held((), (), ()).missing == ()


def test_exports_are_found_wherever_the_lab_may_leave_them(tmp_path: Path) -> None:
    for number, folder in enumerate(("runs/a-run", "state/orphans/lab")):
        (tmp_path / folder).mkdir(parents=True)
        row = OrderRow(1, f"key-{number}", "someone", 1, 1, 100, "east", 1, "2026-01-01 00:00:00")
        text = orphans.to_csv(orphans.collect({"east_db1": [row]}, lambda _key: None))
        (tmp_path / folder / f"orphans-east_db1-timeline-1-{number}.csv").write_text(text)
    found = writer.in_exports(tmp_path / "runs", tmp_path / "state")
    assert found == {"key-0", "key-1"}


def test_an_answer_of_an_old_timeline_after_one_of_a_newer_is_noted(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers.jsonl")
    answers.note("under-way", 201, {"timeline": 1}, seen=1)
    answers.note("newer", 201, {"timeline": 2}, seen=1)
    answers.note("was-under-way", 200, {"timeline": 1}, seen=1)
    assert (answers.newest, answers.stale) == (2, [])
    answers.note("stale", 202, {"timeline": 1}, seen=2)
    assert answers.stale == ["stale"]
    assert answers.told == dict.fromkeys(("under-way", "newer", "was-under-way"), "ok") | {
        "stale": "local"
    }
    assert len(answers.file.read_text().splitlines()) == 4
