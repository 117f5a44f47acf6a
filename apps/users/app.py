"""The control port of a population."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from appkit.log import Log, capture_libraries
from users.history import boot_id
from users.load import Load
from users.settings import Rates, RequestError, Run, Settings

AT_EXIT = 0.2  # seconds that operations under way get when the process is told to end


class Control:
    """The endpoints."""

    def __init__(self, load: Load, log: Log) -> None:
        self._load, self._log = load, log
        self._boot_id = boot_id()

    async def get_livez(self, request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def get_clock(self, request: Request) -> Response:
        return JSONResponse({"boot_id": self._boot_id, "monotonic": time.monotonic()})

    async def post_start(self, request: Request) -> Response:
        if self._load.busy:
            return _conflict("already running")
        run = Run.parse(await _body(request))
        logged_in = await self._load.start(run)
        self._log.event("run", users=run.users, logged_in=logged_in, seed=run.seed)
        return JSONResponse({"users": run.users, "logged_in": logged_in})

    async def post_rate(self, request: Request) -> Response:
        rates = Rates.parse(await _body(request))
        if not self._load.running:
            return _conflict("not running")
        self._load.change(rates)
        return JSONResponse({"writes_per_second": rates.writes, "reads_per_second": rates.reads})

    async def post_stop(self, request: Request) -> Response:
        await self._load.stop()
        return JSONResponse(
            {"operations": self._load.history.lines, "bytes": self._load.history.size}
        )

    async def post_clear(self, request: Request) -> Response:
        if self._load.busy:
            return _conflict("still running")
        self._load.history.clear()
        self._load.stats.clear()
        return JSONResponse({"operations": 0, "bytes": self._load.history.size})

    async def get_stats(self, request: Request) -> Response:
        clock = {"boot_id": self._boot_id, "monotonic": time.monotonic()}
        return JSONResponse({**clock, **self._load.describe()})

    async def get_history(self, request: Request) -> Response:
        try:
            offset = int(request.query_params.get("offset", "0"))
        except ValueError:
            offset = -1
        if offset < 0:
            raise RequestError("offset must be a whole number of at least 0")
        return StreamingResponse(self._load.history.read(offset), media_type="application/x-ndjson")


def _conflict(detail: str) -> Response:
    return JSONResponse({"detail": detail}, 409)


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise RequestError("the body must be JSON") from None


async def _refused(request: Request, problem: Exception) -> Response:
    return JSONResponse({"detail": str(problem)}, 400)


def build_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    log = Log("users", population=settings.population)
    capture_libraries(log)
    load = Load(settings)
    control = Control(load, log)
    rows: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
        ("GET", "/livez", control.get_livez),
        ("GET", "/clock", control.get_clock),
        ("GET", "/stats", control.get_stats),
        ("GET", "/history", control.get_history),
        ("POST", "/start", control.post_start),
        ("POST", "/rate", control.post_rate),
        ("POST", "/stop", control.post_stop),
        ("POST", "/clear", control.post_clear),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.event("started", port=settings.port)
        yield
        await load.stop(AT_EXIT)
        log.event("stopped", operations=load.history.lines)

    return Starlette(
        routes=[Route(path, handler, methods=[method]) for method, path, handler in rows],
        lifespan=lifespan,
        exception_handlers={RequestError: _refused},
    )
