"""Links that are slow: delay, jitter, a late close."""

from dataclasses import replace

from lab.core.topology import Link, link
from lab.faults.linked import cured, pinged, poisoned_with, poisoning, restored
from lab.faults.row import Aim, Amount, Fault, Takes
from lab.infra.linkstates import Toxic
from lab.infra.probe import Pinged, usual_round_trip

_BOTH = ("upstream", "downstream")
_SLACK_SECONDS = 0.3


def _amount(aim: Aim) -> int:
    return round(aim.amount or 0)


def _delay(aim: Aim) -> tuple[Toxic, ...]:
    return tuple(Toxic("delay", "latency", way, {"latency": _amount(aim)}) for way in _BOTH)


def _is_late(where: Link, answer: Pinged, aim: Aim) -> bool:
    wanted = usual_round_trip(where) + 2 * _amount(aim) / 1000
    return bool(answer.answers) and min(answer.answers) >= wanted * 0.99


def _jitter(aim: Aim) -> tuple[Toxic, ...]:
    wide = _amount(aim)
    # Around its middle: a delay that is drawn anew for each packet, between 0 and twice as much.
    return (Toxic("jitter", "latency", "downstream", {"latency": wide, "jitter": wide}),)


def _is_uneven(_where: Link, answer: Pinged, aim: Aim) -> bool:
    from statistics import quantiles

    # The middle half, and not the extremes: on a busy machine a few answers are always late.
    if len(answer.answers) < 4:
        return False
    lower, _, upper = quantiles(answer.answers, n=4)
    return upper - lower >= _amount(aim) / 1000 / 2


def _is_even(where: Link, answer: Pinged, aim: Aim) -> bool:
    half = replace(aim, amount=_amount(aim) / 2)
    return len(answer.answers) >= 4 and not _is_uneven(where, answer, half)


def _is_no_later(where: Link, answer: Pinged, aim: Aim) -> bool:
    if not answer.answers:
        return False
    slack = min(_SLACK_SECONDS, _amount(aim) / 1000)
    return min(answer.answers) < usual_round_trip(where) + slack


def _slow_close(aim: Aim) -> tuple[Toxic, ...]:
    return (Toxic("slow-close", "slow_close", "downstream", {"delay": _amount(aim)}),)


def _closes_late(_where: Link, answer: Pinged, aim: Aim) -> bool:
    return answer.close is not None and answer.close >= _amount(aim) / 1000 * 0.99


def _closes_at_once(_where: Link, answer: Pinged, aim: Aim) -> bool:
    return answer.close is not None and answer.close < _amount(aim) / 1000 / 2


FAULTS = (
    Fault(
        name="delay",
        why="every byte takes longer",
        teaches="synchronous replication over a long distance costs a round trip for each commit",
        how="the gateway holds every byte, each way, on top of the usual delay",
        noticed="by users at once, by no health check until its own limit (0.8 s) is passed",
        cuts=(),
        takes=Takes.LINKS,
        default=Aim(links=(link("west:east:sql"),)),
        arm=poisoning(_delay),
        seen=pinged(_is_late, count=1, patience=25),
        heal=cured,
        gone=restored(_is_no_later, count=1, patience=25),
        present=poisoned_with("delay", "latency"),
        amount=Amount("added each way", "ms", 200, 5, 10_000),
        proof_seconds=45,
    ),
    Fault(
        name="jitter",
        why="each answer takes a different time",
        teaches="an average hides this; time-outs must be set for the slowest answers",
        how="the gateway draws a delay for each packet of the response, from 0 to twice the amount",
        noticed="in p99 latency; sometimes a health check fails",
        cuts=(),
        takes=Takes.LINKS,
        default=Aim(links=(link("users-west:west:app"),)),
        arm=poisoning(_jitter),
        seen=pinged(_is_uneven, count=12, patience=10),
        heal=cured,
        gone=restored(_is_even, count=12, patience=10),
        present=poisoned_with("jitter", "jitter"),
        amount=Amount("middle of the delay", "ms", 100, 20, 2_000),
        purposes=("app", "cache"),
        proof_seconds=60,
    ),
    Fault(
        name="slow-close",
        why="connections end late",
        teaches="pools and servers fill with unused connections",
        how="the gateway keeps a connection open after one side has closed it",
        noticed="by monitoring of connections",
        cuts=(),
        takes=Takes.LINKS,
        default=Aim(links=(link("guest:east:app"),)),
        arm=poisoning(_slow_close),
        seen=pinged(_closes_late, count=1, patience=25, closing=True),
        heal=cured,
        gone=restored(_closes_at_once, count=1, patience=25, closing=True),
        present=poisoned_with("slow-close", "delay"),
        amount=Amount("close is late by", "ms", 1_000, 100, 20_000),
        purposes=("app",),
        proof_seconds=45,
    ),
)
