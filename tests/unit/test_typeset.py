"""Text in pictures: lines end before the room does, and nothing of the text is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.charts.typeset import width, wrapped

TEXTS = st.text(max_size=200)
ROOMS = st.floats(30, 400)


@given(TEXTS, ROOMS, st.booleans())
def test_no_line_is_wider_than_its_room(text: str, room: float, bold: bool) -> None:
    for line in wrapped(text, room, 12, bold=bold):
        assert width(line, 12, bold=bold) <= room


@given(TEXTS, ROOMS)
def test_lines_hold_every_letter_in_its_order(text: str, room: float) -> None:
    assert "".join(wrapped(text, room, 12)).replace(" ", "") == "".join(text.split())


@given(TEXTS, ROOMS)
def test_text_that_fits_stays_on_one_line(text: str, room: float) -> None:
    if width(" ".join(text.split()), 12) <= room:
        assert len(wrapped(text, room, 12)) <= 1


def test_words_are_kept_whole_where_they_can_be() -> None:
    assert wrapped("two primaries take orders", 90, 12) == ("two primaries", "take orders")
    assert wrapped("supercalifragilistic", 60, 12) == ("supercali", "fragilistic")


def test_bold_and_larger_text_is_wider() -> None:
    assert width("fence", 12) < width("fence", 12, bold=True) < width("fence", 16)


def test_letters_of_any_script_have_room() -> None:
    assert width("字", 10) >= 10
