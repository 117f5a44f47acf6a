"""The users' service as a drill needs it: at work, steady, and back for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, TooBusy, WaitExpired
from lab.core.load import Load
from lab.core.wait import wait_until
from lab.infra import machinespeed
from lab.records.journalfile import MarkName
from lab.records.machineload import Reading
from lab.testbed.journalwriter import Recorder

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

STEADY_SECONDS: Final = 3.0
STEADY_SHARE: Final = 0.9
_STEADY_PATIENCE: Final = 12.0
_SETTLE_PATIENCE: Final = 60.0
_LOOK_SECONDS: Final = 0.5


def begin(lab: Lab, load: Load, seed: int, recorder: Recorder) -> Load:
    """Stopwatch and users at work, in a steady state; the load that this machine carries.

    `mark_steady` writes the state down.

    Raises TooBusy when it carries not even a quarter of the one that was asked for.
    """
    last: WaitExpired | None = None
    found = lab.settings.pace or 1.0
    shares = machinespeed.shares(found)
    if shares[0] < 1:
        recorder.say(
            f"this machine has {found:.0%} of the usual speed, so the users send {shares[0]:.0%} of"
            " the usual load"
        )
    for share in shares:
        carried = load.times(share)
        start(lab, carried, seed)
        if last is None:
            recorder.mark(MarkName.LOAD_STARTED)
        recorder.say("users at work; waiting for a steady state")
        try:
            wait_for_service(lab, carried.writes_per_second, STEADY_SECONDS, _STEADY_PATIENCE)
        except WaitExpired as error:
            last = error
            then = (
                "the lab now tries half of that rate"
                if share != shares[-1]
                else "something else keeps it busy"
            )
            recorder.say(
                f"this machine does not carry {carried.writes_per_second:g} orders/s of each"
                f" population now: {then}"
            )
            _put_away(lab)
            continue
        return carried
    raise TooBusy(
        f"no steady state with {carried.writes_per_second:g} orders/s of each population, so"
        f" nothing was broken and nothing measured: {last}"
    )


def mark_steady(load: Load, recorder: Recorder) -> None:
    """Write down the steady state: what comes later is compared with it."""
    recorder.mark(
        MarkName.STEADY,
        at=recorder.clock.now() - STEADY_SECONDS,  # it has been steady for that long already
        note=f"{STEADY_SHARE:.0%} of {load.writes_per_second:g} orders/s of each population"
        f" for {STEADY_SECONDS:g} s",
    )


def settle(lab: Lab, load: Load, recorder: Recorder) -> None:
    """Wait for the steady state after something that users felt. Raises TooBusy.

    No order fails in it: those who ignore TTLs have left a region that is lost.
    """
    recorder.say("waiting until users are served and no order fails")
    rate = load.writes_per_second
    try:
        wait_for_service(lab, rate, STEADY_SECONDS, _SETTLE_PATIENCE, flawless=True)
    except WaitExpired as error:
        raise TooBusy(
            f"no steady state after what led to the situation, so nothing was measured: {error}"
        ) from error


def start(lab: Lab, load: Load, seed: int) -> None:
    """Let stopwatch and users begin. Raises LabError."""
    # Before the users: the stopwatch signs up at each gateway, and has one try for that.
    wait_until("the stopwatch to start", lambda: _started(lab), 20, ignoring=(LabError,))
    with ThreadPoolExecutor() as pool:
        starting = [
            pool.submit(users.start, load, seed + number)
            for number, users in enumerate(lab.users.values())
        ]
        for started in starting:
            started.result()


def _started(lab: Lab) -> bool:
    lab.stopwatch.start()
    return True


def _put_away(lab: Lab) -> None:
    """End a load that was too much. Its orders stay in the shop, and so does their record."""
    lab.stop_load()
    lab.stopwatch.clear()


def readings(lab: Lab) -> dict[str, Reading]:
    """What the kernel counted so far of each population's program, as far as it answers."""
    found: dict[str, Reading] = {}
    for name, users in lab.users.items():
        with suppress(LabError):
            stats = users.stats()
            found[name] = Reading(stats.cpu_seconds, stats.waited_seconds)
    return found


def wait_for_service(
    lab: Lab, rate: float, seconds: float, timeout: float, *, flawless: bool = False
) -> None:
    """Wait until each population has been acknowledged at nearly that rate for a while.

    If `flawless`, no order of theirs failed meanwhile.
    """
    streak = _Streak(lab, rate * STEADY_SHARE, flawless=flawless)
    wait_until(
        f"users of both populations to be served for {seconds:g} s",
        lambda: streak.seconds() >= seconds,
        timeout + seconds,
        every=0.2,
        ignoring=(LabError,),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a population has counted by a moment of its clock."""

    at: float
    acknowledged: int
    others: int


class _Streak:
    """For how long every population has been acknowledged at a rate or better."""

    def __init__(self, lab: Lab, rate: float, *, flawless: bool) -> None:
        self._lab, self._rate, self._flawless = lab, rate, flawless
        self._begin: dict[str, float] = {}
        self._last: dict[str, _Seen] = {}

    def seconds(self) -> float:
        """Length of the streak, in seconds."""
        return min(self._seconds(name) for name in self._lab.users)

    def _seconds(self, name: str) -> float:
        stats = self._lab.users[name].stats()
        writes = stats.totals.get("write")
        others = writes.local + writes.fail + writes.unknown if writes else 0
        now = _Seen(stats.monotonic, writes.ok if writes else 0, others)
        then = self._last.setdefault(name, now)
        if now.at - then.at >= _LOOK_SECONDS:
            if self._breaks(then, now):
                self._begin[name] = now.at
            self._last[name] = now
        return now.at - self._begin.setdefault(name, now.at)

    def _breaks(self, then: _Seen, now: _Seen) -> bool:
        slow = (now.acknowledged - then.acknowledged) / (now.at - then.at) < self._rate
        return slow or (self._flawless and now.others > then.others)
