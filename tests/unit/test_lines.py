"""Lines of a file by their number: wherever blocks begin and end, they are the right ones."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from lab.records import blocks, lines
from lab.records.lines import Lines


@given(
    content=st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b"")), max_size=30),
    ended=st.booleans(),
    block=st.integers(1, 40),
    data=st.data(),
)
def test_lines_are_those_of_the_file_wherever_its_blocks_end(
    content: list[bytes], ended: bool, block: int, data: st.DataObject, tmp_path_factory: object
) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "lines"  # type: ignore[attr-defined]
    path.write_bytes(b"\n".join(content) + (b"\n" if ended else b""))
    with path.open("rb") as file:
        expected = list(file)
    wanted = data.draw(st.sets(st.sampled_from(range(len(expected))))) if expected else set()
    with patch.object(lines, "BLOCK", block):
        found = Lines(path)
        with patch.object(blocks, "SIZE", data.draw(st.integers(1, 40))):
            read = [
                each.line(n) for each in blocks.blocks(path, found) for n in range(len(each.starts))
            ]
        assert read == expected
        assert found.count == len(expected)
        assert list(found.pick(sorted(wanted))) == [expected[each] for each in sorted(wanted)]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    found = Lines(path)
    assert list(blocks.blocks(path, found)) == []
    assert found.count == 0
    assert list(found.pick([])) == []
