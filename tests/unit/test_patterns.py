"""Layouts of lines: what fits one is what the pattern takes in the same way; numbers are exact."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pytest
from pure_builders import line, write

from lab.records.lineformats import FIELDS, Bytes, Field, Layout, layout, padded

FULL: Final = line(
    write(
        "east-77aB", start=600.5, end=601.25, tried=600.75, status=201, address="10.91.0.11",
        request_id="r 1!", found=True, cache="hit", error="timed out #1", user=31,
    )
).rstrip()  # fmt: skip
TELLING: Final = b'",:{}[]!.0129-eE+ntf~#a \n\r\x00\x7f\xc3\xff'
"""Bytes that mean something in JSON, and those at the ends of what a text may have; no backslash,
which no line has that is held against a layout."""

ALWAYS: Final = {
    "key", "kind", "start", "end", "population", "user", "honours_ttl", "outcome", "attempts",
}  # fmt: skip


def rows(lines: list[bytes]) -> Bytes:
    """Lines of one length, each with bytes of what follows it up to a whole word."""
    wide = padded(len(lines[0]))
    whole = b"".join(each.ljust(wide, b"\xff") for each in lines)
    return np.frombuffer(whole, np.uint8).reshape(-1, wide)


def of(text: bytes) -> Layout:
    found = layout(text)
    assert found
    return found


def test_a_line_with_another_byte_fits_where_the_pattern_takes_it_in_the_same_way() -> None:
    """A blank and an exclamation mark stand for themselves."""
    first = of(FULL)
    odd = [(at, byte) for at in range(len(FULL)) for byte in TELLING]
    lines = [FULL[:at] + bytes([byte]) + FULL[at + 1 :] for at, byte in odd]
    for (at, byte), text, fits in zip(odd, lines, first.fits(rows(lines)).tolist(), strict=True):
        other = layout(text)
        alike = other is not None and (other.at, other.fixed) == (first.at, first.fixed)
        if byte != FULL[at] and {byte, FULL[at]} & {*b" !"}:
            assert not fits
        else:
            assert fits == alike, text


@pytest.mark.parametrize("field", FIELDS, ids=lambda each: each.name)
def test_a_line_without_a_field_has_a_layout_if_users_may_leave_that_out(field: Field) -> None:
    value = rb'(?:"[^"]*"|[^,}]*)'
    short, times = re.subn(rb',"' + field.name.encode() + rb'":' + value, b"", FULL)
    assert times == 1
    found = layout(short)
    if field.name in ALWAYS:
        assert not found
    else:
        assert found
        assert field.name not in {*found.at, *found.fixed}


def test_a_row_holds_a_line_in_as_few_words_as_it_needs() -> None:
    assert [padded(length) for length in (1, 8, 9, 16, 17)] == [8, 8, 16, 16, 24]


def test_lines_that_have_nothing_but_the_length_in_common_do_not_fit() -> None:
    one, other = (line(write("k", user=n, attempts=m)).rstrip() for n, m in ((1, 22), (11, 2)))
    assert len(one) == len(other)
    assert of(one).fits(rows([one, other])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("user", ["0", "1", "9"]), ("user", ["10", "31", "99"]),
        ("user", ["100000000", "123456789", "999999999"]),
        ("start", ["0.0", "1.5", "9.9"]), ("start", ["0.000001", "0.100000", "9.999999"]),
        ("start", ["10.25", "99.75"]), ("start", ["123456789.123456", "999999999.999999"]),
    ],
)  # fmt: skip
def test_a_number_is_exactly_what_is_written(name: str, written: list[str]) -> None:
    usual = {"user": b'"user":31', "start": b'"start":600.5'}[name]
    lines = [FULL.replace(usual, f'"{name}":{each}'.encode()) for each in written]
    found = of(lines[0])
    assert found.fits(rows(lines)).all()
    assert found.number(name, rows(lines)).tolist() == [float(each) for each in written]
