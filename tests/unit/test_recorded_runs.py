"""Real runs, recorded once: what is computed from their records is what was computed that day.

`make corpus` records them anew. A change of a formula that is meant needs that, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import packed
import pytest

from lab.core.verdict import Verdict
from lab.metrics.compute import compute
from lab.records.history import DamagedHistory
from lab.records.result import Result
from lab.records.resultrows import ObjectiveRow
from lab.report import reportpage

NOT_KEPT = {"verdict", "objectives", "opinions", "samples", "orphans_file"}
"""Fields for which an older lab did not keep all that they are made of: what the losers' disks
told, and samples."""
SENTENCES = ("why", "detail", "question", "answer")
"""What is said of figures. It may be put better later; the figures stay."""


@dataclass(frozen=True)
class Again:
    """A recorded run: its result as it was written, and the same computed anew.

    `whole` says that everything was kept of which its result is made.
    """

    written: Result
    computed: Result
    whole: bool

    def fields(self, result: Result) -> dict[str, Any]:
        """What can be compared."""
        return result.model_dump(exclude=set() if self.whole else NOT_KEPT)


@cache
def again(name: str) -> Again:
    """A kept run, computed as `lab drill` and `lab report --recompute` do."""
    with TemporaryDirectory() as work:
        kept = packed.unpack(name, Path(work))
        return Again(kept.result, compute(kept.raw).result, kept.whole)


def shaped(found: Any, like: Any) -> Any:
    """What was found of the fields that were there when the run was recorded, but for sentences."""
    if isinstance(like, dict):
        return {
            name: shaped(each, like[name])
            for name, each in found.items()
            if name in like and name not in SENTENCES
        }
    if isinstance(like, tuple | list) and len(like) == len(found):
        return type(found)(shaped(one, other) for one, other in zip(found, like, strict=True))
    return found


@pytest.mark.parametrize("name", packed.names())
def test_every_figure_of_a_recorded_run_is_computed_again(name: str) -> None:
    found = again(name)
    then = found.written.model_dump(exclude_unset=True)
    written = shaped(found.fields(found.written), then)
    assert len(written) > 50, len(written)
    assert shaped(found.fields(found.computed), then) == written


def unexplained(row: ObjectiveRow) -> ObjectiveRow:
    return row.model_copy(update={"why": "", "detail": ""})


@pytest.mark.parametrize("name", packed.names())
def test_every_objective_is_judged_again_as_it_was(name: str) -> None:
    """But for how it is put why they matter."""
    written = {each.name: unexplained(each) for each in again(name).written.objectives}
    later = set() if again(name).whole else {"wal_agrees", "record_gaps"}
    computed = [
        unexplained(each) for each in again(name).computed.objectives if each.name not in later
    ]
    assert len(computed) > 5
    assert [each for each in computed if each != written[each.name]] == []


@pytest.mark.parametrize("name", packed.names())
def test_the_stopwatch_says_the_same_again(name: str) -> None:
    """But for how its question and its answer are put."""
    written, computed = (
        {each.name: each for each in result.opinions}["stopwatch"].model_copy(
            update={"question": "", "answer": ""}
        )
        for result in (again(name).written, again(name).computed)
    )
    assert computed == written


# --- What is missing of their records ----------------------------------------------------------


def gaps(found: Result) -> ObjectiveRow:
    [row] = [each for each in found.objectives if each.name == "record_gaps"]
    return row


@pytest.mark.parametrize("name", ["region-loss", "zone-loss", "split-brain"])
def test_nothing_is_missing_of_a_whole_record(name: str) -> None:
    found = gaps(again(name).computed)
    assert (found.found, found.verdict, found.detail) == (0, Verdict.PASS, "")


def parts(history: Path) -> tuple[list[bytes], list[bytes]]:
    """The lines of users east and of users west."""
    lines = history.read_bytes().splitlines(keepends=True)
    headers = [n for n, line in enumerate(lines) if b'"record":"header"' in line]
    return lines[: headers[1]], lines[headers[1] :]


def with_history(folder: Path, change: Callable[[list[bytes], list[bytes]], bytes]) -> Result:
    """The region loss, from a record that was changed."""
    raw = packed.unpack("region-loss", folder).raw
    raw.history.write_bytes(change(*parts(raw.history)))
    return compute(raw).result


def test_a_population_without_a_record_leaves_the_verdict_open(tmp_path: Path) -> None:
    found = with_history(tmp_path, lambda east, west: b"".join(west))
    whole = again("region-loss").computed
    assert (found.acknowledged, found.unheard) == (764, ("east",))
    assert found.verdict is Verdict.UNKNOWN
    assert gaps(found).verdict is Verdict.UNKNOWN
    assert gaps(found).detail == (
        "users east have no record; no record has 814 orders of users that west_db1 holds;"
        " no record has 11 orders of users that other nodes alone hold"
    )
    assert [each.population for each in found.populations] == ["east", "west"]
    assert found.rto_seconds == {**whole.rto_seconds, "east": None, "max": None}


def test_a_population_that_wrote_its_header_alone_has_no_record(tmp_path: Path) -> None:
    found = with_history(tmp_path, lambda east, west: east[0] + b"".join(west))
    assert (found.unheard, found.verdict) == (("east",), Verdict.UNKNOWN)


def test_a_record_that_ends_long_before_the_load_did_leaves_the_verdict_open(
    tmp_path: Path,
) -> None:
    def change(east: list[bytes], west: list[bytes]) -> bytes:
        half = len(east) // 2
        return b"".join(east[:half]) + east[half][:99] + b"".join(west)

    found = with_history(tmp_path, change)
    assert (found.cut_lines, found.unheard, found.verdict) == (1, (), Verdict.UNKNOWN)
    assert gaps(found).detail == (
        "users east recorded 460 of 1,110 operations;"
        " the record of users east is cut in its middle (history.jsonl, line 653);"
        " no record has 501 orders of users that west_db1 holds"
    )


def test_one_line_that_is_missing_of_a_record_leaves_the_verdict_open(tmp_path: Path) -> None:
    """A read: the users' own count alone tells that it is gone."""
    raw = packed.unpack("region-loss", tmp_path).raw
    east, west = parts(raw.history)
    written = {"east": len(east) - 1, "west": len(west) - 1}
    told = replace(raw, inputs=raw.inputs.model_copy(update={"written": written}))
    assert compute(told).result.verdict == compute(raw).result.verdict
    assert gaps(compute(told).result).found == 0
    last = max(n for n, line in enumerate(west) if b'"kind":"read"' in line)
    raw.history.write_bytes(b"".join([*east, *west[:last], *west[last + 1 :]]))
    found = compute(told).result
    assert (found.verdict, gaps(found).found) == (Verdict.UNKNOWN, 1)
    counted = f"{written['west']:,} operations, and their record has {written['west'] - 1:,}"
    assert gaps(found).detail == f"users west wrote down {counted}"


def test_lines_that_are_missing_amid_a_record_leave_the_verdict_open(tmp_path: Path) -> None:
    def change(east: list[bytes], west: list[bytes]) -> bytes:
        return b"".join(east[:-40] + east[-20:] + west)

    found = with_history(tmp_path, change)
    assert found.verdict is Verdict.UNKNOWN
    assert gaps(found).found == found.unrecorded > 0


def test_refusals_that_are_missing_amid_an_outage_leave_the_verdict_open(tmp_path: Path) -> None:
    """No order and no pause tells them: those users were due to start more operations."""

    def change(east: list[bytes], west: list[bytes]) -> bytes:
        refused = [n for n, line in enumerate(east) if b'"outcome":"fail"' in line]
        gone = {n for number, n in enumerate(refused) if number % 3}
        return b"".join([line for n, line in enumerate(east) if n not in gone] + west)

    found = with_history(tmp_path, change)
    whole = again("region-loss").computed
    assert found.rto_seconds == whole.rto_seconds
    assert (found.unrecorded, found.lost) == (0, whole.lost)
    assert (gaps(found).found, gaps(found).verdict) == (1, Verdict.UNKNOWN)
    assert re.fullmatch(r"users east recorded \d{3} of 1,110 operations", gaps(found).detail)


@pytest.mark.parametrize("page", [b"<html>502 Bad Gateway</html>", b"Internal Server Error"])
def test_an_error_page_in_place_of_a_record_is_damage(tmp_path: Path, page: bytes) -> None:
    with pytest.raises(DamagedHistory, match="line 1: neither a record nor the beginning"):
        with_history(tmp_path / "1", lambda _, west: page + b"".join(west))
    with pytest.raises(DamagedHistory, match="neither a record nor the beginning"):
        with_history(tmp_path / "2", lambda east, _: b"".join(east) + page)


# --- Their reports -----------------------------------------------------------------------------


@cache
def page(name: str) -> str:
    """The report of a recorded run, written today."""
    return reportpage.render(again(name).written)


@pytest.mark.parametrize("name", packed.names())
def test_the_report_of_a_recorded_run_lists_each_lost_order_once(name: str) -> None:
    table = page(name).partition("<h2>Lost writes</h2>")[2].partition("<h2>")[0]
    counted = {key: table.count(key) for key in again(name).written.lost_ids}
    assert counted == dict.fromkeys(again(name).written.lost_ids, 1)


@pytest.mark.parametrize("name", packed.names())
def test_the_report_of_a_recorded_run_needs_nothing_from_anywhere_else(name: str) -> None:
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)", page(name))


@pytest.mark.parametrize("name", packed.names())
def test_no_two_elements_of_the_report_of_a_recorded_run_share_an_id(name: str) -> None:
    found = re.findall(r' id="([^"]+)"', page(name))
    assert len(found) == len(set(found))
    assert set(re.findall(r"url\(#([^)]+)\)", page(name))) <= set(found)


# --- What each of them is there for ------------------------------------------------------------


def roles(result: Result) -> dict[str, str]:
    return {each.node: each.role for each in result.after}


def test_the_corpus_is_small() -> None:
    sizes = {each: (packed.HERE / f"{each}.tar.xz").stat().st_size for each in packed.names()}
    assert sum(sizes.values()) < 2**20, sizes


def test_the_corpus_holds_a_run_in_which_orders_were_lost() -> None:
    found = again("region-loss").computed
    assert found.rto_seconds["max"] is not None
    assert found.lost == len(found.lost_ids) > 0
    assert roles(found)["west.db1"] == "primary"


def test_the_corpus_holds_a_run_in_which_a_standby_next_door_saved_all_orders() -> None:
    found = again("zone-loss").computed
    assert found.lost == 0 < found.acknowledged
    assert roles(found)["east.db2"] == "primary"


def test_the_corpus_holds_a_run_in_which_two_primaries_took_orders() -> None:
    found = again("split-brain").computed
    assert (found.split_brain_writes or 0) > 0
    assert (found.split_brain_seconds or 0) > 1
    assert found.lost == len(found.lost_ids) > 0
    assert list(roles(found).values()).count("primary") == 2
