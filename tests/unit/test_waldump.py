"""pg_waldump's text becomes commits, or an error: never a list that silently lacks some."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import LabError
from lab.metrics.waldump import Commit, parse, short_xid

END = (
    "pg_waldump: error: error in WAL record at 0/8FB73A0: "
    "invalid record length at 0/8FB73D8: expected at least 24, got 0"
)
NOTHING = "pg_waldump: error: could not find a valid record after 0/2187640"
SKIPPED = "pg_waldump: first record is after 0/5A00108, at 0/5A00110, skipping over 8 bytes"
STAMP = "2026-11-21 14:40:21.288092 UTC"


def record(xid: int, lsn: str = "0/00856C88", desc: str = f"COMMIT {STAMP}") -> str:
    """One line as pg_waldump 17 prints it."""
    return (
        f"rmgr: Transaction len (rec/tot):     34/    34, tx: {xid:>10}, lsn: {lsn},"
        f" prev 0/00856C38, desc: {desc} "
    ).rstrip(" ")


def dump(*lines: str, end: str = END) -> str:
    return "\n".join([*lines, end]) + "\n"


def test_a_commit_has_its_timeline_xid_lsn_and_moment() -> None:
    at = datetime(2026, 11, 21, 14, 40, 21, 288092, UTC)
    assert parse(dump(record(690)), 3) == (Commit(3, 690, 0x856C88, at),)


def test_what_follows_the_moment_of_a_commit_does_not_matter() -> None:
    line = record(640, desc=f"COMMIT {STAMP}; inval msgs: catcache 80 catcache 79; sync")
    assert [commit.xid for commit in parse(dump(line), 1)] == [640]


@pytest.mark.parametrize(
    "desc", [f"ABORT {STAMP}", "INVALIDATION ; inval msgs: catcache 55", "ASSIGNMENT xtop 7: 8"]
)
def test_transactions_that_did_not_commit_are_left_out(desc: str) -> None:
    assert [c.xid for c in parse(dump(record(1, desc=desc), record(2)), 1)] == [2]


def test_lines_of_nothing_are_no_records() -> None:
    assert [c.xid for c in parse("\n" + dump(record(1), " ", record(2)), 1)] == [1, 2]


def test_what_has_no_end_is_refused_with_its_last_words() -> None:
    for text, last in (("", "nothing"), (record(1) + "\nsh: not found\n", "sh: not found")):
        with pytest.raises(LabError, match=f"it said last: {last}"):
            parse(text, 1)


def test_a_log_that_ends_at_the_fork_has_no_commits() -> None:
    assert parse(dump(end=NOTHING), 1) == ()


def test_a_start_inside_a_page_header_is_fine() -> None:
    assert len(parse(dump(SKIPPED, record(1)), 1)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        record(1) + "\n",
        dump(record(1), end='pg_waldump: error: could not find file "000000010000000000000014"'),
        "sh: 1: pg_waldump: not found\n",
        dump(record(1), "something new"),
        dump(record(1, desc=f"COMMIT_PREPARED {STAMP}")),
        dump(record(1, desc="COMMIT 2026-11-21 14:40:21.288092 CET")),
        dump(record(1, desc="COMMIT")),
        dump(record(1)[:60]),
        dump(record(1), END),
    ],
)
def test_what_is_not_understood_is_an_error_and_no_shorter_list(text: str) -> None:
    with pytest.raises(LabError, match="pg_waldump"):
        parse(text, 1)


@given(st.lists(st.tuples(st.integers(3, 2**32 - 1), st.integers(0, 2**63 - 1))))
def test_every_commit_is_found_in_its_order(wanted: list[tuple[int, int]]) -> None:
    lines = [record(xid, f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:08X}") for xid, lsn in wanted]
    assert [(commit.xid, commit.lsn) for commit in parse(dump(*lines), 1)] == wanted


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_the_epoch_of_an_acknowledged_xid_is_not_in_the_log(epoch: int, xid: int) -> None:
    assert short_xid(str((epoch << 32) + xid)) == xid
