"""The control port of the stopwatch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from appkit.log import Log, capture_libraries
from stopwatch.settings import Settings
from stopwatch.watch import CannotStartError, Watch

AT_EXIT = 0.2  # seconds that attempts under way get when the process is told to end


class Control:
    """The endpoints."""

    def __init__(self, watch: Watch, log: Log) -> None:
        self._watch, self._log = watch, log

    async def get_livez(self, request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def post_start(self, request: Request) -> Response:
        if self._watch.busy:
            return JSONResponse({"detail": "already running"}, 409)
        try:
            await self._watch.start()
        except CannotStartError as problem:
            return JSONResponse({"detail": str(problem)}, 503)
        self._log.event("run", interval=self._watch.settings.interval)
        return JSONResponse(self._watch.describe())

    async def post_stop(self, request: Request) -> Response:
        await self._watch.stop()
        return JSONResponse(self._watch.describe())

    async def post_clear(self, request: Request) -> Response:
        if self._watch.busy:
            return JSONResponse({"detail": "still running"}, 409)
        self._watch.record.clear()
        return JSONResponse(self._watch.describe())

    async def get_record(self, request: Request) -> Response:
        return StreamingResponse(self._watch.record.parts(), media_type="application/x-ndjson")


def build_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    log = Log("stopwatch")
    capture_libraries(log)
    watch = Watch(settings)
    control = Control(watch, log)
    rows: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
        ("GET", "/livez", control.get_livez),
        ("GET", "/record", control.get_record),
        ("POST", "/start", control.post_start),
        ("POST", "/stop", control.post_stop),
        ("POST", "/clear", control.post_clear),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.event("started", port=settings.port)
        yield
        await watch.stop(AT_EXIT)
        log.event("stopped", attempts=watch.record.attempts)

    return Starlette(
        routes=[Route(path, handler, methods=[method]) for method, path, handler in rows],
        lifespan=lifespan,
    )
