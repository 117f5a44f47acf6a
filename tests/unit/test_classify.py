"""What became of every write: everything planted is found, nothing is invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pure_builders import header, line, lines, loaded, write

from lab.metrics import classify as pure
from lab.metrics.classify import (
    Classification,
    Copies,
    DuplicateKey,
    Fate,
    Opening,
    WinnerUnread,
)
from lab.metrics.placing import FinalRead, Row
from lab.records import duckdbstore, ledger
from lab.records.history import Kind, Location, Operation, Outcome

WINNER, LOSER, OTHER = "west_db1", "east_db1", "east_db2"


def classify(
    items: Iterable[Operation],
    reads: Mapping[str, FinalRead],
    winner: str,
    losers: set[str],
    opening: Opening | None = None,
) -> Classification:
    with loaded(items) as record:
        return pure.classify(record, reads, winner, losers, opening)


def keys(fates: Iterable[Fate | Copies]) -> set[str]:
    return {fate.key for fate in fates}


def one(outcome: Outcome, *nodes: str, copies: int = 1) -> Classification:
    """Classify one write that is on these nodes."""
    reads = {node: {"k": Row(copies)} if node in nodes else {} for node in (WINNER, LOSER, OTHER)}
    return classify([write("k", outcome)], reads, WINNER, {LOSER, OTHER})


NAMES = ("lost", "recovered", "unexpected", "duplicated", "unknown_absent", "local_lost")


@pytest.mark.parametrize(
    ("outcome", "nodes", "name"),
    [
        (Outcome.OK, (WINNER,), None),
        (Outcome.OK, (LOSER,), "lost"),
        (Outcome.OK, (), "lost"),
        (Outcome.LOCAL, (WINNER,), None),
        (Outcome.LOCAL, (LOSER,), "local_lost"),
        (Outcome.LOCAL, (), "local_lost"),
        (Outcome.UNKNOWN, (WINNER,), "recovered"),
        (Outcome.UNKNOWN, (LOSER,), "unknown_absent"),
        (Outcome.UNKNOWN, (), "unknown_absent"),
        (Outcome.FAIL, (WINNER,), "unexpected"),
        (Outcome.FAIL, (LOSER,), None),
        (Outcome.FAIL, (), None),
    ],
)
def test_each_cell_of_outcome_and_location_has_one_name(
    outcome: Outcome, nodes: tuple[str, ...], name: str | None
) -> None:
    found = one(outcome, *nodes)
    assert {each for each in NAMES if getattr(found, each)} == ({name} if name else set())
    assert sum(found.counts.values()) == 1
    assert {each for each in Outcome if found.told(each)} == {outcome}


def test_a_lost_write_on_a_loser_is_orphaned_and_says_on_which() -> None:
    found = one(Outcome.OK, LOSER, OTHER)
    assert [(fate.losers, fate.copies) for fate in found.orphaned] == [((LOSER, OTHER), 0)]
    assert found.nowhere == ()


def test_a_lost_write_in_no_database_is_nowhere() -> None:
    found = one(Outcome.OK)
    assert keys(found.nowhere) == {"k"}
    assert found.orphaned == ()


def test_a_key_twice_on_the_winner_is_duplicated_whatever_users_were_told() -> None:
    assert one(Outcome.OK, WINNER, copies=2).duplicated[0].copies == 2
    assert keys(one(Outcome.UNKNOWN, WINNER, copies=3).recovered) == {"k"}


def test_a_key_twice_on_the_winner_that_no_record_has_is_duplicated_and_unrecorded() -> None:
    rows = {"k": Row(2), "stray": Row(3), "single": Row(), "watch-1": Row(2)}
    found = classify([write("k")], {WINNER: rows}, WINNER, set())
    assert found.duplicated == (Copies("k", 2), Copies("stray", 3))
    assert found.unrecorded == ("single", "stray")


def test_a_key_twice_on_a_loser_is_not_duplicated() -> None:
    assert one(Outcome.OK, LOSER, copies=2).duplicated == ()


def test_a_row_that_counts_zero_copies_is_absent() -> None:
    assert keys(one(Outcome.OK, WINNER, copies=0).nowhere) == {"k"}


def test_a_standby_of_the_winner_is_not_asked() -> None:
    reads = {WINNER: {}, "west_db2": {"k": Row()}}
    assert keys(classify([write("k")], reads, WINNER, set()).nowhere) == {"k"}


def test_a_loser_that_could_not_be_read_is_reported() -> None:
    assert classify([], {WINNER: {}}, WINNER, {LOSER}).unread == (LOSER,)


def test_the_winner_named_among_the_losers_is_no_loser_of_itself() -> None:
    found = classify([write("k")], {WINNER: {"k": Row()}}, WINNER, {WINNER})
    assert found.lost == ()
    assert found.unread == ()


def test_rows_that_no_write_explains_are_listed() -> None:
    found = classify([write("k")], {WINNER: {"k": Row(), "stray": Row()}}, WINNER, set())
    assert found.unrecorded == ("stray",)


def test_a_write_under_a_key_of_the_labs_own_explains_no_other_row() -> None:
    rows = {"watch-1": Row(), "stray": Row()}
    assert classify([write("watch-1")], {WINNER: rows}, WINNER, set()).unrecorded == ("stray",)


def test_reads_and_logins_are_not_writes() -> None:
    other = [write("k", kind=Kind.READ), write("k", kind=Kind.LOGIN)]
    assert classify(other, {WINNER: {}}, WINNER, set()).counts == {}


def test_without_the_winners_read_nothing_is_said() -> None:
    with pytest.raises(WinnerUnread, match=WINNER):
        classify([], {LOSER: {}}, WINNER, {LOSER})


def test_two_writes_with_one_key_are_refused() -> None:
    with pytest.raises(DuplicateKey, match="'k'"):
        classify([write("k"), write("k", start=1.0)], {WINNER: {}}, WINNER, set())


@pytest.mark.parametrize("kind", [Kind.READ, Kind.LOGIN])
def test_a_line_that_is_there_twice_is_refused_whatever_it_is(kind: Kind) -> None:
    item = write("k", kind=kind, start=3.0)
    between = write("other", kind=kind, start=3.0)
    with pytest.raises(DuplicateKey, match=f"the {kind} 'k' of user 1 is in the history twice"):
        classify([item, between, item], {WINNER: {}}, WINNER, set())


@pytest.mark.parametrize(
    "change", [{"start": 1.0}, {"end": 3.5}, {"request_id": "2"}, {"user": 2}, {"found": False}]
)
def test_reads_of_one_order_that_differ_are_not_one(change: dict[str, object]) -> None:
    item = write("k", kind=Kind.READ, start=2.0, end=3.0)
    other = replace(item, **change)  # type: ignore[arg-type]
    assert classify([item, other], {WINNER: {}}, WINNER, set()).counts == {}


@pytest.mark.parametrize("name", ["plain", "it's", "read[12]", "r*", "a?b"])
def test_final_reads_in_files_say_what_those_in_memory_say(tmp_path: Path, name: str) -> None:
    for other in (name, "read1", "axb"):
        (tmp_path / other).mkdir()
        duckdbstore.to_parquet(tmp_path / other / f"{WINNER}.parquet", {"foreign": 7})
    reads = {WINNER: {"a": Row(), "b'": Row(2)}, LOSER: {"c": Row(), "gone": Row(0)}}
    files: dict[str, FinalRead] = {}
    for node, rows in reads.items():
        files[node] = path = tmp_path / name / f"{node}.parquet"
        duckdbstore.to_parquet(path, {key: row.copies for key, row in rows.items()})
    items = [write(key) for key in ("a", "b'", "c", "gone")]
    in_memory = classify(items, reads, WINNER, {LOSER})
    assert classify(items, files, WINNER, {LOSER}) == in_memory
    assert [fate.losers for fate in in_memory.lost] == [(LOSER,), ()]


def test_lost_writes_are_listed_in_the_order_of_their_end() -> None:
    items = [write("b", start=2.0), write("a", start=3.0), write("c", start=1.0)]
    found = classify(items, {WINNER: {}}, WINNER, set())
    assert [fate.key for fate in found.lost] == ["c", "b", "a"]


@dataclass(frozen=True)
class Planted:
    """A write and where its row was put."""

    item: Operation
    copies: int
    losers: frozenset[str]

    @property
    def location(self) -> Location:
        if self.copies:
            return Location.WINNER
        return Location.LOSER_ONLY if self.losers else Location.NOWHERE


LOSERS = [frozenset(each) for each in ((), (LOSER,), (OTHER,), (LOSER, OTHER))]

plants = st.lists(
    st.tuples(
        st.sampled_from(["east", "west"]),
        st.integers(0, 100),
        st.sampled_from(Outcome),
        st.sampled_from([0, 0, 1, 1, 2]),
        st.sampled_from(LOSERS),
    ),
    max_size=30,
).map(
    lambda rows: [
        Planted(write(f"{who}-{n}", told, start=at, population=who), copies, losers)
        for n, (who, at, told, copies, losers) in enumerate(rows)
    ]
)
"""Up to 30 writes in any order, with any outcome, any number of copies, on any losers."""


def reads_of(planted: list[Planted]) -> dict[str, dict[str, Row]]:
    return {
        WINNER: {p.item.key: Row(p.copies) for p in planted if p.copies},
        LOSER: {p.item.key: Row() for p in planted if LOSER in p.losers},
        OTHER: {p.item.key: Row() for p in planted if OTHER in p.losers},
    }


def expected(planted: list[Planted], outcome: Outcome, *where: Location) -> set[str]:
    return {p.item.key for p in planted if p.item.outcome is outcome and p.location in where}


@settings(max_examples=200)
@given(planted=plants, cut=st.integers(1, 200), order=st.randoms(use_true_random=False))
def test_whatever_is_planted_is_found_and_nothing_else(
    planted: list[Planted], cut: int, order: Random
) -> None:
    """Any record: lines in any order, the last one of east's first process cut short."""
    shuffled = [p.item for p in planted]
    order.shuffle(shuffled)
    east = [item for item in shuffled if item.population == "east"]
    stump = line(write("east-cut"))[:cut] + b"\n"
    with ledger.load(
        header() + lines(east[::2]) + stump + header() + lines(east[1::2]),
        header("west") + lines(i for i in shuffled if i.population == "west"),
    ) as record:
        found = pure.classify(record, reads_of(planted), WINNER, {LOSER, OTHER})
        assert len(record.cut_lines) == 1

    gone = (Location.LOSER_ONLY, Location.NOWHERE)
    assert keys(found.lost) == expected(planted, Outcome.OK, *gone)
    assert keys(found.orphaned) == expected(planted, Outcome.OK, Location.LOSER_ONLY)
    assert keys(found.nowhere) == expected(planted, Outcome.OK, Location.NOWHERE)
    assert keys(found.recovered) == expected(planted, Outcome.UNKNOWN, Location.WINNER)
    assert keys(found.unknown_absent) == expected(planted, Outcome.UNKNOWN, *gone)
    assert keys(found.unexpected) == expected(planted, Outcome.FAIL, Location.WINNER)
    assert keys(found.local_lost) == expected(planted, Outcome.LOCAL, *gone)
    assert keys(found.duplicated) == {p.item.key for p in planted if p.copies > 1}
    assert found.counts == Counter((p.item.outcome, p.location) for p in planted)
    for told in Outcome:
        assert found.told(told) == len(expected(planted, told, *Location))


@settings(max_examples=25)
@given(planted=plants, at=st.integers(-1, 101), held=st.sets(st.integers(0, 30)))
def test_what_was_gone_when_the_measured_part_began_is_told_apart(
    planted: list[Planted], at: int, held: set[int]
) -> None:
    """An order that the primary held by then was lost later, however early it was acknowledged."""
    began = Opening(at + 0.5, {p.item.key: Row() for n, p in enumerate(planted) if n in held})
    items, reads = [p.item for p in planted], reads_of(planted)
    every = classify(items, reads, WINNER, {LOSER, OTHER})
    found = classify(items, reads, WINNER, {LOSER, OTHER}, began)
    before = {p.item.key for n, p in enumerate(planted) if p.item.end <= began.at and n not in held}
    assert keys(found.earlier) == keys(every.lost) & before
    for name in NAMES:
        gone = before if name in ("lost", "unknown_absent", "local_lost") else set()
        assert keys(getattr(found, name)) == keys(getattr(every, name)) - gone, name
    assert found.counts == every.counts
    assert found.gone == keys(every.lost)


def test_an_order_that_users_had_read_counts_as_gone_where_it_was_lost() -> None:
    seen = replace(write("k"), kind=Kind.READ, found=True, start=1.0, end=1.1)
    items, reads = [write("k"), seen], {WINNER: {}, LOSER: {}}
    for held, gone in (({}, []), ({"k": Row()}, ["k"])):
        found = classify(items, reads, WINNER, {LOSER}, Opening(5.0, held))
        assert [each.write.key for each in found.seen_then_gone] == gone
