"""What may be said about a write, given how its statement ended.

    ok       committed, and the standby that the primary waits for has it
    local    committed, but the wait for the standby was cancelled: a failover may lose it
    fail     definitely not done
    unknown  it may have been done; only looking can tell

Errors are *definite* or *indefinite*, as in Jepsen and Maelstrom (`resources/errors.edn`). Calling
an indefinite one `fail` is a lie that a failover drill finds out, so whatever is not proven to be
definite is `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The four things a write can end in."""

    OK = "ok"
    LOCAL = "local"
    FAIL = "fail"
    UNKNOWN = "unknown"


# What both warnings of PostgreSQL's SyncRepWaitForLSN() have in common. They carry no SQLSTATE
# of their own, so the text is all there is; the server's lc_messages must be C.
_CANCELLED_WAIT = "wait for synchronous replication"


def says_unreplicated(severity: str | None, message: str | None) -> bool:
    """True for the warning that a commit stopped waiting for its synchronous standby."""
    return severity == "WARNING" and _CANCELLED_WAIT in (message or "")


@dataclass(frozen=True)
class Verdict:
    """A row of the table below."""

    sqlstate: str
    outcome: Outcome
    why: str


# Looked up by the longest prefix. An ERROR that the server sends ends the transaction without a
# commit; the exceptions are the codes by which a server or proxy says that it does not know.
ERRORS: tuple[Verdict, ...] = (
    Verdict("", Outcome.FAIL, "the server refused the statement, nothing was committed"),
    Verdict("08", Outcome.UNKNOWN, "the connection broke"),
    Verdict("40003", Outcome.UNKNOWN, "the server does not know whether it completed"),
    Verdict("57P01", Outcome.UNKNOWN, "an administrator ended the connection"),
    Verdict("57P02", Outcome.UNKNOWN, "the server crashed"),
    Verdict("57P05", Outcome.UNKNOWN, "the server ended an idle session"),
    Verdict("25006", Outcome.FAIL, "the node is a standby or read-only"),
    Verdict("57014", Outcome.FAIL, "cancelled before the commit"),
)


def verdict(sqlstate: str | None, severity: str | None, *, unreplicated: bool) -> Verdict:
    """What an error after sending a statement says about it.

    `sqlstate` and `severity` are the server's, None when nothing came from it. `unreplicated`:
    the cancelled-wait warning came before the error, so a commit did happen on that node.
    """
    if unreplicated:
        return Verdict("", Outcome.UNKNOWN, "committed on one node, then the connection broke")
    if not sqlstate:
        return Verdict("", Outcome.UNKNOWN, "the connection broke after the statement was sent")
    if severity in ("FATAL", "PANIC"):
        # It ends the connection, and may have been raised after the commit.
        return Verdict(sqlstate, Outcome.UNKNOWN, "the server ended the connection")
    matching = (row for row in ERRORS if sqlstate.startswith(row.sqlstate))
    return max(matching, key=lambda row: len(row.sqlstate))


def success(*, unreplicated: bool) -> Outcome:
    """The outcome of a statement whose commit was confirmed."""
    return Outcome.LOCAL if unreplicated else Outcome.OK


def http_status(outcome: Outcome, *, created: bool) -> int:
    """The status that carries `outcome`."""
    if outcome is Outcome.OK:
        return 201 if created else 200
    return {Outcome.LOCAL: 202, Outcome.FAIL: 503, Outcome.UNKNOWN: 504}[outcome]
