"""Who may use a control port: the lab's tool, which has its token. A health check needs none."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_FOR_ALL = "/livez"


class Guarded:
    """An ASGI application that answers only requests with `Authorization: Bearer TOKEN`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 401."""
        if scope["type"] != "http" or scope["path"] == _FOR_ALL or self._knows(scope):
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"detail": "a control token is needed"}, 401)(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = Headers(scope=scope).get("authorization", "")
        return hmac.compare_digest(given.encode(), self._wanted)
