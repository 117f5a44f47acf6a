"""What users believe about an operation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from users.outcome import Attempt, Reply, fold, no_reply, read_read, read_write

ATTEMPTS = st.lists(
    st.sampled_from(["ok", "local", "fail", "unknown"]).map(lambda outcome: Attempt(outcome)),
    min_size=1,
    max_size=4,
)


@given(ATTEMPTS)
def test_the_last_acknowledgement_settles_an_operation(attempts: list[Attempt]) -> None:
    last = attempts[-1].outcome
    assert (fold(attempts) in ("ok", "local")) == (last in ("ok", "local"))
    if last in ("ok", "local"):
        assert fold(attempts) == last


@given(ATTEMPTS)
def test_an_operation_fails_only_when_every_attempt_was_definite(attempts: list[Attempt]) -> None:
    if fold(attempts) == "fail":
        assert all(attempt.outcome != "unknown" for attempt in attempts)


@given(ATTEMPTS)
def test_an_indefinite_attempt_is_not_undone_by_later_failures(attempts: list[Attempt]) -> None:
    later = [*attempts, Attempt("unknown"), Attempt("fail"), Attempt("fail")]
    assert fold(later) == "unknown"


def test_an_operation_that_was_never_tried_failed() -> None:
    assert fold([]) == "fail"


def test_only_an_unanswered_write_may_have_been_done() -> None:
    assert [no_reply(kind) for kind in ("write", "read", "login")] == ["unknown", "fail", "fail"]


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    return Reply(status, headers, b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body", "outcome", "final"),
    [
        (201, {"outcome": "ok"}, "ok", True),
        (200, {"outcome": "ok"}, "ok", True),
        (202, {"outcome": "local"}, "local", True),
        (503, {"outcome": "fail"}, "fail", False),
        (504, {"outcome": "unknown"}, "unknown", False),
        (409, {"outcome": "fail"}, "fail", True),
        (401, {"outcome": "fail"}, "fail", False),  # log in again, then try again
        (404, None, "fail", True),
        (500, None, "unknown", False),  # a bug in the shop may come after the commit
        (502, None, "unknown", False),  # a proxy that lost its upstream
        (503, None, "unknown", False),  # not the shop's words
        (200, None, "unknown", False),
    ],
)
def test_the_answer_to_a_write(status: int, body: Any, outcome: str, final: bool) -> None:
    attempt = read_write(reply(status, body), "10.0.0.1")
    assert (attempt.outcome, attempt.final) == (outcome, final)
    assert (attempt.status, attempt.address) == (status, "10.0.0.1")
    assert (attempt.error is None) == (outcome == "ok")


def test_the_answer_to_a_write_says_where_it_is() -> None:
    body = {"outcome": "ok", "region": "west", "node": "west_db1", "timeline": 2, "xid": "7"}
    answer = read_write(reply(201, body), "10.0.0.1").answer
    assert (answer["region"], answer["node"], answer["timeline"]) == ("west", "west_db1", 2)


@given(st.integers(100, 599), st.binary(max_size=60))
def test_garbage_is_never_an_acknowledgement(status: int, body: bytes) -> None:
    assert read_write(Reply(status, {}, b"~" + body), "a").outcome in ("fail", "unknown")


def test_a_read_says_what_the_cache_had_where_a_cache_was_asked() -> None:
    headers = {"x-cache": "miss"}
    assert read_read(reply(200, {}, **headers), "a", by_key=False).cache == "miss"
    assert read_read(reply(200, {}), "a", by_key=False).cache is None


def test_an_order_that_is_not_found_is_an_answer() -> None:
    headers = {"x-region": "west", "x-node": "west_db1", "x-timeline": "3"}
    found = read_read(reply(200, {}, **headers), "a", by_key=True)
    missing = read_read(reply(404, {}, **headers), "a", by_key=True)
    assert (found.outcome, found.found) == ("ok", True)
    assert (missing.outcome, missing.found) == ("ok", False)
    assert found.answer == {"region": "west", "node": "west_db1", "timeline": 3}
    assert read_read(reply(200), "a", by_key=False).found is None
    assert read_read(reply(404), "a", by_key=False).outcome == "fail"
    assert read_read(reply(503), "a", by_key=True).found is None
