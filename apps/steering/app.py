"""Steering's control port."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appkit.log import Log, capture_libraries
from steering.checks import Checks
from steering.decide import WHOLE, Pin, Thresholds
from steering.events import Events
from steering.route import Route as Policy
from steering.route import parse
from steering.settings import Settings
from steering.steer import Steering

T = TypeVar("T")
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

LONGEST_NAME = 200  # of an operator
LONGEST_TTL = 60  # seconds
LONGEST = 60.0  # seconds that a threshold may span
SHORTEST = 0.05  # seconds from one check to the next: more checks are a load of their own
MOST = 100  # checks in a row
PACES = ("interval", "urgent")


def build_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    log = Log("steering", region=settings.region)
    capture_libraries(log)
    steering = Steering(settings, log)
    regions = tuple(settings.targets)
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    async def livez(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def state(request: Request) -> Response:
        clock = {"boot_id": boot_id, "monotonic": time.monotonic()}
        return JSONResponse({**clock, **steering.describe()})

    def pin(chosen: Pin | None) -> dict[str, object]:
        steering.pin(chosen)
        return {"pinned": chosen and chosen.region, "share": chosen and chosen.share}

    def ttl(chosen: int) -> dict[str, object]:
        steering.hold(chosen)
        return {"ttl": chosen}

    def thresholds(chosen: Thresholds) -> dict[str, object]:
        steering.judge_by(chosen)
        return {"thresholds": asdict(chosen)}

    def route(chosen: Policy) -> dict[str, object]:
        return {"changed": steering.follow(chosen), "route": chosen.document()}

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
            Route("/pin", _taking(partial(_pin, settings.targets), pin), methods=["POST"]),
            Route("/ttl", _taking(_ttl, ttl), methods=["POST"]),
            Route("/route", _taking(partial(parse, regions=regions), route), methods=["POST"]),
            Route("/thresholds", _taking(_thresholds, thresholds), methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _since(kept: Events | Checks) -> Endpoint:
    """Answers with what was kept after the number that the request names."""

    async def since(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return JSONResponse({"detail": "after must be a whole number"}, 400)
        return JSONResponse(kept.after(int(after)))

    return since


def _taking(parse: Callable[[Any], T], act: Callable[[T], dict[str, object]]) -> Endpoint:
    """Does what the body of a request says, unless that does not parse (ValueError)."""

    async def taking(request: Request) -> Response:
        try:
            chosen = parse(_parsed(await request.body()))
        except ValueError as problem:
            return JSONResponse({"detail": str(problem)}, 400)
        return JSONResponse(act(chosen))

    return taking


def _pin(regions: Collection[str], body: Any) -> Pin | None:
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


def _thresholds(body: Any) -> Thresholds:
    """The thresholds that a request asks for, which names them all. Raises ValueError."""
    usual = asdict(Thresholds())
    if not isinstance(body, dict) or body.keys() != usual.keys():
        raise ValueError(f"all of these must be there: {', '.join(usual)}")
    for name, value in body.items():
        counted = isinstance(usual[name], int)
        kinds, what = ((int,), "whole number") if counted else ((int, float), "number of seconds")
        least = 1 if counted else SHORTEST if name in PACES else 0
        most = MOST if counted else LONGEST
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise ValueError(f"{name} must be a {what}, {least:g} to {most:g}")
    return Thresholds(**body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
