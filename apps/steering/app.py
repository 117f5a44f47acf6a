"""Steering's control port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appkit.log import Log, capture_libraries
from steering.settings import Settings
from steering.steer import Steering


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

    async def events(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return JSONResponse({"detail": "after must be a whole number"}, 400)
        return JSONResponse(steering.events.after(int(after)))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        steering.start()
        log.event("started", port=settings.port)
        yield
        await steering.stop()
        log.event("stopped")

    return Starlette(
        routes=[Route("/livez", livez), Route("/state", state), Route("/events", events)],
        lifespan=lifespan,
    )
