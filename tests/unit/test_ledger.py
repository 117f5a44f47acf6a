"""The columnar reader: it reads what the strict reader reads, and refuses what that one refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import strict_reader
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import header, line, lines, write

from lab import columnar, columns, ledger
from lab.columns import Operations
from lab.errors import LabError, UsageError
from lab.history import DamagedHistory, Kind, Operation, Outcome

A, B, C = (write(f"east-{n}", start=float(n)) for n in range(3))
W = write("west-0", start=0.5, population="west")


def same(found: Operations, expected: Operations) -> bool:
    return found.names == expected.names and all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in Operations.__slots__
        if name not in ("names", "row")
    )


moments = st.floats(0, 1e6).map(lambda value: round(value, 6))


@st.composite
def operations(draw: st.DrawFn) -> list[Operation]:
    count = draw(st.integers(0, 20))
    return [
        write(
            f"key-{n}",
            draw(st.sampled_from(Outcome)),
            kind=draw(st.sampled_from(Kind)),
            start=(start := draw(moments)),
            end=(end := start + draw(st.floats(0, 9))),
            tried=draw(st.none() | st.sampled_from([start, end])),
            population=draw(st.sampled_from(["east", "west"])),
            user=draw(st.integers(0, 2**31 - 1)),
            honours_ttl=draw(st.booleans()),
            region=draw(st.sampled_from([None, "east", "we'st"])),
            timeline=draw(st.none() | st.integers(1, 2**31 - 1)),
            address=draw(st.none() | st.sampled_from(["10.91.0.11", "10.91.0.12"])),
            found=draw(st.none() | st.booleans()),
            error=draw(st.none() | st.text(max_size=8)),
        )
        for n in range(count)
    ]


def joined(items: list[Operation]) -> bytes:
    parts = [
        header(name) + lines(item for item in items if item.population == name)
        for name in ("east", "west")
    ]
    return b"".join(parts)


@given(operations())
def test_it_reads_what_the_strict_reader_reads(items: list[Operation]) -> None:
    strict = strict_reader.read(joined(items))
    with ledger.load(joined(items)) as found:
        assert found.headers == strict.headers
        assert sorted(found.lines(found.operations.row.tolist()), key=lambda item: item.key) == (
            sorted(strict.operations, key=lambda item: item.key)
        )
        assert same(found.operations, columns.of(strict.operations))


@given(operations(), st.data())
def test_wherever_a_file_is_cut_both_readers_say_the_same(
    items: list[Operation], data: st.DataObject
) -> None:
    whole = joined(items)
    cut = whole[: data.draw(st.integers(1, len(whole)))]
    try:
        strict = strict_reader.read(cut)
    except UsageError as refused:
        with pytest.raises(type(refused)) as caught:
            ledger.load(cut)
        assert str(caught.value) == str(refused)
        return
    with ledger.load(cut) as found:
        assert [each.text for each in found.cut_lines] == [each.text for each in strict.cut_lines]
        assert same(found.operations, columns.of(strict.operations))


@given(operations(), st.data())
def test_a_changed_byte_is_never_read_as_something_else(
    items: list[Operation], data: st.DataObject
) -> None:
    """What the strict reader refuses is refused; what it accepts reads the same."""
    whole = bytearray(joined(items))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    try:
        strict = strict_reader.read(bytes(whole))
    except UsageError:
        with pytest.raises(UsageError):
            ledger.load(bytes(whole))
        return
    try:
        with ledger.load(bytes(whole)) as found:
            assert same(found.operations, columns.of(strict.operations))
    except LabError as refused:
        assert "disagree" in str(refused)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"start":900.0', b'"start":NaN'),
        (b'"end":900.01', b'"end":1.0'),
        (b'"tried":null', b'"tried":900.02'),
        (b'"outcome":"ok"', b'"outcome":"maybe"'),
        (b'"kind":"write"', b'"kind":"delete"'),
        (b'"key":"late"', b'"key":""'),
        (b'"key":"late",', b""),
        (b'"attempts":1', b'"attempts":1.5'),
        (b'"attempts":1', b'"attempts":-1'),
        (b'"attempts":1,', b""),
        (b'"user":1', b'"user":99999999999'),
        (b'"user":1,', b""),
        (b'"honours_ttl":true,', b""),
        (b'"timeline":1', b'"timeline":1.5'),
        (b'"population":"east"', b'"population":"west"'),
        (b'"record":"op"', b'"record":"note"'),
        (b'"record":"op"', b'"record":null'),
    ],
)
def test_damage_beyond_the_sample_is_found_and_named(
    old: bytes, new: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    many = lines(write(f"k{n}", start=float(n)) for n in range(columnar.SAMPLE + 10))
    bad = line(write("late", start=900.0)).replace(old, new)
    path.write_bytes(header() + many + bad + line(write("last", start=901.0)))
    with pytest.raises(UsageError, match=rf"history\.jsonl, line {columnar.SAMPLE + 12}: "):
        ledger.load(path)


def test_another_writers_numbers_in_quotes_are_refused() -> None:
    with pytest.raises(UsageError, match="line 2: user"):
        ledger.load(header() + line(A).replace(b'"user":1', b'"user":"1"'))


def test_a_record_cut_in_the_middle_of_a_large_file_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    many = lines(write(f"k{n}", start=float(n)) for n in range(2000))
    path.write_bytes(header() + many + line(A)[:50] + b"\n" + header() + line(B))
    with ledger.load(path) as found:
        assert len(found.operations) == 2001
        assert [each.line for each in found.cut_lines] == [2002]


def test_populations_in_files_of_their_own_and_joined_read_the_same(tmp_path: Path) -> None:
    east, west = tmp_path / "east.jsonl", tmp_path / "west.jsonl"
    east.write_bytes(header() + lines([C, A]))
    west.write_bytes(header("west") + line(W))
    with (
        ledger.load(east, west) as found,
        ledger.load(header() + lines([C, A]) + header("west") + line(W)) as other,
    ):
        assert same(found.operations, other.operations)
        assert found.populations == ("east", "west")
        assert len(found.writes) == 3


def test_files_of_two_boots_are_refused() -> None:
    with pytest.raises(UsageError, match="boot id other"):
        ledger.load(header() + line(A), header("west", boot="other"))


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"nonsense\n", b'{"a": 1}\n', b"[1]\n", b"null\n"]
)
def test_what_is_no_history_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"line \d|no history"):
        ledger.load(content)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no history was given"):
        ledger.load()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jsonl cannot be read: No such file"):
        ledger.load(tmp_path / "gone.jsonl")


def test_what_was_left_out_of_a_line_reads_as_none(tmp_path: Path) -> None:
    short = {name: value for name, value in json.loads(line(W)).items() if value is not None}
    with ledger.load(header("west") + json.dumps(short).encode()) as found:
        assert found.lines([found.operations.row[0]]) == (W,)


def test_closing_removes_the_copies_that_were_made() -> None:
    found = ledger.load(header() + line(A))
    folder = found._folder
    assert folder.exists()
    found.close()
    assert not folder.exists()


def test_lines_are_found_in_the_file_that_they_are_in(tmp_path: Path) -> None:
    east, west = tmp_path / "east.jsonl", tmp_path / "west.jsonl"
    east.write_bytes(header() + lines([C, A, B]))
    west.write_bytes(header("west") + line(W))
    with ledger.load(east, west) as found:
        assert found.lines(found.operations.row) == (A, W, B, C)
        assert found.lines([found.operations.row[3], found.operations.row[1]]) == (C, W)


def test_writes_are_found_by_their_keys() -> None:
    with ledger.load(header() + lines([A, write("read", kind=Kind.READ), C])) as found:
        assert found.of_keys(["east-2", "read", "nobody's", "east-0"]) == (A, C)
        assert found.of_keys([]) == ()


def test_a_key_counts_as_repeated_among_writes_only() -> None:
    with ledger.load(header() + lines([B, A, write("east-0", kind=Kind.READ)])) as found:
        assert found.repeated_key() is None
    with ledger.load(header() + lines([C, B, A, write("east-2", start=9.0), B])) as found:
        assert found.repeated_key() == "east-1"


def test_different_keys_with_one_hash_are_not_repeated() -> None:
    with ledger.load(header() + lines([A, B])) as found:
        found._prints.high[:] = 7
        assert found.repeated_key() is None


def test_a_name_that_no_piece_of_the_file_shows_is_read_all_the_same() -> None:
    """Names are looked for in pieces first; this one is spelled so that they do not have it."""
    hidden = line(write("a", region="west")).replace(b'"west"', b'"w\\u0065st"')
    with ledger.load(header() + line(A) + hidden) as found:
        assert found.operations.names.regions == ("east", "west")
        assert found.operations.region.tolist() == [0, 1]


def test_a_name_that_only_a_header_has_is_none_of_an_operation() -> None:
    with ledger.load(header("a") + header() + line(A)) as found:
        assert found.operations.names.populations == ("east",)
        assert found.operations.population.tolist() == [0]
        assert found.populations == ("a", "east")


def test_more_names_than_a_record_can_have_are_refused() -> None:
    many = lines(write(f"k{n}", region=f"r{n}") for n in range(128))
    with pytest.raises(LabError, match="128 different values of region"):
        ledger.load(header() + many)


def test_blank_lines_do_not_move_what_is_read() -> None:
    with ledger.load(header() + b"\n" + line(A) + b" \r\n" + line(B) + b"\n") as found:
        assert found.lines(found.operations.row) == (A, B)


def test_a_line_that_only_the_fast_reader_accepts_is_refused_when_it_is_shown(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.jsonl"
    many = lines(write(f"k{n}", start=float(n)) for n in range(columnar.SAMPLE))
    path.write_bytes(header() + many + line(A).replace(b'"xid":"7"', b'"xid":7'))
    with (
        ledger.load(path) as found,
        pytest.raises(DamagedHistory, match=rf"line {columnar.SAMPLE + 2}: xid: "),
    ):
        found.of_keys(["east-0"])
