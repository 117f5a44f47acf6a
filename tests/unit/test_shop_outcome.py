"""What the shop may say about a write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop.outcome import ERRORS, Outcome, http_status, says_unreplicated, success, verdict

CODES = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=5, max_size=5)
SEVERITIES = st.sampled_from(["ERROR", "FATAL", "PANIC"])


@given(CODES, SEVERITIES)
def test_a_write_is_never_called_failed_after_its_commit_was_announced(
    code: str, level: str
) -> None:
    assert verdict(code, level, unreplicated=True).outcome is Outcome.UNKNOWN


@given(CODES, st.sampled_from(["FATAL", "PANIC"]))
def test_an_error_that_ends_the_connection_is_indefinite(code: str, severity: str) -> None:
    assert verdict(code, severity, unreplicated=False).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("code", [None, ""])
def test_a_connection_that_breaks_without_a_word_is_indefinite(code: str | None) -> None:
    assert verdict(code, None, unreplicated=False).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("25006", Outcome.FAIL),  # a standby
        ("57014", Outcome.FAIL),  # cancelled before the commit
        ("40001", Outcome.FAIL),  # serialization failure
        ("40P01", Outcome.FAIL),  # deadlock
        ("23505", Outcome.FAIL),  # constraint
        ("53100", Outcome.FAIL),  # disk full
        ("40003", Outcome.UNKNOWN),  # statement completion unknown
        ("08006", Outcome.UNKNOWN),  # connection failure
        ("08007", Outcome.UNKNOWN),  # transaction resolution unknown
        ("57P01", Outcome.UNKNOWN),  # admin shutdown
        ("57P02", Outcome.UNKNOWN),  # crash shutdown
    ],
)
def test_an_error_of_a_living_server_means_what_its_code_says(code: str, outcome: Outcome) -> None:
    assert verdict(code, "ERROR", unreplicated=False).outcome is outcome


def test_every_row_of_the_table_says_why_and_is_never_a_success() -> None:
    assert all(row.why and row.outcome in (Outcome.FAIL, Outcome.UNKNOWN) for row in ERRORS)


@pytest.mark.parametrize(
    "text",
    [
        "canceling wait for synchronous replication due to user request",
        "canceling the wait for synchronous replication and terminating connection due to "
        "administrator command",
    ],
)
def test_both_warnings_of_a_cancelled_wait_are_heard(text: str) -> None:
    assert says_unreplicated("WARNING", text)
    assert not says_unreplicated("NOTICE", text)
    assert not says_unreplicated("WARNING", "there is no transaction in progress")
    assert not says_unreplicated(None, None)


def test_a_confirmed_commit_is_ok_only_when_it_was_replicated() -> None:
    assert success(unreplicated=False) is Outcome.OK
    assert success(unreplicated=True) is Outcome.LOCAL


def test_each_outcome_has_a_status_of_its_own() -> None:
    statuses = [http_status(outcome, created=True) for outcome in Outcome]
    assert statuses == [201, 202, 503, 504]
    assert http_status(Outcome.OK, created=False) == 200
