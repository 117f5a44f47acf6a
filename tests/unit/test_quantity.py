"""Amounts as they are typed: units where they are needed, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import UsageError
from lab.core.quantity import amount, count, duration, size, strength, wait, written

UNITS = ("h", "m", "s", "ms")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("1h", 3600),
        ("1m30s", 90),
        ("1h1ms", 3600.001),
        ("0s", 0),
        ("2.5s", 2.5),
    ],
)
def test_a_duration_is_read_with_its_units(text: str, seconds: float) -> None:
    assert duration(text, "--rpo") == seconds


@given(st.dictionaries(st.sampled_from(UNITS), st.integers(0, 10_000), min_size=1))
def test_every_sum_of_units_is_read_as_that_sum(parts: dict[str, int]) -> None:
    ordered = [(unit, parts[unit]) for unit in UNITS if unit in parts]
    text = "".join(f"{number}{unit}" for unit, number in ordered)
    expected = sum(number * SECONDS[unit] for unit, number in ordered)
    assert duration(text, "--rto") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("5", "write 5s (or 5ms, 5m)"),
        ("0.5", "write 0.5s"),
        ("-5s", "500ms, 10s"),
        ("+5s", "500ms, 10s"),
        ("nan", "500ms, 10s"),
        ("inf", "500ms, 10s"),
        ("", "500ms, 10s"),
        ("5 s", "500ms, 10s"),
        ("5S", "500ms, 10s"),
        ("5s\n", "500ms, 10s"),
        ("1e3s", "500ms, 10s"),
        ("٥s", "500ms, 10s"),
        ("30s1m", "the greatest first"),
        ("1s1s", "each unit once"),
        ("9" * 400, "write 3s (or 3ms, 3m)"),
        ("9" * 400 + "s", "write 9007199254740991s or less"),
        ("12345678901234567890123456s", "write 9007199254740991s or less"),
    ],
)
def test_a_duration_that_cannot_be_read_is_wrong_usage_and_says_what_to_write(
    text: str, hint: str
) -> None:
    with pytest.raises(UsageError, match="--rpo") as caught:
        duration(text, "--rpo")
    assert hint in caught.value.next_step
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [("3s", "such as 3"), ("-1", "such as 3"), ("1.5", "such as 1"), ("", "such as 3")],
)
def test_a_count_takes_no_unit_no_sign_and_no_fraction(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        count(text, "--loss")
    assert hint in caught.value.next_step
    assert count("3", "--loss") == 3


@pytest.mark.parametrize(
    ("text", "found"), [("512B", 512), ("64KiB", 65536), ("1.5MiB", 1572864), ("1GiB", 2**30)]
)
def test_a_size_is_read_in_bytes(text: str, found: float) -> None:
    assert size(text, "it") == found
    for wrong in (text.rstrip("BKMGi"), "64KB", "-1B"):
        with pytest.raises(UsageError):
            size(wrong, "it")


@given(st.text(max_size=12), st.sampled_from(["s", "bytes", "writes", ""]))
def test_whatever_is_typed_is_a_finite_amount_or_wrong_usage(text: str, unit: str) -> None:
    try:
        found = amount(text, unit, "it")
    except UsageError as error:
        assert error.next_step
    else:
        assert 0 <= found < float("inf")
        assert text.isascii()


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [("200ms", "ms", 200.0), ("15s", "s", 15.0),
     ("32KiB", "KiB/s", 32.0), ("1MiB/s", "KiB/s", 1024)],
)  # fmt: skip
def test_a_strength_is_read_in_the_unit_of_its_fault(text: str, unit: str, found: float) -> None:
    assert strength(text, unit, "amount") == found


@pytest.mark.parametrize(
    ("unit", "hint"),
    [
        ("ms", "write 250ms (or 250s)"),
        ("s", "write 250s (or 250ms)"),
        ("KiB/s", "write 250KiB (or 250MiB)"),
    ],
)
def test_a_strength_without_a_unit_is_told_the_unit_of_its_fault(unit: str, hint: str) -> None:
    with pytest.raises(UsageError, match="--amount 250: a") as caught:
        strength("250", unit, "--amount")
    assert caught.value.next_step == hint


@pytest.mark.parametrize("read", [duration, size, count])
@pytest.mark.parametrize("digits", [400, 100_000])
@pytest.mark.parametrize("unit", ["", "s", "B"])
def test_what_is_said_of_a_long_amount_is_short(
    read: Callable[[str, str], float], digits: int, unit: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read("9" * digits + unit, "--it")
    assert len(str(caught.value)) < 250


def test_the_largest_amounts_that_are_taken() -> None:
    assert wait("168h", "it") == 7 * 86_400
    assert count(f"{2**53 - 1}", "it") == 2**53 - 1
    for read, text in ((count, f"{2**53}"), (size, f"{2**53}B"), (duration, f"{2**53}s")):
        with pytest.raises(UsageError, match=f"more than {2**53 - 1}"):
            read(text, "it")
    with pytest.raises(UsageError, match="more than 168h"):
        wait("168h1ms", "it")


def test_a_size_without_a_unit_is_told_which_one_to_write() -> None:
    with pytest.raises(UsageError) as caught:
        size("5", "--wal")
    assert caught.value.next_step == "write 5B (or 5KiB)"


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("1001ms", "ms", 1001), ("57ms", "ms", 57), ("1.5s", "s", 1.5), ("100000KiB", "KiB/s", 1e5)],
)
def test_a_strength_is_read_exactly_and_written_as_it_is_read(
    text: str, unit: str, value: float
) -> None:
    assert strength(text, unit, "amount") == value
    assert written(value, unit) == text
