"""The ways in which a file of a run can be damaged: rows, each with the files that it fits."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NONE = (
    "NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "-1", '"5"', "true", "null", "0.5",
    "1e10", "-1e10", "1e100", "1e308", "-1e308", "9223372036854775808", "2147483648", "", "0x10",
    "{}", "[]",
)  # fmt: skip
"""What may stand in the place of a number."""

NAMES = ("x" * 5_000, "x/" * 2_500, "x\x01y", "\ud800", "", ".", "/dev/null", "[bold]", "é" * 200)
"""What may stand in the place of a run's name."""

PAGE = b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"
_NUMBER = re.compile(rb"(?<=[:,\[ ])-?\d+(?:\.\d+)?(?=[,\]}\s])")
_TEXT = re.compile(rb'(?<=: ")[^"\\]+(?=")|(?<=:")[^"\\]+(?=")')

Damage = Callable[[Path, random.Random, Path], None]
Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Way:
    """One damage: `do` is given a file, chance, and the same file of another run.

    `ends` are how the names of the files end that it fits; all without.
    """

    name: str
    do: Damage
    ends: tuple[str, ...] = ()

    def fits(self, path: Path) -> bool:
        return not self.ends or path.name.endswith(self.ends)


# ── the whole file ───────────────────────────────────────────────────────────────────────────


def _gone(path: Path, chance: random.Random, other: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _put(content: bytes) -> Damage:
    def do(path: Path, chance: random.Random, other: Path) -> None:
        _gone(path, chance, other)
        path.write_bytes(content)

    return do


def _instead(make: Callable[[Path], object]) -> Damage:
    def do(path: Path, chance: random.Random, other: Path) -> None:
        _gone(path, chance, other)
        make(path)

    return do


def _swapped(path: Path, chance: random.Random, other: Path) -> None:
    if other.is_file():
        path.write_bytes(other.read_bytes())


def _neighbour(path: Path, chance: random.Random, other: Path) -> None:
    """A file of the same run under this one's name."""
    files = sorted(each for each in path.parent.iterdir() if each.is_file() and each != path)
    path.write_bytes(chance.choice(files).read_bytes())


# ── bytes ────────────────────────────────────────────────────────────────────────────────────


def _bytes(change: Change) -> Damage:
    def do(path: Path, chance: random.Random, other: Path) -> None:
        path.write_bytes(change(path.read_bytes(), chance))

    return do


def _cut(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))]


def _flipped(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text))
    return text[:at] + bytes([text[at] ^ 1 << chance.randrange(8)]) + text[at + 1 :]


def _holed(text: bytes, chance: random.Random) -> bytes:
    """A block of a disk that was never written."""
    at = chance.randrange(len(text))
    return text[:at] + bytes(min(512, len(text) - at)) + text[at + 512 :]


def _without_stretch(text: bytes, chance: random.Random) -> bytes:
    first, after = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return text[:first] + text[after:]


def _followed(text: bytes, chance: random.Random) -> bytes:
    return text + chance.choice([b"\n", b"}", PAGE, b"\0" * 100, text, b"\xff\xfe"])


def _matched(pattern: re.Pattern[bytes], instead: Change) -> Damage:
    """One match of a pattern, early ones as likely as late ones, replaced."""

    def change(text: bytes, chance: random.Random) -> bytes:
        found = list(pattern.finditer(text))
        if not found:
            return text
        each = chance.choice(found)
        return text[: each.start()] + instead(each[0], chance) + text[each.end() :]

    return _bytes(change)


def _no_number(number: bytes, chance: random.Random) -> bytes:
    return chance.choice(NONE).encode()


def _another_number(number: bytes, chance: random.Random) -> bytes:
    digit = chance.choice([at for at, each in enumerate(number) if chr(each).isdigit()])
    return number[:digit] + str(chance.randrange(10)).encode() + number[digit + 1 :]


def _long_text(text: bytes, chance: random.Random) -> bytes:
    return text + b"x" * 5_000


def _odd_text(text: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"", b"\\u0000", b"\\ud800", b"[bold]", b"../..", b"0", b"\xff"])


# ── lines ────────────────────────────────────────────────────────────────────────────────────


def _lines(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Damage:
    def do(text: bytes, chance: random.Random) -> bytes:
        return b"".join(change(text.splitlines(keepends=True), chance))

    return _bytes(do)


def _cut_at_line(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return lines[: chance.randrange(len(lines))]


def _without_line(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def _line_twice(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[: at + 1] + lines[at:]


def _lines_swapped(lines: list[bytes], chance: random.Random) -> list[bytes]:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def _without_population(lines: list[bytes], chance: random.Random) -> list[bytes]:
    name = chance.choice([b'"east"', b'"west"'])
    return [each for each in lines if b'"population":' + name not in each]


# ── fields of documents ──────────────────────────────────────────────────────────────────────


def _field(change: Callable[[Any, Any, random.Random], None]) -> Damage:
    """One field of a document, or of one line of it."""

    def do(text: bytes, chance: random.Random) -> bytes:
        lines = text.splitlines(keepends=True)
        at = chance.randrange(len(lines))
        of_lines = text.startswith(b"{") and lines[0].rstrip().endswith(b"}")
        document = json.loads(lines[at] if of_lines else text)
        inside, where = chance.choice(list(_places(document)))
        change(inside, where, chance)
        made = json.dumps(document, separators=(",", ":")).encode()
        return b"".join([*lines[:at], made + b"\n", *lines[at + 1 :]]) if of_lines else made

    return _bytes(do)


def _places(document: Any) -> Any:
    named = document.items() if isinstance(document, dict) else enumerate(document)
    for where, each in named:
        yield document, where
        if isinstance(each, dict | list):
            yield from _places(each)


def _removed(inside: Any, where: Any, chance: random.Random) -> None:
    del inside[where]


def _renamed(inside: Any, where: Any, chance: random.Random) -> None:
    if isinstance(inside, dict):
        inside[chance.choice([f"{where}_", where.upper(), "x" * 5_000, ""])] = inside.pop(where)
    else:
        inside.insert(where, inside[where])


def _of_another_kind(inside: Any, where: Any, chance: random.Random) -> None:
    inside[where] = chance.choice([None, [], {}, "", "x", 0, -1, True, [[]], {"x": None}])


_JSON = (".json", ".jsonl")
_TEXTS = (*_JSON, ".csv", ".sql", "SHA256SUMS")

WAYS = (
    Way("it is gone", _gone),
    Way("it is empty", _put(b"")),
    Way("an error page stands in its place", _put(PAGE)),
    Way("brackets stand in its place", _put(b"[" * 100_000)),
    Way("a folder stands in its place", _instead(Path.mkdir)),
    Way("a loop stands in its place", _instead(lambda path: path.symlink_to(path.name))),
    Way("a link that leads nowhere stands there", _instead(lambda path: path.symlink_to("gone"))),
    Way("a pipe stands in its place", _instead(os.mkfifo)),
    Way("it is of another run", _swapped),
    Way("another file has its name", _neighbour),
    Way("it is cut", _bytes(_cut)),
    Way("a bit is flipped", _bytes(_flipped)),
    Way("a block was never written", _bytes(_holed)),
    Way("a stretch is missing", _bytes(_without_stretch)),
    Way("something follows it", _bytes(_followed)),
    Way("a number is none", _matched(_NUMBER, _no_number), _TEXTS),
    Way("a number is another one", _matched(_NUMBER, _another_number), _TEXTS),
    Way("a text is long", _matched(_TEXT, _long_text), _JSON),
    Way("a text is odd", _matched(_TEXT, _odd_text), _JSON),
    Way("it is cut at a line's end", _lines(_cut_at_line), _TEXTS),
    Way("a line is missing", _lines(_without_line), _TEXTS),
    Way("a line is there twice", _lines(_line_twice), _TEXTS),
    Way("two lines are swapped", _lines(_lines_swapped), _TEXTS),
    Way("a population is missing", _lines(_without_population), (".jsonl",)),
    Way("a field is missing", _field(_removed), _JSON),
    Way("a field has another name", _field(_renamed), _JSON),
    Way("a field is of another kind", _field(_of_another_kind), _JSON),
)
WHOLE = tuple(way for way in WAYS[:8])
"""Those that fit a folder, too."""
