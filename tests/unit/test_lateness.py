"""What a gateway is asked to hold, when this machine's timers hold longer than they are asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.infra.linkstates import Lateness, Toxic

streams = st.sampled_from(["upstream", "downstream"])


@given(st.integers(0, 8), st.integers(8, 10_000), streams)
def test_what_a_gateway_tells_is_what_was_wanted(late: int, wanted: int, stream: str) -> None:
    lateness = Lateness(late)
    toxic = Toxic("delay", "latency", stream, {"latency": wanted, "jitter": 5})
    assert lateness.meant(lateness.asked(toxic)) == toxic


@given(st.integers(0, 8), st.integers(4, 10_000), st.integers(4, 10_000))
def test_both_ways_together_ask_for_as_much_less_as_timers_are_late(
    late: int, there: int, back: int
) -> None:
    lateness = Lateness(late)
    asked = lateness.to_ask(there, "upstream") + lateness.to_ask(back, "downstream")
    assert asked == there + back - late


def test_no_answer_is_asked_for_before_the_question() -> None:
    assert Lateness(8).to_ask(1, "downstream") == 0


def test_what_is_no_delay_is_passed_on_as_it_is() -> None:
    toxic = Toxic("bandwidth", "bandwidth", "upstream", {"rate": 64})
    assert Lateness(8).asked(toxic) == toxic == Lateness(8).meant(toxic)
