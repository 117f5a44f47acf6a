"""What every answer of the shop has in common: its headers, and how problems are told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.admission import Line, Policy
from shop.orders import RefusedError
from shop.outcome import Outcome, http_status
from shop.sessions import SessionError
from shop.statement import StatementError

Waiter: TypeAlias = "asyncio.Future[bool]"
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
    """Begins a request when there is a slot for it, or refuses it.

    What is refused was not begun, so its outcome is `fail`. Operators and health checks are let
    in always.
    """

    _ALWAYS = ("/livez", "/readyz", "/admin")
    _WRITES = (("POST", "/orders"), ("POST", "/signup"))

    def __init__(
        self,
        app: ASGIApp,
        policy: Policy,
        connections: Callable[[], int],
        at_hand: Callable[[], int],
        is_operator: Callable[[str], bool],
        patience: float,
    ) -> None:
        """`connections` to the writer at most, and how many are `at_hand`; `patience`: seconds
        that a caller waits who does not say how long."""
        self._app, self._policy = app, policy
        self._connections, self._at_hand = connections, at_hand
        self._is_operator, self._patience = is_operator, patience
        self._writes, self._reads = Line[Waiter](), Line[Waiter]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._ALWAYS):
            await self._app(scope, receive, send)
            return
        line = self._writes if (scope["method"], scope["path"]) in self._WRITES else self._reads
        deadline = self._deadline(scope)
        if not line.begins(self._slots(line)):
            if self._is_operator(_header(scope, b"authorization")):
                await self._app(scope, receive, send)
                return
            if not await self._slot(line, deadline):
                await _refuse(scope, send, b"overloaded: too many requests are under way")
                return
        try:
            await self._begin(line, deadline, scope, receive, send)
        finally:
            self._free(line)

    async def _begin(
        self, line: Line[Waiter], deadline: float, scope: Scope, receive: Receive, send: Send
    ) -> None:
        began = time.monotonic()
        if self._policy.deadlines and not line.in_time(deadline, began):
            await _refuse(scope, send, b"overloaded: no time is left before the deadline")
            return
        scope["deadline"] = deadline
        try:
            await self._app(scope, receive, send)
        finally:
            line.learn(time.monotonic() - began)

    def _free(self, line: Line[Waiter]) -> None:
        for waiter in line.leave(self._slots(line)):
            if not _tell(waiter, begin=True):
                self._free(line)

    def _slots(self, line: Line[Waiter]) -> int:
        if line is self._writes:
            return self._policy.order_slots(self._connections(), self._at_hand())
        return self._policy.slots * self._connections()

    def _deadline(self, scope: Scope) -> float:
        """When the caller gives up, in monotonic seconds; a caller can only shorten it."""
        left = self._patience
        if self._policy.deadlines and (said := _header(scope, b"x-deadline")):
            with suppress(ValueError):
                left = min(left, float(said) - time.time())
        return time.monotonic() + left

    async def _slot(self, line: Line[Waiter], deadline: float) -> bool:
        """Wait for a slot; True when there is one for this request."""
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        if refused := line.wait(waiter, self._policy.room * self._connections()):
            _tell(refused, begin=False)
        left = deadline - line.typical - time.monotonic()
        timer = loop.call_later(max(left, 0.0), _tell, waiter, False)
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result():
                self._free(line)
            raise
        finally:
            timer.cancel()
            line.withdraw(waiter)


def _tell(waiter: Waiter, begin: bool) -> bool:
    """Let a waiting request begin, or refuse it; False when it has been told already."""
    if waiter.done():
        return False
    waiter.set_result(begin)
    return True


async def _refuse(scope: Scope, send: Send, why: bytes) -> None:
    """Answer with as little work as can be: in an overload this is what is done most often.

    `Retry-After` tells the caller that only the load is to blame.
    """
    identity = scope["request_id"].encode()
    body = b'{"outcome":"fail","detail":"%s","request_id":"%s"}' % (why, identity)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, wanted: bytes) -> str:
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""


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


class Told:
    """An endpoint that turns the shop's exceptions into answers.

    A refusal is definite: nothing was written, so its outcome is `fail`. An application by itself,
    because what Starlette puts around a function costs as much as all that the shop does.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._handler(request)
        except SessionError as problem:
            response = _problem(request, 401, Outcome.FAIL, str(problem))
        except RefusedError as refusal:
            response = _problem(request, refusal.status, Outcome.FAIL, refusal.detail)
        except StatementError as failure:
            status = http_status(failure.outcome, created=False)
            response = _problem(request, status, failure.outcome, failure.detail, failure.node)
        await response(scope, receive, send)


class Json(JSONResponse):
    """An answer in JSON; the library would make an encoder for each."""

    _encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def render(self, content: Any) -> bytes:
        return self._encoder.encode(content).encode()


def _problem(
    request: Request, status: int, outcome: Outcome, detail: str, node: str = ""
) -> Response:
    content = {"outcome": outcome.value, "detail": detail, "request_id": request_id(request)}
    return Json(content, status, place_headers(node))
