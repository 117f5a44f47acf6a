"""Steering's control port."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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

    async def pin(request: Request) -> Response:
        chosen = _parsed(await request.body())
        if chosen not in [{"region": name} for name in (*settings.targets, None)]:
            known = " or ".join(settings.targets)
            return JSONResponse({"detail": f"region must be {known}, or null to unpin"}, 400)
        steering.pin(chosen["region"])
        return JSONResponse({"pinned": chosen["region"]})

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
            Route("/events", events),
            Route("/pin", pin, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
