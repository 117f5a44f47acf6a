"""What a user may believe about an operation, given the answers to its attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "local", "fail", "unknown"]
Kind = Literal["write", "read", "login"]

_OUTCOMES: Mapping[object, Outcome] = {
    "ok": "ok",
    "local": "local",
    "fail": "fail",
    "unknown": "unknown",
}


@dataclass(frozen=True)
class Attempt:
    """One attempt, as far as the user saw it.

    `outcome` is of this attempt alone: `unknown` when a write was sent and nothing definite came
    back. `final`: another attempt cannot change the answer.
    """

    outcome: Outcome
    final: bool = False
    status: int | None = None
    address: str | None = None
    request_id: str | None = None
    error: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    found: bool | None = None
    cache: str | None = None  # what the region's cache had of it: hit, miss or down


def fold(attempts: Sequence[Attempt]) -> Outcome:
    """The outcome of an operation whose attempts all carried the same key.

    An acknowledgement by the last attempt settles it. Otherwise one attempt that may have been
    carried out makes the whole operation uncertain, whatever the later ones said: a definite
    failure of the second attempt says nothing about the first.
    """
    if attempts and attempts[-1].outcome in ("ok", "local"):
        return attempts[-1].outcome
    return "unknown" if any(attempt.outcome == "unknown" for attempt in attempts) else "fail"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def no_reply(kind: Kind) -> Outcome:
    """The outcome of an attempt that was sent and not answered: a write may have been done, an
    unanswered read simply failed."""
    return "unknown" if kind == "write" else "fail"


def read_write(reply: Reply, address: str) -> Attempt:
    """What the answer to an order says.

    The shop states the outcome in the body. Without that a 4xx is definite; anything else came
    from somebody who cannot know what happened behind him.
    """
    answer = _json(reply.body)
    client_error = 400 <= reply.status < 500
    outcome = _OUTCOMES.get(answer.get("outcome"), "fail" if client_error else "unknown")
    final = outcome in ("ok", "local") or (client_error and reply.status != 401)
    return Attempt(
        outcome,
        final,
        reply.status,
        address,
        reply.headers.get("x-request-id"),
        None if outcome == "ok" else str(answer.get("detail") or f"status {reply.status}"),
        {**_where(reply), **answer},
    )


def read_read(reply: Reply, address: str, *, by_key: bool) -> Attempt:
    """What the answer to a read says; "not found" is an answer too."""
    missing = by_key and reply.status == 404
    ok = reply.status == 200 or missing
    return Attempt(
        "ok" if ok else "fail",
        ok or (400 <= reply.status < 500 and reply.status != 401),
        reply.status,
        address,
        reply.headers.get("x-request-id"),
        None if ok else str(_json(reply.body).get("detail") or f"status {reply.status}"),
        _where(reply),
        (not missing) if by_key and ok else None,
        reply.headers.get("x-cache"),
    )


def _where(reply: Reply) -> dict[str, Any]:
    timeline = reply.headers.get("x-timeline", "")
    return {
        "region": reply.headers.get("x-region"),
        "node": reply.headers.get("x-node"),
        "timeline": int(timeline) if timeline.isdecimal() else None,
    }


def _json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body.decode())
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
