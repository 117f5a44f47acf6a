"""Two independent hashes of a client key: what keys are compared by, in SQL and in arrays.

Joining ten million texts takes four times as long as joining their hashes. They are DuckDB's, and
last as long as the process. Arrays of bytes are hashed by the same formula here, ten times faster
than DuckDB can be handed their texts; where its formula turns out to be another, it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.records.duckdbstore import scratch

Hashes: TypeAlias = NDArray[np.uint64]

HIGH: Final = 'hash("key")'
LOW: Final = "hash('.' || \"key\")"
PRINTS: Final = f"{HIGH} AS high, {LOW} AS low"
"""The prints of a column `key` in SQL."""


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """Two independent hashes of every line's key, by the line's place in the record.

    Keys whose hashes are both equal are taken for the same: among ten million keys, two different
    ones with equal hashes are expected in one record of 10^24.
    """

    high: Hashes
    low: Hashes


def of_texts(keys: Sequence[str]) -> Prints:
    """The prints of keys, by DuckDB itself."""
    with scratch() as database:
        query = f'SELECT {PRINTS} FROM (SELECT unnest(?::VARCHAR[]) AS "key")'  # noqa: S608
        found = database.execute(query, [list(keys)]).fetchnumpy()
    return Prints(np.asarray(found["high"]), np.asarray(found["low"]))


def of_bytes(keys: NDArray[np.uint8]) -> Prints:
    """The prints of keys of one length, a row of ASCII characters each."""
    if not _formula_holds():
        return of_texts([row.tobytes().decode() for row in keys])
    return computed(keys)


def computed(keys: NDArray[np.uint8]) -> Prints:
    """The prints by the formula."""
    dots = np.full((len(keys), 1), ord("."), np.uint8)
    return Prints(_hash(keys), _hash(np.hstack((dots, keys))))


_FACTOR: Final = np.uint64(0xD6E8FEB86659FD93)
_SEED: Final = 0xE17A1465
_LENGTH_FACTOR: Final = 0xC6A4A7935BD1E995
_HALF: Final = np.uint64(32)
_WORD: Final = 8


def _hash(rows: NDArray[np.uint8]) -> Hashes:
    """DuckDB's hash of texts: its HashBytes, word by word, and MurmurHash's last mixing."""
    count, length = rows.shape
    whole = np.zeros((count, -(-length // _WORD) * _WORD), np.uint8)
    whole[:, :length] = rows
    first = (_SEED ^ length * _LENGTH_FACTOR) & (2**64 - 1)
    found: Hashes = np.full(count, first, np.uint64)
    for word in whole.view("<u8").T:
        found ^= word
        found *= _FACTOR
    for _ in range(2):
        found ^= found >> _HALF
        found *= _FACTOR
    return found ^ (found >> _HALF)


@cache
def _formula_holds() -> bool:
    """DuckDB does not promise its formula: keys of each length of a word are tried once."""
    keys = [*accumulate("east-0123456789abcdef0123456789ABCDEF")]
    asked = of_texts(keys)
    for place, key in enumerate(keys):
        found = computed(np.frombuffer(key.encode(), np.uint8)[np.newaxis])
        if (found.high[0], found.low[0]) != (asked.high[place], asked.low[place]):
            return False
    return True
