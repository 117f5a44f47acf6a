"""What counts as a loss for `detect`: health checks at once, a broken stream if it lasts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from contexts import context

from lab.core.errors import LabError, Refused
from lab.core.topology import EAST_DB1, WEST, WEST_DB1
from lab.steps import catalogue, lagging, noticing


class Eyes:
    """A lab of which only what a watch looks at is there: a steering's view, a standby's state."""

    def __init__(self) -> None:
        self.view, self.receiver, self.recovering = "ready", "10.91.2.2:5433 streaming", True
        self.steering_answers, self.standby_answers = True, True
        self.old_is_primary, self.received, self.proofs = True, 100, 0
        self.since_bad = 0.0  # for how long the steering has seen it so, in s
        self.steerings = {WEST: SimpleNamespace(state=self._steering)}
        self.databases = {
            WEST_DB1: SimpleNamespace(state=self._standby),
            EAST_DB1: SimpleNamespace(is_primary=lambda: self.old_is_primary),
        }

    def _steering(self) -> object:
        if not self.steering_answers:
            raise LabError("west.steering does not answer")
        view = SimpleNamespace(state=self.view, error="refused", since=99.0)
        return SimpleNamespace(view={"east": view}, monotonic=self.since_bad + 99.0)

    def _standby(self) -> object:
        if not self.standby_answers:
            raise LabError("west.db1: no connection")
        return SimpleNamespace(
            in_recovery=self.recovering, receiver=self.receiver, received=self.received
        )

    def proven(self) -> None:
        self.proofs += 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(noticing, "time", made)
    monkeypatch.setattr(noticing, "STREAM_ASKED_SECONDS", 0.0)
    return made


def watch(eyes: Eyes, **options: Any) -> noticing._Watch:
    chosen = catalogue.step("detect").chosen(options)
    return noticing._Watch(context(eyes, await_proof=eyes.proven, options=chosen))


def told(sign: noticing.Sign | None) -> str | None:
    return sign and str(sign)


def test_nothing_is_seen_where_nothing_is_wrong(clock: Clock) -> None:
    assert watch(Eyes()).sees() is None


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("down", "no answer from east"),
        ("live", "that east's shop answers but takes no order"),
    ],
)
def test_a_region_that_takes_no_orders_is_lost_at_once(clock: Clock, state: str, seen: str) -> None:
    eyes = Eyes()
    eyes.view = state
    assert told(watch(eyes).sees()) == f"west's steering sees {seen}: refused"


def test_a_stream_that_breaks_for_a_moment_is_no_loss(clock: Clock) -> None:
    eyes = Eyes()
    watching = watch(eyes)
    for _ in range(10):
        eyes.receiver = ""
        assert watching.sees() is None
        clock.now += 2.9
        assert watching.sees() is None
        eyes.receiver = "10.91.2.2:5433 streaming"
        assert watching.sees() is None
        clock.now += 1


@pytest.mark.parametrize("by", ["any", "health-checks"])
def test_an_alarm_counts_when_it_has_lasted_as_long_as_is_asked(clock: Clock, by: str) -> None:
    eyes = Eyes()
    eyes.view = "down"
    watching = watch(eyes, by=by, after=30)
    assert watching.sees() is None
    clock.now += 29.9
    assert watching.sees() is None
    clock.now += 0.1
    found = watching.sees()
    assert told(found) == "west's steering sees no answer from east for 30.0 s: refused"
    assert found is not None and found.since is None  # it counts now, not since it began


def test_a_step_waits_as_much_longer_as_the_alarm_must_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = list[float]()

    def wait(_what: str, _look: object, limit: float, **_how: object) -> noticing.Sign:
        limits.append(limit)
        return noticing.Sign("seen")

    monkeypatch.setattr(noticing, "wait_until", wait)
    recorder = SimpleNamespace(mark=lambda *_, **__: 0.0)
    for after in (0, 600):
        chosen = catalogue.step("detect").chosen({"after": after})
        noticing._detect(context(Eyes(), options=chosen, recorder=recorder))
    assert limits[1] - limits[0] == 600


def test_an_alarm_that_ends_meanwhile_does_not_count(clock: Clock) -> None:
    eyes = Eyes()
    watching = watch(eyes, after=30)
    for eyes.view in ("down", "ready", "live", "down"):
        assert watching.sees() is None
        clock.now += 20
    assert told(watching.sees()) == "west's steering sees no answer from east for 40.0 s: refused"


def test_an_alarm_that_is_older_than_the_step_is_waited_for_no_longer(clock: Clock) -> None:
    eyes = Eyes()
    eyes.view, eyes.since_bad = "down", 31.0
    assert "no answer from east for 31.0 s" in str(watch(eyes, after=30).sees())


def test_a_steering_that_does_not_answer_neither_ends_an_alarm_nor_lets_it_count(
    clock: Clock,
) -> None:
    eyes = Eyes()
    eyes.view = "down"
    watching = watch(eyes, after=30)
    watching.sees()
    clock.now += 30
    eyes.steering_answers = False
    assert watching.sees() is None
    eyes.steering_answers = True
    assert watching.sees() is not None


def test_a_stream_alone_is_a_sign_at_once_or_after_as_long_as_is_asked(clock: Clock) -> None:
    eyes = Eyes()
    eyes.receiver = ""
    assert told(watch(eyes, by="replication").sees()) == (
        "west.db1 has had no replication connection"
    )
    patient = watch(eyes, by="replication", after=10)
    assert patient.sees() is None
    clock.now += 10
    assert told(patient.sees()) == "west.db1 has had no replication connection for 10.0 s"
    clock.now += 1
    either = watch(eyes, after=2)  # the stream alone is believed after three seconds
    assert either.sees() is None
    clock.now += 2
    assert either.sees() is None
    clock.now += 1
    assert either.sees() is not None


def test_a_stream_that_stays_away_is_one(clock: Clock) -> None:
    eyes = Eyes()
    eyes.receiver = ""
    watching = watch(eyes)
    assert watching.sees() is None
    clock.now += 3
    assert told(watching.sees()) == "west.db1 has had no replication connection for 3.00 s"


def test_a_program_that_cannot_be_asked_shows_nothing_and_hides_nothing(clock: Clock) -> None:
    eyes = Eyes()
    eyes.steering_answers, eyes.standby_answers, eyes.view = False, False, "down"
    watching = watch(eyes)
    assert watching.sees() is None
    eyes.standby_answers, eyes.receiver = True, ""
    assert watching.sees() is None
    clock.now += 3
    assert watching.sees() is not None


def test_a_node_that_was_promoted_misses_no_upstream(clock: Clock) -> None:
    eyes = Eyes()
    eyes.receiver, eyes.recovering = "", False
    watching = watch(eyes)
    watching.sees()
    clock.now += 10
    assert watching.sees() is None


def looks(watching: noticing._Watch, clock: Clock, eyes: Eyes, times: int) -> None:
    """Look as `detect` does, every half a second, while WAL arrives."""
    for _ in range(times):
        assert (watching.sees() or watching.needs_none()) is None
        clock.now += 0.5
        eyes.received += 1


def test_a_region_that_works_for_a_while_is_not_lost_and_is_not_waited_for(clock: Clock) -> None:
    eyes = Eyes()
    watching = watch(eyes)
    looks(watching, clock, eyes, 13)
    watching.sees()
    with pytest.raises(Refused, match="nothing is lost: west's steering sees east as ready"):
        watching.needs_none()
    assert eyes.proofs == 1  # a drill's fault had its time to strike
    assert clock.now == 106.5


@pytest.mark.parametrize("what", ["silent", "unasked"])
def test_a_region_of_which_nothing_is_heard_may_be_lost(clock: Clock, what: str) -> None:
    """A link that falls silent is noticed by a time-out of its own, a minute later."""
    eyes = Eyes()
    watching = watch(eyes)
    eyes.steering_answers = what != "unasked"
    for _ in range(140):
        assert (watching.sees() or watching.needs_none()) is None
        clock.now += 0.5
        eyes.received += what == "unasked"
    assert eyes.proofs == 0


def test_two_primaries_are_told_at_once(clock: Clock) -> None:
    eyes = Eyes()
    eyes.receiver, eyes.recovering = "", False
    watching = watch(eyes)
    watching.sees()
    with pytest.raises(Refused, match=r"east\.db1 and west\.db1 are both primary"):
        watching.needs_none()


def test_a_loss_that_is_too_much_is_refused_and_one_that_was_accepted_is_on_record() -> None:
    loss = "its last transaction is 7.00 s old: more than the RPO of 5.00 s would be lost"
    with pytest.raises(Refused, match=r"7\.00 s old") as caught:
        lagging._accepted(context(options={"accept_loss": False}), loss)
    assert "--accept-loss" in caught.value.next_step
    said = lagging._accepted(context(options={"accept_loss": True}), loss)
    assert said == f"{loss}. That loss was accepted (accept_loss)"


def test_a_node_that_is_primary_alone_leaves_nothing_to_notice(clock: Clock) -> None:
    eyes = Eyes()
    eyes.receiver, eyes.recovering, eyes.old_is_primary = "", False, False
    watching = watch(eyes)
    watching.sees()
    assert told(watching.needs_none()) == "west.db1 is primary already: nothing is left to notice"
