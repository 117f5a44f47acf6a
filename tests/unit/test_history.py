"""Reading the record: everything whole is read, a crash is survived, damage is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pure_builders import BOOT, header, line, lines, write
from strict_reader import read

from lab.core.errors import UsageError
from lab.records import ledger
from lab.records.history import DamagedHistory, Kind, Outcome

A, B, C = (write(f"east-{n}", start=float(n)) for n in range(3))
W = write("west-0", start=0.5, population="west")


def test_every_field_of_an_operation_comes_back() -> None:
    item = write(
        "east-9",
        Outcome.LOCAL,
        start=3.25,
        status=202,
        address="10.91.0.11",
        request_id="r1",
        found=True,
        error="warning",
        attempts=2,
        kind=Kind.READ,
    )
    assert read(header() + line(item)).operations == (item,)


def test_a_field_that_this_lab_does_not_know_changes_nothing() -> None:
    new = line(A).replace(b'"key"', b'"colour":"red","key"')
    assert new != line(A)
    assert read(header() + new).operations == (A,)
    with ledger.load(header() + new + line(B)) as both:
        assert both.lines([1, 2]) == (A, B)
        assert both.cut_lines == ()


def test_operations_of_several_populations_are_merged_by_their_end() -> None:
    history = read(header() + lines([C, A]), header("west") + line(W))
    assert [item.key for item in history.operations] == ["east-0", "west-0", "east-2"]
    assert history.populations == ("east", "west")
    assert history.boot_id == BOOT


def test_populations_joined_end_to_end_in_one_file_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(header() + lines([A, B]) + header("west") + line(W))
    assert read(path) == read(header() + lines([A, B]), header("west") + line(W))


def test_lines_without_newlines_are_read_like_a_file() -> None:
    whole = header() + lines([A, B])
    assert read(whole.splitlines()) == read(whole)


def test_writes_are_told_from_reads_and_logins() -> None:
    other = [write("r", kind=Kind.READ), write("l", kind=Kind.LOGIN)]
    assert [item.key for item in read(header() + lines([A, *other])).writes] == ["east-0"]


@given(cut=st.integers(min_value=1, max_value=len(line(B)) - 2))
def test_a_line_cut_anywhere_at_the_end_of_a_file_is_reported(cut: int) -> None:
    history = read(header() + line(A) + line(B)[:cut])
    assert [item.key for item in history.operations] == ["east-0"]
    assert [(found.line, found.text) for found in history.cut_lines] == [
        (3, line(B)[:cut].decode())
    ]


@given(cut=st.integers(min_value=1, max_value=len(line(B)) - 2), newline=st.booleans())
def test_a_line_cut_anywhere_before_a_new_header_is_reported(cut: int, newline: bool) -> None:
    stump = line(B)[:cut] + (b"\n" if newline else b"")
    history = read(header() + line(A) + stump + header() + line(C))
    assert [item.key for item in history.operations] == ["east-0", "east-2"]
    assert [found.text for found in history.cut_lines] == [line(B)[:cut].decode()]
    assert len(history.headers) == 2


@example(cut=len(header()) - 2)  # behind a bracket that ends something inside
@example(cut=header().rindex(b"{") + 1)
@given(cut=st.integers(min_value=1, max_value=len(header()) - 2))
def test_a_header_cut_anywhere_is_reported_when_another_follows(cut: int) -> None:
    history = read(header() + line(A) + header()[:cut] + header() + line(B))
    assert len(history.operations) == 2
    assert len(history.headers) == 2
    assert [found.line for found in history.cut_lines] == [3]


def test_a_record_that_lacks_only_its_newline_counts_as_whole() -> None:
    joined = header() + line(A).rstrip() + header("west") + line(W).rstrip()
    history = read(joined)
    assert [item.key for item in history.operations] == ["east-0", "west-0"]
    assert history.cut_lines == ()


def test_a_cut_inside_a_character_of_several_bytes_is_survived() -> None:
    stump = line(B).replace(b'"east-1"', '"é'.encode()[:-1])[:20]
    assert len(read(header() + stump).cut_lines) == 1


GARBAGE = [b"<html>no</html>", b"Internal Server Error", b"\x00\x00\x00", b'"', b'{"detail":"no'
           ]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_what_never_was_the_beginning_of_a_record_is_damage_and_no_cut_line(
    garbage: bytes, newline: bytes
) -> None:
    """A crash cuts the end of a line that users wrote, so the line begins as theirs do."""
    stump = garbage + newline
    for whole, number in (
        (stump + header() + line(A), 1),
        (header("west") + line(W) + stump, 3),
        (header("west") + line(W) + stump + header() + line(A), 3),
    ):
        with pytest.raises(DamagedHistory, match="nor the beginning of one") as caught:
            read(whole)
        assert caught.value.line == number
        with pytest.raises(DamagedHistory), ledger.load(whole):
            pass


@pytest.mark.parametrize("value", [b"[1]", b"5", b"null", b'"x"', b"{}"])
def test_json_that_is_no_record_is_damage(value: bytes) -> None:
    with pytest.raises(DamagedHistory, match="line 2: neither a header nor an operation"):
        read(header() + value + b"\n")


def test_before_the_first_header_only_a_header_can_have_been_cut() -> None:
    assert len(read(header()[:30] + b"\n" + header() + line(A)).cut_lines) == 1
    with pytest.raises(DamagedHistory, match="line 1: neither a record nor the beginning of one"):
        read(line(A)[:30] + b"\n" + header() + line(A))


def test_a_cut_line_says_whose_it_was_and_whether_their_record_goes_on() -> None:
    stump = line(B)[:40]
    [last] = read(header() + line(A) + stump + header("west") + line(W)).cut_lines
    assert (last.population, last.followed) == ("east", False)
    [amid] = read(header() + line(A) + stump + header("west") + line(W), header()).cut_lines
    assert (amid.population, amid.followed) == ("east", True)
    [first] = read(header()[:30] + b"\n" + header() + line(A)).cut_lines
    assert (first.population, first.followed) == ("", False)


def test_a_cut_line_in_the_middle_of_a_segment_is_damage() -> None:
    with pytest.raises(DamagedHistory, match="line 2") as caught:
        read(header() + line(A)[:40] + b"\n" + line(B))
    assert caught.value.line == 2
    assert caught.value.reason == "no JSON: EOF while parsing a string at column 40"


def test_two_lines_run_together_are_damage() -> None:
    with pytest.raises(DamagedHistory, match="line 2"):
        read(header() + line(A).rstrip() + line(B))


def test_a_broken_last_line_that_has_its_end_is_damage_and_not_a_crash() -> None:
    broken = line(B).replace(b'"kind":', b'"kind";')
    with pytest.raises(DamagedHistory, match="line 3"):
        read(header() + line(A) + broken)
    with pytest.raises(DamagedHistory, match="line 2: expected value at line 1 column 12"):
        read(header() + b'{"record": }\n')


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"start":0.0', b'"start":"0"', "start"),
        (b'"start":0.0', b'"start":NaN', "start"),
        (b'"end":0.01', b'"end":Infinity', "end: no finite number"),
        (b'"outcome":"ok"', b'"outcome":"maybe"', "outcome"),
        (b'"kind":"write"', b'"kind":"delete"', "kind"),
        (b'"key":"east-0"', b'"key":""', "key"),
        (b'"key":"east-0",', b"", "key"),
        (b'"attempts":1', b'"attempts":-1', "attempts"),
        (b'"honours_ttl":true', b'"honours_ttl":1', "honours_ttl"),
        (b'"start":0.0', b'"start":5.0', "ends before it starts"),
        (b'"start":0.0', b'"start":-0.5', "start: less than 0"),
        (b'"xid":"7"', b'"xid":"18446744073709551616"', "xid: no number of 64 bits"),
        (b'"xid":"7"', b'"xid":"1_0"', "xid: no text of the form"),
        (b'"population":"east"', b'"population":"west"', "population 'west'"),
        (b'"record":"op"', b'"record":"note"', "neither a header nor an operation"),
        (b'"user":1', b'"user":2147483648', "user"),
        (b'"user":1', b'"user":-2147483648', "user"),
        (b'"start":0.0', b'"tried":0.5,"start":0.75', "ends before it starts"),
        (b'0.0,"end":0.01', b'0.5,"end":0.75,"tried":0.25', "outside of the operation"),
        (b'"end":0.01', b'"end":0.01,"tried":0.02', "outside of the operation"),
    ],
)
def test_a_line_that_is_no_valid_record_is_damage(old: bytes, new: bytes, reason: str) -> None:
    bad = line(A).replace(old, new)
    assert bad != line(A)
    for text in (bad + line(B), bad.rstrip()):
        with pytest.raises(DamagedHistory, match=reason) as caught:
            read(header() + text)
        assert caught.value.line == 2
        assert "\n" not in caught.value.reason


def test_the_longest_and_the_shortest_that_an_operation_can_be_are_no_damage() -> None:
    for item in (
        write("a", start=2.0, end=2.0), write("b", start=2.0, end=2.0, tried=2.0),
        write("c", user=2**31 - 1), write("d", user=1 - 2**31), write("e", xid=str(2**64 - 1)),
    ):  # fmt: skip
        assert read(header() + line(item)).operations == (item,)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"pid_start":1.5', b'"pid_start":"1.5"', "pid_start"),
        (b'"pid_start":1.5', b'"pid_start":NaN', "pid_start"),
        (b'"population":"east"', b'"population":1', "population"),
    ],
)
def test_a_header_with_a_value_of_another_kind_is_damage(
    old: bytes, new: bytes, reason: str
) -> None:
    with pytest.raises(DamagedHistory, match=reason):
        read(header().replace(old, new) + line(A))


def test_an_operation_under_the_header_of_others_is_told_with_both() -> None:
    said = "<history 2>, line 2: an operation of population 'east' under the header of 'west'"
    with pytest.raises(DamagedHistory, match=said):
        read(header(), header("west") + line(A))


def test_an_unknown_field_is_not_damage() -> None:
    more = line(A).replace(b'"record":"op"', b'"record":"op","colour":"red"')
    assert read(header() + more).operations == (A,)


def test_another_spelling_of_the_same_json_reads_the_same() -> None:
    spaced = json.dumps(json.loads(line(A)), indent=None, sort_keys=True).encode()
    found = read(header() + spaced + b"\r\n\n")
    assert (found.operations, found.cut_lines) == ((A,), ())


def test_an_operation_before_any_header_is_damage() -> None:
    with pytest.raises(DamagedHistory, match=r"line 1.*no header"):
        read(line(A) + header())


@pytest.mark.parametrize(("empty", "line"), [(b"", 0), (b"\n\n", 2), (header()[:30], 1)])
def test_a_file_without_a_whole_header_is_no_history(empty: bytes, line: int) -> None:
    with pytest.raises(DamagedHistory, match="no header") as caught:
        read(header("west"), empty)
    assert caught.value.line == line


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_an_unknown_schema_version_is_named(schema: int) -> None:
    with pytest.raises(DamagedHistory, match=f"schema {schema}, but this lab reads schema 1"):
        read(header(schema=schema) + line(A))


def test_files_of_two_boots_cannot_be_compared() -> None:
    with pytest.raises(DamagedHistory, match="boot id other"):
        read(header() + line(A), header("west", boot="other"))


def test_segments_of_two_boots_in_one_file_cannot_be_compared() -> None:
    with pytest.raises(DamagedHistory, match=r"line 3.*boot id other"):
        read(header() + line(A) + header(boot="other"))


def test_damage_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "west.jsonl"
    path.write_bytes(b"{}\n")
    with pytest.raises(UsageError, match=r"west\.jsonl, line 1"):
        read(header(), path)


def test_reading_nothing_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no history was given"):
        read()
