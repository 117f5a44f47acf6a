"""When a runbook takes a blip for a loss: what `detect` and `confirm` see in a recording. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf
from typing import Final

from apps.steering.decide import State
from lab.core.steering import MACHINE_ENDS_SECONDS, STREAM_ASKED_SECONDS, STREAM_LASTS_SECONDS
from lab.patience.recorded import Sequence
from lab.patience.replay import Played
from lab.patience.rows import LOST

_ROUNDING: Final = 1e-6
"""Seconds by which sums of times may be off."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """When `detect` notices a loss, and whether `confirm` agrees: then a database is promoted."""

    at: float
    confirmed: bool


def alarm(
    played: Played, seen: Sequence, after: float, phase: float = 0.0, stretch: float = 1.0
) -> Alarm | None:
    """What both steps make of it, with the option `after` of `detect`; None for no alarm.

    `played` is what the steering of the other region believes, `seen` what was recorded there. At
    `phase`, `detect` asks for the stream of WAL a first time. On a slow machine, waits are longer:
    `stretch` times.
    """
    believed = [(each.at, each.state) for each in played.of(LOST.name)]
    asked = dict(_asked(seen.stream, phase))
    signs = (
        (after, _spans(believed, lambda state: state is not State.READY)),
        (max(STREAM_LASTS_SECONDS, after), _spans(asked.items(), lambda streams: not streams)),
    )
    moments = [
        start + needed
        for needed, spans in signs
        for start, end in spans
        if start >= seen.struck and end - start > needed + _ROUNDING
    ]
    if not moments:
        return None
    at = min(moments)
    waits = _at(believed, at, State.READY) is State.DOWN
    look = at + (MACHINE_ENDS_SECONDS * stretch if waits else 0.0)
    return Alarm(at, confirmed=not _at(seen.stream, look, True))


def _asked(stream: Iterable[tuple[float, bool]], phase: float) -> Iterator[tuple[float, bool]]:
    """What `detect` sees of a stream: each change, at the next moment in which it asks."""
    for at, streams in stream:
        number = ceil((at - phase) / STREAM_ASKED_SECONDS)
        yield phase + number * STREAM_ASKED_SECONDS, streams


def _spans(
    moments: Iterable[tuple[float, object]], is_bad: Callable[[object], bool]
) -> Iterator[tuple[float, float]]:
    """From when to when something was bad."""
    since: float | None = None
    for at, value in moments:
        if is_bad(value):
            since = at if since is None else since
        elif since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, inf


def _at(moments: Iterable[tuple[float, object]], now: float, before: object) -> object:
    """What was so at a moment."""
    known = [(-inf, before), *moments, (inf, before)]
    return next(value for (at, value), (end, _) in pairwise(known) if at <= now < end)
