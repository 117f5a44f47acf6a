"""What every answer of the shop has in common: its headers, and how problems are told."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.orders import RefusedError
from shop.outcome import Outcome, http_status
from shop.sessions import SessionError
from shop.statement import StatementError

Handler = Callable[[Request], Awaitable[Response]]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Stamp:
    """Adds X-Region, X-Request-Id and, where no database was asked, X-Node to each answer."""

    def __init__(self, app: ASGIApp, region: str, node: str) -> None:
        self._app = app
        self._region = (b"x-region", region.encode())
        self._node = (b"x-node", node.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _incoming_id(scope) or os.urandom(8).hex().encode()
        scope["request_id"] = request_id.decode()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                headers += [self._region, (b"x-request-id", request_id)]
                if not any(name == b"x-node" for name, _ in headers):
                    headers.append(self._node)
            await send(message)

        await self._app(scope, receive, stamped)


class Admission:
    """Refuses requests at once while as many others are under way as `limit` says now.

    A queue that grows in an outage is worth nothing: its callers have given up, and working it
    off keeps the shop busy with the dead long after the cause is gone. Refused before anything
    was done, so the outcome is `fail`. Operators and health checks are let in.
    """

    _ALWAYS = ("/livez", "/readyz", "/admin")

    def __init__(self, app: ASGIApp, limit: Callable[[], int]) -> None:
        self._app, self._limit, self._inside = app, limit, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._limit():
            await _overloaded(scope)(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1


def _overloaded(scope: Scope) -> Response:
    content = {
        "outcome": Outcome.FAIL.value,
        "detail": "too many requests are under way",
        "request_id": scope["request_id"],
    }
    return JSONResponse(content, 503)


def _incoming_id(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return bytes(value)
    return None


def request_id(request: Request) -> str:
    """The id under which this request is answered and logged."""
    return str(request.scope["request_id"])


def place_headers(node: str | None, timeline: int | None = None) -> dict[str, str]:
    """Headers that say which database node answered."""
    headers = {"X-Node": node} if node else {}
    if timeline is not None:
        headers["X-Timeline"] = str(timeline)
    return headers


async def body_of(request: Request) -> Any:
    """The request's JSON. Raises `RefusedError` when it is none."""
    try:
        return json.loads(await request.body())
    except ValueError:
        raise RefusedError(400, "the body must be JSON") from None


def told(handler: Handler) -> Handler:
    """Turns the shop's exceptions into answers.

    A refusal is definite: nothing was written, so its outcome is `fail`.
    """

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except SessionError as problem:
            return _problem(request, 401, Outcome.FAIL, str(problem))
        except RefusedError as refusal:
            return _problem(request, refusal.status, Outcome.FAIL, refusal.detail)
        except StatementError as failure:
            status = http_status(failure.outcome, created=False)
            return _problem(request, status, failure.outcome, failure.detail, failure.node)

    return wrapped


def _problem(
    request: Request, status: int, outcome: Outcome, detail: str, node: str = ""
) -> Response:
    content = {"outcome": outcome.value, "detail": detail, "request_id": request_id(request)}
    return JSONResponse(content, status, place_headers(node))
