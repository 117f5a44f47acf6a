"""Steering's control port."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appkit.log import Log, capture_libraries
from steering.checks import Checks
from steering.decide import WHOLE, Pin
from steering.events import Events
from steering.settings import Settings
from steering.steer import Steering

LONGEST_NAME = 200  # of an operator
LONGEST_TTL = 60  # seconds


def build_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    log = Log("steering", region=settings.region)
    capture_libraries(log)
    steering = Steering(settings, log)
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    async def livez(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def state(request: Request) -> Response:
        clock = {"boot_id": boot_id, "monotonic": time.monotonic()}
        return JSONResponse({**clock, **steering.describe()})

    async def pin(request: Request) -> Response:
        try:
            chosen = _pin(_parsed(await request.body()), settings.targets)
        except ValueError as problem:
            return JSONResponse({"detail": str(problem)}, 400)
        steering.pin(chosen)
        return JSONResponse(
            {"pinned": chosen.region if chosen else None, "share": chosen.share if chosen else None}
        )

    async def ttl(request: Request) -> Response:
        try:
            chosen = _ttl(_parsed(await request.body()))
        except ValueError as problem:
            return JSONResponse({"detail": str(problem)}, 400)
        steering.hold(chosen)
        return JSONResponse({"ttl": chosen})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        steering.start()
        log.event("started", port=settings.port)
        yield
        await steering.stop()
        log.event("stopped")

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/state", state),
            Route("/events", _since(steering.events)),
            Route("/checks", _since(steering.checks)),
            Route("/pin", pin, methods=["POST"]),
            Route("/ttl", ttl, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _since(kept: Events | Checks) -> Callable[[Request], Awaitable[Response]]:
    """Answers with what was kept after the number that the request names."""

    async def since(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return JSONResponse({"detail": "after must be a whole number"}, 400)
        return JSONResponse(kept.after(int(after)))

    return since


def _pin(body: Any, regions: Collection[str]) -> Pin | None:
    """The pin that a request asks for. Raises ValueError."""
    if body == {"region": None}:
        return None
    known = " or ".join(regions)
    if not isinstance(body, dict) or not {"region"} <= body.keys() <= {"region", "share", "by"}:
        raise ValueError(f"region must be {known}, or null to unpin; share may be 1 to {WHOLE}")
    region, share, by = body["region"], body.get("share", WHOLE), body.get("by", "")
    if not isinstance(region, str) or region not in regions:
        raise ValueError(f"region must be {known}, or null to unpin")
    if isinstance(share, bool) or not isinstance(share, int) or not 1 <= share <= WHOLE:
        raise ValueError(f"share must be a whole number of per cent, 1 to {WHOLE}")
    if not isinstance(by, str) or len(by) > LONGEST_NAME:
        raise ValueError(f"by must be a text of at most {LONGEST_NAME} characters")
    return Pin(region, share, by)


def _ttl(body: Any) -> int:
    """The seconds that a request asks for. Raises ValueError."""
    seconds = body.get("seconds") if isinstance(body, dict) and len(body) == 1 else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= LONGEST_TTL:
        raise ValueError(f"seconds must be a whole number, 1 to {LONGEST_TTL}")
    return seconds


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
