"""The columnar reader: it reads what the strict reader reads, and refuses what that one refuses."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
import pytest
import strict_reader
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import header, line, lines, write
from users import history as users_history
from users.outcome import Attempt

from lab.core.errors import LabError, UsageError
from lab.records import blocks, columns, historyreader, keyhashes, ledger
from lab.records.columns import COLUMNS, Operations
from lab.records.history import Kind, Operation, Outcome
from lab.records.lineformats import layout

A, B, C = (write(f"east-{n}", start=float(n)) for n in range(3))
W = write("west-0", start=0.5, population="west")


def same(found: Operations, expected: Operations) -> bool:
    return found.names == expected.names and all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in COLUMNS
        if name != "row"
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
    both_say_the_same(whole[: data.draw(st.integers(1, len(whole)))])


@given(operations(), st.data())
def test_a_changed_byte_is_read_as_the_strict_reader_reads_it(
    items: list[Operation], data: st.DataObject
) -> None:
    whole = bytearray(joined(items))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    both_say_the_same(bytes(whole))


LONG = header() + lines(write(f"k{n}", start=n + 0.25) for n in range(520))
"""A clean beginning, longer than any part of a file that could be looked at more closely."""


TOLD: Final = 20
"""Of a file, so many lines at its end are read once more, one by one."""


def both_say_the_same(content: bytes) -> None:
    """Columns, headers and cut lines are those of the strict reader, or its refusal is."""
    try:
        strict = strict_reader.read(content)
    except UsageError as refused:
        with pytest.raises(type(refused)) as caught:
            ledger.load(content)
        assert str(caught.value) == str(refused)
        return
    with ledger.load(content) as found:
        assert same(found.operations, columns.of(strict.operations))
        assert found.headers == strict.headers
        assert found.cut_lines == strict.cut_lines
        assert found.lines(found.operations.row[-TOLD:]) == strict.operations[-TOLD:]
        keys = keyhashes.of_texts([item.key for item in strict.operations])
        assert found.prints(found.operations)["high"].tolist() == keys.high.tolist()
        assert found.prints(found.operations)["low"].tolist() == keys.low.tolist()


FULL = write(
    "east-77aB", start=600.5, end=601.25, tried=600.75, status=201, address="10.91.0.11",
    request_id="r 1!", found=True, cache="hit", error="timed out", user=31,
)  # fmt: skip


TELLING: Final = b'"\\,:{}[].019-eE+ntf \n\r\x00\x7f\xc3'
"""Bytes that mean something in JSON or in a text."""


@given(st.data(), st.integers(1, 4))
def test_a_damaged_line_far_into_a_file_is_read_as_the_strict_reader_reads_it(
    data: st.DataObject, copies: int
) -> None:
    """Alike lines are read together: the odd one is among some that differ from it by a byte."""
    clean = line(FULL)
    odd = bytearray(clean)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(odd) - 1))
        odd[at] = data.draw(st.sampled_from(TELLING) | st.integers(0, 255))
    both_say_the_same(LONG + clean * copies + bytes(odd) + clean * copies)


ODD: Final = [
    (b'"start":600.5', new)
    for new in (
        b'"start":true', b'"start":"5"', b'"start":"600.5"', b'"start":[600.5]', b'"start":NaN',
        b'"start":nan', b'"start":Infinity', b'"start":-Infinity', b'"start":1e308',
        b'"start":1e10', b'"start":1e400', b'"start":-1e10', b'"start":0600.5', b'"start":600.',
        b'"start":+600.5', b'"start":.5', b'"start":6e2', b'"start":600', b'"start":-0.0',
        b'"start":600.5000000000000000001', b'"start":' + b"6" * 400, b'"start":null',
        b'"start": 600.5', b'"start":9007199254740993.0', b'"start":600.50000', b'"start":700.5',
    )
] + [
    (b'"start":600.5', b'"start":-0.000001'), (b'"start":600.5', b'"start":-5.25'),
    (b'"end":601.25', b'"end":600.625'), (b'"end":601.25', b'"end":0.25'),
    (b'"end":601.25', b'"end":1e999'), (b'"end":601.25', b'"end":123456789012.123456'),
    (b'"tried":600.75', b'"tried":600.25'), (b'"tried":600.75', b'"tried":601.75'),
    (b'"tried":600.75', b'"tried":null'), (b'"tried":600.75', b'"tried":false'),
    (b'"honours_ttl":true', b'"honours_ttl":"false"'), (b'"honours_ttl":true', b'"honours_ttl":1'),
    (b'"honours_ttl":true', b'"honours_ttl":True'), (b'"honours_ttl":true', b'"honours_ttl":null'),
    (b'"user":31', b'"user":3.0'), (b'"user":31', b'"user":"31"'), (b'"user":31', b'"user":-3'),
    (b'"user":31', b'"user":true'), (b'"user":31', b'"user":031'), (b'"user":31', b'"user":3e1'),
    (b'"user":31', b'"user":2147483647'), (b'"user":31', b'"user":2147483648'),
    (b'"user":31', b'"user":-2147483648'), (b'"user":31', b'"user":' + b"9" * 400),
    (b'"user":31,', b""), (b'"user":31', b'"user":31,"user":32'),
    (b'"user":31', b'"user":"x","user":31'),
    (b'"attempts":1', b'"attempts":-1'), (b'"attempts":1', b'"attempts":true'),
    (b'"attempts":1', b'"attempts":1.5'), (b'"attempts":1', b'"attempts":2147483648'),
    (b'"attempts":1,', b""), (b'"attempts":1,', b'"attempts":1,,'),
    (b'"status":201', b'"status":"201"'), (b'"status":201', b'"status":201.0'),
    (b'"status":201', b'"status":null'), (b'"status":201', b'"status":99999999999'),
    (b'"timeline":1', b'"timeline":1.5'), (b'"timeline":1', b'"timeline":-1'),
    (b'"timeline":1', b'"timeline":1,"timeline":2'),
    (b'"key":"east-77aB"', b'"key":[1]'), (b'"key":"east-77aB"', b'"key":7'),
    (b'"key":"east-77aB"', b'"key":""'), (b'"key":"east-77aB"', b'"key":null'),
    (b'"key":"east-77aB"', b'"key":"east-\\u0037"'), (b'"key":"east-77aB"', '"key":"é"'.encode()),
    (b'"key":"east-77aB"', b'"key":"east-\xff7aB"'),
    (b'"key":"east-77aB"', b'"key":"east-\x017aB"'),
    (b'"key":"east-77aB"', b'"key":"east-\\7aB"'), (b'"key":"east-77aB"', b'"key":"east"77aB"'),
    (b'"key":"east-77aB"', b'"key":"first","key":"east-77aB"'),
    (b'"key":"east-77aB"', b'"key":"east\\"77a"'), (b'"key":"east-77aB",', b""),
    (b'"region":"east"', b'"region":nan'), (b'"region":"east"', b'"region":null'),
    (b'"region":"east"', b'"region":""'), (b'"region":"east"', b'"region":5'),
    (b'"region":"east"', b'"region":"e\\u0061st"'), (b'"region":"east"', b"'region':'east'"),
    (b'"xid":"7"', b'"xid":"0"'), (b'"xid":"7"', b'"xid":"x"'), (b'"xid":"7"', b'"xid":"07"'),
    (b'"xid":"7"', b'"xid":"18446744073709551615"'),
    (b'"xid":"7"', b'"xid":"18446744073709551616"'),
    (b'"xid":"7"', b'"xid":"' + b"9" * 5000 + b'"'), (b'"xid":"7"', '"xid":"٣"'.encode()),
    (b'"xid":"7"', b'"xid":7'), (b'"lsn":"0/10"', b'"lsn":{"a":"0/10"}'),
    (b'"node":"east_db1"', b'"node":["east_db1"]'), (b'"cache":"hit"', b'"cache":true'),
    (b'"found":true', b'"found":"true"'), (b'"found":true', b'"found":0'),
    (b'"error":"timed out"', b'"error":"timed\tout"'),
    (b'"error":"timed out"', b'"error":"timed\\tout"'),
    (b'"error":"timed out"', b'"error":"timed out",'),
    (b'"error":"timed out"', b'"error":"timed out'),
    (b'"error":"timed out"}', b'"error":"timed out"}}'),
    (b'"error":"timed out"}', b'"error":"timed out"} x'),
    (b'"error":"timed out"}', b'"error":"timed out"} '),
    (b'"error":"timed out"}', b'"error":"timed out"}\r'),
    (b'"error":"timed out"}', b'"error":"timed out","colour":"red"}'),
    (b'"error":"timed out"}', b'"error":"timed out","colour":nan}'),
    (b'"outcome":"ok"', b'"outcome":"maybe"'), (b'"outcome":"ok"', b'"outcome":0'),
    (b'"outcome":"ok"', b'"outcome":"OK"'), (b'"kind":"write"', b'"kind":"delete"'),
    (b'"kind":"write"', b'"kind":"read","kind":"write"'),
    (b'"kind":"write"', b'"kind":"wr\\u0069te"'),
    (b'"population":"east"', b'"population":"west"'),
    (b'"population":"east"', b'"population":null'),
    (b'"population":"east"', b'"population":"ea\\u0073t"'),
    (b'"record":"op"', b'"record":"note"'), (b'"record":"op"', b'"record":null'),
    (b'"record":"op"', b'"record":"op","record":"op"'), (b'"record":"op"', b'"record": "op"'),
    (b'"record":"op",', b""),
    (b'{"record"', b'\xef\xbb\xbf{"record"'),
    (b'{"record"', b' {"record"'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), ODD)
def test_an_odd_line_far_into_a_file_is_read_as_the_strict_reader_reads_it(
    old: bytes, new: bytes
) -> None:
    clean = line(FULL)
    assert old in clean
    both_say_the_same(LONG + clean * 3 + clean.replace(old, new) + line(A))


@pytest.mark.parametrize(
    "odd",
    [
        header().replace(b'"settings":{', b'"kind":"write","settings":{'),
        header().replace(b'"record"', b'"population":"x","record"'),
        header().replace(b'"nested"', b'"kind":"read","start":1,"nested"'),
        header("west"),
        header(schema=2),
        header(boot="other"),
        header().rstrip() + header(),
        line(FULL).rstrip() + header(),
        line(FULL)[:50] + b"\n" + header(),
        line(FULL)[:50] + b"\n",
        line(FULL).rstrip() + line(FULL),
        b"\n \r\n",
        b"nonsense\n",
    ],
)
def test_headers_and_remains_far_into_a_file_are_read_as_the_strict_reader_reads_them(
    odd: bytes,
) -> None:
    both_say_the_same(LONG + odd + line(FULL) * 4)


@given(st.integers(1, 700), st.integers(0, 400))
def test_wherever_blocks_end_the_same_is_read(size: int, cut: int) -> None:
    whole = header() + lines([A, B, C]) * 2 + b"\n" + line(FULL) * 4 + header("west") + line(W) * 4
    with patch.object(blocks, "SIZE", size):
        both_say_the_same(whole[: len(whole) - cut])


@pytest.mark.parametrize("tried", [1.5, 2.0])
@pytest.mark.parametrize("bare", [True, False])
def test_what_users_write_has_a_layout(tried: float, bare: bool) -> None:
    """All their fields, in their order, and none of those that may be left out."""
    answer = {"region": "east", "node": "east_db1", "timeline": 1, "xid": "7", "lsn": "0/10"}
    whole = Attempt("ok", True, 201, "10.91.0.11", "r", "timed out", answer, True, "hit")  # type: ignore[arg-type]
    wrote = users_history.operation(
        key="east-0", kind="write", start=1.5, tried=tried, end=2.25, population="east", user=1,
        honours_ttl=True, attempts=[Attempt("fail") if bare else whole],  # type: ignore[arg-type]
    )  # fmt: skip
    found = layout(users_history._encode(wrote).encode())
    assert found
    assert {*found.at, *found.fixed, "record"} == set(wrote)


def test_lines_as_users_write_them_are_read_without_the_strict_reader() -> None:
    with (
        patch.object(historyreader.Reader, "_add", side_effect=AssertionError),
        ledger.load(LONG + line(FULL) * 3) as found,
    ):
        assert len(found.operations) == 523


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
        assert found.of_keys(["east-2", "read", "unknown", "east-0"]) == (A, C)
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


def test_a_name_with_an_escape_is_the_name_that_it_spells() -> None:
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


@given(st.lists(st.text("aZ9-_~é", min_size=1, max_size=40), min_size=1, max_size=4))
def test_prints_of_bytes_are_those_that_the_database_makes(keys: list[str]) -> None:
    asked = keyhashes.of_texts(keys)
    for number, key in enumerate(keys):
        row = np.frombuffer(key.encode(), np.uint8)[np.newaxis]
        for found in (keyhashes.of_bytes(row), keyhashes.computed(row)):
            assert (found.high[0], found.low[0]) == (asked.high[number], asked.low[number])


def test_a_database_with_another_formula_is_asked_for_each_print() -> None:
    asked = keyhashes.of_texts(["east-1"])
    row = np.frombuffer(b"east-1", np.uint8)[np.newaxis]
    with (
        patch.object(keyhashes, "_formula_holds", return_value=False),
        patch.object(keyhashes, "computed", side_effect=AssertionError),
    ):
        assert keyhashes.of_bytes(row).high.tolist() == asked.high.tolist()


def test_the_formula_is_used_where_the_database_says_the_same_and_nowhere_else() -> None:
    asks = keyhashes._formula_holds.__wrapped__
    assert asks() is True
    with patch.object(keyhashes, "computed", return_value=keyhashes.of_texts(["another"])):
        assert asks() is False
    assert keyhashes._formula_holds()
    with patch.object(keyhashes, "of_texts", side_effect=AssertionError):
        assert len(keyhashes.of_bytes(np.frombuffer(b"east-1", np.uint8)[np.newaxis]).high) == 1


def test_memory_is_set_aside_by_lines_that_have_something_and_not_by_blank_ones() -> None:
    tracemalloc.start()
    try:
        with ledger.load(header() + b"\n" * 50_000 + line(A)) as found:
            assert len(found.operations) == 1
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_a_record_with_more_names_than_a_run_has_says_what_may_be_wrong() -> None:
    many = lines(write(f"k{n}", start=float(n), address=f"10.0.{n}.1") for n in range(200))
    with pytest.raises(UsageError, match="different values of address in one history") as caught:
        ledger.load(header() + many)
    assert caught.value.next_step
