"""The runbooks that come with the lab: found by name, and as good or as bad as they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.errors import UnknownName
from lab.core.topology import Place
from lab.runbooks import permutations
from lab.runbooks.predict import End, Prediction, predict
from lab.runbooks.runbook import Runbook
from lab.runbooks.runbookfile import PATTERNS, read
from lab.runbooks.scenarios import scenario
from lab.runbooks.shipped import find, shipped
from lab.steps.catalogue import vocabulary
from lab.testbed.wayback import BACK

RUNBOOKS = tuple(read(path, vocabulary()) for path in shipped())
SOUND = [each for each in RUNBOOKS if not each.flaw]
FLAWED = [each for each in RUNBOOKS if each.flaw]


def predicted(runbook: Runbook, name: str) -> Prediction:
    return predict(runbook, vocabulary(), scenario(name))


def named(name: str) -> Runbook:
    return read(find(name), vocabulary())


def test_the_shelf_holds_the_runbooks_that_it_should() -> None:
    assert [each.name for each in SOUND] == [
        "drain", "failback", "five-steps", "gray-failure", "monthly-drill", "region-failover",
        "region-failover-west", "reopen", "restart-resolver", "return-west", "sit-out-freeze",
        "sit-out-partition", "stand-down", "standby-loss", "switchover", "unfenced-failover",
        "zone-failback", "zone-failover", "zones-failover",
    ]  # fmt: skip
    assert [each.name for each in FLAWED] == [
        "active-passive-as-printed", "five-steps-as-listed", "pilot-light-as-printed",
        "scale-promote-dns-as-printed", "split-brain", "warm-standby-as-printed",
    ]  # fmt: skip


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_a_shipped_runbook_is_called_like_its_file_and_tells_its_situation(path: Path) -> None:
    runbook = read(path, vocabulary())
    assert runbook.name == path.stem
    assert runbook.pattern in PATTERNS
    head = path.read_text().partition("\nname:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert len(head.splitlines()) > 4
    assert all(len(line) <= 100 for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("runbook", "name"),
    [(each, name) for each in SOUND for name in each.scenarios],
    ids=lambda each: getattr(each, "name", each),
)
def test_a_sound_runbook_ends_right_wherever_it_says_that_it_does(
    runbook: Runbook, name: str
) -> None:
    prediction = predicted(runbook, name)
    assert prediction.vector.end is End.RIGHT
    assert not prediction.vector.split_brain
    assert not [each.sentence for each in prediction.violations if each.unsafe]


@pytest.mark.parametrize("runbook", FLAWED, ids=lambda each: each.name)
def test_a_flawed_runbook_does_harm_when_the_regions_part_or_one_is_dead(runbook: Runbook) -> None:
    assert {"partition", "region-dead"} <= set(runbook.scenarios)
    assert any(predicted(runbook, name).unsafe for name in ("partition", "region-dead"))


@pytest.mark.parametrize(
    "name",
    [
        "region-failover",
        "region-failover-west",
        "zone-failover",
        "zones-failover",
    ],
)
def test_nothing_at_all_is_wrong_with_a_runbook_of_the_labs_own(name: str) -> None:
    runbook = named(name)
    for each in runbook.scenarios:
        assert [wrong.sentence for wrong in predicted(runbook, each).violations] == []


def test_both_directions_have_the_same_steps() -> None:
    east, west = named("region-failover"), named("region-failover-west")
    assert [each.step for each in east.steps] == [each.step for each in west.steps]
    assert (east.plan.old, east.plan.new) == (west.plan.new, west.plan.old)


@pytest.mark.parametrize(
    ("name", "order"), [("five-steps", permutations.REFERENCE), ("five-steps-as-listed", "PSTWR")]
)
def test_the_exercise_has_the_steps_of_the_matrix_in_its_order(name: str, order: str) -> None:
    runbook, same = named(name), permutations.runbook(order)
    assert [each.step for each in runbook.steps] == [each.step for each in same.steps]
    for each in runbook.scenarios:
        assert predicted(runbook, each).vector == predicted(same, each).vector


@pytest.mark.parametrize(("primary", "down"), BACK)
def test_each_way_back_is_a_runbook_that_rewinds_nothing_unread(
    primary: Place, down: Place
) -> None:
    runbook = named(BACK[primary, down])
    steps = [each.step for each in runbook.steps]
    assert {*runbook.scenarios} <= {"returned", "zone-returned"}
    assert steps.index("export-orphans") < steps.index("rewind")
    assert down.region is runbook.plan.target
    assert down == runbook.plan.new or "follow" in steps


def test_a_runbook_is_found_by_its_name() -> None:
    assert find("region-failover").name == "region-failover.yaml"


def test_an_unknown_runbook_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="there is no runbook called 'region-failovr'") as caught:
        find("region-failovr")
    assert "region-failover" in caught.value.nearest


@pytest.mark.parametrize("text", ["my.yaml", "my.yml", "folder/my", "./region-failover"])
def test_what_looks_like_a_path_is_one(text: str) -> None:
    assert find(text) == Path(text)


def test_a_file_that_exists_is_meant_and_a_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zone-failover").touch()
    (tmp_path / "region-failover").mkdir()
    assert find("zone-failover") == Path("zone-failover")
    assert find("region-failover") in shipped()


def test_a_name_that_no_file_can_have_is_unknown_like_any_other() -> None:
    for text in ("x" * 5000, "my\0", ""):
        with pytest.raises(UnknownName):
            find(text)
