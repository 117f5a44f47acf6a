"""The shop's endpoints."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from appkit.log import Log
from shop import accounts, orders
from shop.cache import CatalogueCache
from shop.follow import Database
from shop.openapi import DOCUMENT, PAGE
from shop.orders import Order, Placed, RefusedError, parse_order
from shop.outcome import Outcome, http_status
from shop.ready import ReadinessCheck
from shop.sessions import OPERATOR, Session, Sessions
from shop.settings import MOST_CONNECTIONS, Settings
from shop.statement import StatementError
from shop.web import Handler, Json, Told, body_of, place_headers, request_id

LONGEST_NAME = 200  # of an operator
MARKET = re.compile(r"[a-z]{1,16}")


@dataclass
class Mode:
    """What a runbook may switch while the shop runs."""

    connections: int  # to the writer, at most
    read_only: bool = False
    since: float | None = None  # of read-only mode: a time of day, in seconds since 1970
    by: str = ""  # who switched it on, in that operator's words

    def switch(self, enabled: bool, by: str) -> None:
        """Refuse customers or take their orders; refusing goes on under the latest name."""
        began = self.since if self.read_only else time.time()
        self.read_only, self.since = enabled, began if enabled else None
        self.by = by if enabled else ""


@dataclass
class Shop:
    """The parts that endpoints use."""

    settings: Settings
    log: Log
    writer: Database
    reader: Database
    sessions: Sessions
    catalogue: CatalogueCache
    readiness: ReadinessCheck
    mode: Mode

    # Orders

    async def post_order(self, request: Request) -> Response:
        session = self._session(request)
        key = request.headers.get("idempotency-key")
        order = parse_order(key, session.name, await body_of(request))
        try:
            if session.role != OPERATOR:  # who tries it out before customers may write again
                self._refuse_when_read_only()
            placed = await orders.place(
                self.writer, order, self.settings.region, self._limit(request)
            )
        except RefusedError as refusal:
            return self._not_placed(request, order, refusal.status, Outcome.FAIL, refusal.detail)
        except StatementError as failure:
            status = http_status(failure.outcome, created=False)
            return self._not_placed(
                request, order, status, failure.outcome, failure.detail, failure.node
            )
        return self._placed(request, order, placed)

    def _placed(self, request: Request, order: Order, placed: Placed) -> Response:
        detail = ""
        if placed.outcome is Outcome.OK:
            self.readiness.learn(placed.node, placed.timeline)
        if placed.outcome is Outcome.LOCAL:
            detail = "committed on one node; the wait for its standby was cancelled"
            self.log.event("order.local", request_id=request_id(request), key=order.key)
        content = {
            "outcome": placed.outcome.value,
            "key": order.key,
            "order_id": placed.order_id,
            "created": placed.created,
            "region": self.settings.region,
            "node": placed.node,
            "timeline": placed.timeline,
            "xid": placed.xid,
            "lsn": placed.lsn,
            "request_id": request_id(request),
            "detail": detail,
        }
        status = http_status(placed.outcome, created=placed.created)
        return Json(content, status, place_headers(placed.node, placed.timeline))

    def _not_placed(
        self,
        request: Request,
        order: Order,
        status: int,
        outcome: Outcome,
        why: str,
        node: str = "",
    ) -> Response:
        identity = request_id(request)
        if outcome is Outcome.UNKNOWN:
            self.log.event("order.unknown", request_id=identity, key=order.key, detail=why)
        else:
            self.log.seldom("order.fail", request_id=identity, key=order.key, detail=why)
        content = {
            "outcome": outcome.value,
            "key": order.key,
            "order_id": None,
            "created": False,
            "region": self.settings.region,
            "node": node or None,
            "timeline": None,
            "xid": None,
            "lsn": None,
            "request_id": identity,
            "detail": why,
        }
        return Json(content, status, place_headers(node))

    async def get_order(self, request: Request) -> Response:
        session = self._session(request)
        key = request.path_params["key"]
        parameters = (key, session.name)
        done = await self.reader.execute(orders.ONE, parameters, self._limit(request))
        headers = place_headers(done.node)
        if not done.rows:
            return Json({"found": False, "key": key}, 404, headers)
        return Json({"found": True, **orders.order_json(done.rows[0])}, headers=headers)

    async def get_orders(self, request: Request) -> Response:
        session = self._session(request)
        done = await self.reader.execute(orders.MINE, (session.name,), self._limit(request))
        rows = [orders.order_json(row) for row in done.rows]
        return Json({"orders": rows}, headers=place_headers(done.node))

    async def get_catalogue(self, request: Request) -> Response:
        found = await self.catalogue.read(self._market(request))
        headers = {"X-Cache": found.cache, **place_headers(found.node)}
        return Response(found.body, media_type="application/json", headers=headers)

    # Customers

    async def post_signup(self, request: Request) -> Response:
        name, password = accounts.parse_credentials(await body_of(request))
        self._refuse_when_read_only()
        outcome = await accounts.sign_up(self.writer, name, password, self._limit(request))
        content = {"outcome": outcome.value, "username": name, "request_id": request_id(request)}
        return Json(content, http_status(outcome, created=True))

    async def post_login(self, request: Request) -> Response:
        name, password = accounts.parse_credentials(await body_of(request))
        limit = self._limit(request)
        if not await accounts.log_in(self.reader, self.writer, name, password, limit):
            raise RefusedError(401, "wrong name or password")
        return Json({"token": self.sessions.issue(name)})

    # Operators and orchestrators

    async def get_mode(self, request: Request) -> Response:
        mode = self.mode
        return Json({"read_only": mode.read_only, "since": mode.since, "by": mode.by})

    async def post_read_only(self, request: Request) -> Response:
        self._refuse_all_but_operators(request)
        body = await body_of(request)
        enabled = body.get("enabled") if isinstance(body, dict) else None
        by = body.get("by", "") if isinstance(body, dict) else None
        if not isinstance(enabled, bool):
            raise RefusedError(400, "enabled must be true or false")
        if not isinstance(by, str) or len(by) > LONGEST_NAME:
            raise RefusedError(400, f"by must be a text of at most {LONGEST_NAME} characters")
        if enabled != self.mode.read_only:
            self.log.event("mode", read_only=enabled, by=by, request_id=request_id(request))
        self.mode.switch(enabled, by)
        return await self.get_mode(request)

    async def get_capacity(self, request: Request) -> Response:
        return Json({"connections": self.mode.connections})

    async def post_capacity(self, request: Request) -> Response:
        self._refuse_all_but_operators(request)
        connections = _connections(await body_of(request))
        if connections != self.mode.connections:
            self.mode.connections = connections
            await self.writer.resize(connections + self.settings.overload.reserved)
            self.log.event("capacity", connections=connections, request_id=request_id(request))
        return await self.get_capacity(request)

    async def get_livez(self, request: Request) -> Response:
        return Json({"alive": True})

    async def get_readyz(self, request: Request) -> Response:
        found = await self.readiness.ask()
        content = {
            "ready": found.ready,
            "reason": found.reason,
            "node": found.node,
            "timeline": found.timeline,
            "writer": self.writer.reach,
        }
        headers = place_headers(found.node, found.timeline)
        return Json(content, 200 if found.ready else 503, headers)

    async def get_openapi(self, request: Request) -> Response:
        return Json(DOCUMENT)

    async def get_docs(self, request: Request) -> Response:
        return HTMLResponse(PAGE)

    def _limit(self, request: Request) -> float:
        """Seconds for a statement: never longer than its caller waits for it."""
        limit, deadline = self.settings.db_timeout, request.scope.get("deadline")
        return limit if deadline is None else min(limit, deadline - time.monotonic())

    def _market(self, request: Request) -> str:
        market = request.query_params.get("market", self.settings.region)
        if not MARKET.fullmatch(market):
            raise RefusedError(400, "market must be 1 to 16 letters from a to z")
        return market

    def _session(self, request: Request) -> Session:
        return self.sessions.check(request.headers.get("authorization"))

    def _refuse_all_but_operators(self, request: Request) -> None:
        if self._session(request).role != OPERATOR:
            raise RefusedError(403, "only an operator may do that")

    def _refuse_when_read_only(self) -> None:
        if self.mode.read_only:
            raise RefusedError(503, "this region is in read-only mode")


def _connections(body: Any) -> int:
    value = body.get("connections") if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CONNECTIONS:
        raise RefusedError(400, f"connections must be a whole number from 1 to {MOST_CONNECTIONS}")
    return value


def routes(shop: Shop) -> list[Route]:
    """Every path of the shop, the busiest first: they are tried in this order."""
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "/orders", shop.post_order),
        ("GET", "/catalogue", shop.get_catalogue),
        ("GET", "/orders/{key}", shop.get_order),
        ("GET", "/readyz", shop.get_readyz),
        ("GET", "/orders", shop.get_orders),
        ("POST", "/login", shop.post_login),
        ("POST", "/signup", shop.post_signup),
        ("GET", "/admin/mode", shop.get_mode),
        ("POST", "/admin/read-only", shop.post_read_only),
        ("GET", "/admin/capacity", shop.get_capacity),
        ("POST", "/admin/capacity", shop.post_capacity),
        ("GET", "/livez", shop.get_livez),
        ("GET", "/openapi.json", shop.get_openapi),
        ("GET", "/docs", shop.get_docs),
    )
    return [Route(path, Told(handler), methods=[method]) for method, path, handler in rows]
