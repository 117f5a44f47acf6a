"""What both steerings saw of something that happened: sequences of checks, one a line of JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.steering.checks import Check, Kind
from lab.core.topology import REGIONS

RECORDED: Final = Path(__file__).parent / "recorded.jsonl.gz"
"""The sequences that the lab comes with: blips, and real losses of a region."""

PACE: Final = 0.1
"""Seconds between two recorded checks of a region. Checks at any slower pace are among them."""

_NAMES: Final = {each.name[0]: each.name for each in REGIONS}


@dataclass(frozen=True, slots=True)
class Sequence:
    """What one steering saw; times are seconds since the recording began.

    `viewer` is its region, `name` what happened, `struck` when that began, and `lasting` for how
    long it was to last: 0 for what did not end. `lost` are the regions that it should believe lost.
    `broke` are moments in which the connection of the latest good check broke. `stream` says since
    when WAL was streamed to the other region, and since when not. `take` counts the recordings of
    one thing.
    """

    name: str
    viewer: str
    lost: tuple[str, ...]
    struck: float
    checks: tuple[Check, ...]
    lasting: float = 0.0
    broke: tuple[tuple[str, float], ...] = ()
    stream: tuple[tuple[float, bool], ...] = ()
    take: int = 0


def check(region: str, began: float, ended: float, kind: str) -> Check:
    """A check as the steering's own decision takes it. Raises ValueError for no known kind."""
    return Check(region, began, ended, Kind(kind))


def read(path: Path = RECORDED) -> Iterator[Sequence]:
    """The sequences in a file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(_parsed, lines)


def append(path: Path, sequences: Iterable[Sequence]) -> None:
    """Add sequences to a file, which is made if it is not there. Raises OSError."""
    with gzip.open(path, "at", encoding="utf-8") as file:
        file.writelines(f"{_written(each)}\n" for each in sequences)


def _parsed(line: str) -> Sequence:
    told = json.loads(line)
    return Sequence(
        name=told["name"],
        viewer=told["viewer"],
        lost=tuple(told["lost"]),
        struck=told["struck"] / 1000,
        checks=tuple(
            check(_NAMES[of], began / 1000, (began + took) / 1000, kind)
            for of, began, took, kind in told["checks"]
        ),
        lasting=told.get("lasting", 0) / 1000,
        broke=tuple((_NAMES[of], at / 1000) for of, at in told.get("broke", ())),
        stream=tuple((at / 1000, bool(on)) for at, on in told.get("stream", ())),
        take=told.get("take", 0),
    )


def _written(one: Sequence) -> str:
    document = {
        "name": one.name,
        "viewer": one.viewer,
        "take": one.take,
        "lost": one.lost,
        "struck": _ms(one.struck),
        "lasting": _ms(one.lasting),
        "checks": [
            (each.region[0], _ms(each.began), _ms(each.ended) - _ms(each.began), each.kind)
            for each in one.checks
        ],
        "broke": [(of[0], _ms(at)) for of, at in one.broke],
        "stream": [(_ms(at), int(on)) for at, on in one.stream],
    }
    return json.dumps(document, separators=(",", ":"))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
