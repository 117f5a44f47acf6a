"""Runs an ASGI application until SIGTERM, and then ends within a second."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from appkit.control import Guarded
from appkit.env import Env, SettingError
from appkit.log import to_stderr
from appkit.tls import Identity, identity

# Seconds that requests in flight get after SIGTERM. The sum with uvicorn's own two waits of 0.1 s
# stays below one second, after which an orchestrator may lose its patience.
GRACE = 0.4

# Longer than any client of the lab keeps an idle connection: the side that closes first must be
# the client. A server that closes while a request is on its way makes a write's outcome unknown.
KEEP_ALIVE = 75


def serve(app: ASGIApp, port: int, proof: Identity | None = None) -> None:
    """Serve `app` on all addresses until SIGTERM or SIGINT; with a proof of identity, by TLS."""
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 — a container: which networks reach it is decided outside
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ssl_certfile=proof.certificate if proof else None,
        ssl_keyfile=proof.key if proof else None,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.timeout_graceful_shutdown = GRACE  # type: ignore[assignment]  # waits take fractions too
    uvicorn.Server(config).run()


def main(build: Callable[[Env], tuple[ASGIApp, int]]) -> None:
    """Entry point of a program; `build` gives the application and its port.

    With CONTROL_TOKEN set it answers only requests that carry it, and health checks. A bad setting
    ends it with one line and code 2.
    """
    try:
        env = Env()
        app, port = build(env)
        token = env.text("CONTROL_TOKEN", "")
        proof = identity(env)
    except SettingError as problem:
        to_stderr(f"setting: {problem}")
        sys.exit(2)
    serve(Guarded(app, token) if token else app, port, proof)
