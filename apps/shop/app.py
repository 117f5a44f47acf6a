"""Puts the shop together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import Router
from starlette.types import ASGIApp

from appkit.log import Log, capture_libraries
from appkit.names import Server, is_address, system_server
from shop.cache import CatalogueCache
from shop.connect import Target
from shop.connection import sever_all
from shop.follow import Database
from shop.ready import ReadinessCheck
from shop.routes import Mode, Shop, routes
from shop.sessions import Sessions
from shop.settings import Settings
from shop.web import Admission, Stamp

# Seconds that callers wait beyond the limit of a statement, in which it is cancelled and its result
# heard.
AFTERWARDS = 0.5


def target(settings: Settings, role: str, host: str, size: int) -> Target:
    """The server that the pool for `role` connects to."""
    resolver: Server | None = settings.resolver
    if is_address(host):
        resolver = None
    elif resolver is None:
        resolver = system_server()
    return Target(
        role=role,
        host=host,
        port=settings.db_port,
        database=settings.db_name,
        user=settings.db_user,
        password=settings.db_password,
        application=settings.node,
        size=size,
        resolver=resolver,
        authority=settings.authority,
    )


def build_shop(settings: Settings, log: Log) -> Shop:
    """The shop's parts, not yet connected to anything."""
    mode = Mode(connections=settings.pool_size)
    size = settings.pool_size + settings.overload.reserved
    writer = Database(target(settings, "writer", settings.writer_host, size), log)
    # Reads of the own region end in a millisecond: a few connections serve hundreds a second.
    readers = max(settings.pool_size // 4, 2)
    reader = Database(target(settings, "reader", settings.reader_host, readers), log)
    return Shop(
        settings=settings,
        log=log,
        writer=writer,
        reader=reader,
        sessions=Sessions(settings.jwt_key),
        catalogue=CatalogueCache(settings, reader, log),
        readiness=ReadinessCheck(writer, settings.node, lambda: mode.read_only),
        mode=mode,
    )


def build_app(settings: Settings) -> ASGIApp:
    """The ASGI application."""
    log = Log("shop", region=settings.region, node=settings.node)
    capture_libraries(log)
    shop = build_shop(settings, log)

    @asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        shop.writer.start()
        shop.reader.start()
        log.event("started", port=settings.port)
        yield
        sever_all()
        await shop.catalogue.close()
        await shop.writer.stop()
        await shop.reader.stop()
        log.event("stopped")

    app = Router(routes=routes(shop), lifespan=lifespan)
    admission = Admission(
        app,
        settings.overload,
        lambda: shop.mode.connections,
        lambda: shop.writer.at_hand,
        shop.sessions.is_operator,
        settings.db_timeout + AFTERWARDS,
    )
    return Stamp(admission, settings.region, settings.node)
