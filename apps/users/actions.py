"""What users do: each operation with its attempts, until it is settled and written down."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace

from appkit.names import LookupFailedError
from users.client import Client, NoReplyError, NotSentError
from users.history import History, operation
from users.names import Order, look_up
from users.outcome import Attempt, Kind, Reply, no_reply, read_read, read_write
from users.person import Person
from users.requests import Requests
from users.restraint import RetryBudget, Throttle
from users.settings import Settings
from users.stats import Stats

LOGINS_AT_ONCE = 16
BACK_OFF = (0.1, 0.3)  # seconds before another attempt; each time another value between these

Read = Callable[[Reply, str], Attempt]
Try = Callable[[int], Awaitable[Attempt]]


class Actions:
    """Carries out operations and records every one of them, however it ends."""

    def __init__(self, settings: Settings, history: History, stats: Stats) -> None:
        self._settings, self._history, self._stats = settings, history, stats
        self._requests = Requests(settings.app_name)
        self.client = Client(
            settings.app_port, settings.connect_timeout, settings.tls, settings.app_name
        )
        self.order = Order(settings.resolvers)
        self._protected = True
        self._budget = RetryBudget(time.monotonic())
        # A shop has one line for orders and another for reads; one that is full says nothing of
        # the other.
        self._throttles: defaultdict[tuple[str, Kind], Throttle] = defaultdict(Throttle)
        self._gate = asyncio.Semaphore(LOGINS_AT_ONCE)

    def know(self, resolvers: int) -> None:
        """From now on only so many resolvers are known, the population's own first."""
        self.order = Order(self._settings.resolvers[:resolvers])

    def protect(self, protected: bool) -> None:
        """From now on users hold back in an overload and say how long they wait, or do not."""
        self._protected = protected
        self._budget = RetryBudget(time.monotonic())
        self._throttles.clear()

    async def write(self, person: Person) -> None:
        """Place an order."""
        key = self._key()
        product, quantity = person.random.randint(1, 50), person.random.randint(1, 3)

        async def attempt(number: int) -> Attempt:
            token = await self._token(person)
            if token is None:
                return Attempt("fail", error="not logged in")
            request_id = f"{key}.{number}"
            message = self._requests.order(
                token, key, request_id, product, quantity, self._deadline()
            )
            return await self._send(person, "write", request_id, message, read_write)

        if await self._operate(person, "write", key, attempt) in ("ok", "local"):
            person.orders.append(key)

    async def read(self, person: Person) -> None:
        """Read an own order that was acknowledged earlier, or, mostly, the own catalogue."""
        if person.orders and person.random.random() < 0.3:
            await self._read_order(person, person.random.choice(person.orders))
            return
        key = self._key()

        async def attempt(number: int) -> Attempt:
            request_id = f"{key}.{number}"
            message = self._requests.catalogue(
                self._settings.population, request_id, self._deadline()
            )
            return await self._send(
                person, "read", request_id, message, lambda r, a: read_read(r, a, by_key=False)
            )

        await self._operate(person, "read", key, attempt)

    async def _read_order(self, person: Person, key: str) -> None:
        async def attempt(number: int) -> Attempt:
            token = await self._token(person)
            if token is None:
                return Attempt("fail", error="not logged in")
            request_id = f"{uuid.uuid4().hex}.{number}"
            message = self._requests.one_order(token, key, request_id, self._deadline())
            return await self._send(
                person, "read", request_id, message, lambda r, a: read_read(r, a, by_key=True)
            )

        await self._operate(person, "read", key, attempt)

    async def log_in(self, person: Person) -> str | None:
        """Get a token, after signing up where that was not done yet; None when it failed."""
        key = self._key()

        async def attempt(number: int) -> Attempt:
            if not person.signed_up:
                signed = await self._credentials(person, "/signup", f"{key}.{number}s")
                if signed.status not in (200, 201, 202, 409):
                    return replace(signed, final=False)
                person.signed_up = True
            seen = await self._credentials(person, "/login", f"{key}.{number}")
            if seen.status == 401:
                # A failover may have lost the sign-up: the next attempt makes it again.
                person.signed_up = False
            return replace(seen, final=seen.outcome == "ok")

        async with self._gate:
            await self._operate(person, "login", key, attempt)
        return person.token

    def shed(self, person: Person, kind: Kind) -> None:
        """Record an operation that was due while too many others were under way."""
        now = time.monotonic()
        self._record(person, kind, self._key(), (now, now), [Attempt("fail", error="shed")])

    # One operation

    async def _operate(self, person: Person, kind: Kind, key: str, attempt: Try) -> str:
        start, attempts = time.monotonic(), list[Attempt]()
        tried = start
        self._budget.earn()
        try:
            while len(attempts) < self._settings.attempts:
                if attempts:
                    if self._protected and not self._budget.spend(time.monotonic()):
                        break
                    await asyncio.sleep(person.random.uniform(*BACK_OFF))
                    tried = time.monotonic()
                attempts.append(await attempt(len(attempts) + 1))
                if attempts[-1].final:
                    break
        except BaseException as problem:
            # The users stop, or this program has a bug. How far this attempt got is unknown.
            cut = isinstance(problem, asyncio.CancelledError)
            why = "stopped before the answer" if cut else f"bug: {problem!r}"
            attempts.append(Attempt(no_reply(kind), error=why))
            raise
        finally:
            outcome = self._record(person, kind, key, (start, tried), attempts)
        return outcome

    def _record(
        self,
        person: Person,
        kind: Kind,
        key: str,
        started: tuple[float, float],
        attempts: list[Attempt],
    ) -> str:
        """Write an operation down; when it and its last attempt were started. Its outcome."""
        began = time.thread_time()
        record = operation(
            key=key,
            kind=kind,
            start=started[0],
            tried=started[1],
            end=time.monotonic(),
            population=self._settings.population,
            user=person.number,
            honours_ttl=person.memory.honours_ttl,
            attempts=attempts,
        )
        self._history.append(record)
        self._stats.recorded(time.thread_time() - began)
        self._stats.count(kind, record)
        return str(record["outcome"])

    # One attempt

    async def _send(
        self, person: Person, kind: Kind, request_id: str, message: bytes, read: Read
    ) -> Attempt:
        try:
            addresses = await self._addresses(person)
        except LookupFailedError as problem:
            return Attempt("fail", request_id=request_id, error=f"dns: {problem}")
        address = addresses[0]
        throttle, now = self._throttles[address, kind], time.monotonic()
        if self._protected and throttle.holds_back(now, person.random.random()):
            return Attempt("fail", True, address=address, request_id=request_id, error="throttled")
        throttle.under_way += 1
        try:
            attempt, overloaded = await self._ask(address, kind, request_id, message, read)
        finally:
            throttle.under_way -= 1
        (throttle.refused if overloaded else throttle.taken)(time.monotonic())
        if attempt.status == 401:
            person.token = None
        return attempt

    async def _ask(
        self, address: str, kind: Kind, request_id: str, message: bytes, read: Read
    ) -> tuple[Attempt, bool]:
        """What one shop says, and whether that is that it is overloaded."""
        try:
            reply = await self.client.send(address, message, self._settings.attempt_timeout)
        except NotSentError as problem:
            attempt = Attempt("fail", address=address, request_id=request_id, error=str(problem))
            return attempt, False
        except NoReplyError as problem:
            attempt = Attempt(
                no_reply(kind), address=address, request_id=request_id, error=str(problem)
            )
            return attempt, False
        return read(reply, address), reply.status == 503 and "retry-after" in reply.headers

    def _deadline(self) -> float | None:
        """When the user gives up an attempt that is sent now, in seconds since the epoch."""
        return time.time() + self._settings.attempt_timeout if self._protected else None

    async def _credentials(self, person: Person, path: str, request_id: str) -> Attempt:
        def read(reply: Reply, address: str) -> Attempt:
            if path == "/login" and reply.status == 200:
                person.token = json.loads(reply.body)["token"]
            return read_read(reply, address, by_key=False)

        message = self._requests.credentials(
            path, person.name, person.password, request_id, self._deadline()
        )
        return await self._send(person, "login", request_id, message, read)

    async def _token(self, person: Person) -> str | None:
        if person.token is None:
            if person.logging_in is None or person.logging_in.done():
                person.logging_in = asyncio.create_task(self.log_in(person))
            return await asyncio.shield(person.logging_in)
        return person.token

    async def _addresses(self, person: Person) -> tuple[str, ...]:
        held = person.memory.recall(time.monotonic())
        if held:
            return held
        if person.looking_up is None or person.looking_up.done():
            person.looking_up = asyncio.create_task(self._look_up(person))
        return await asyncio.shield(person.looking_up)

    async def _look_up(self, person: Person) -> tuple[str, ...]:
        settings = self._settings
        asked = self.order.now(time.monotonic())
        answer, server = await look_up(
            settings.app_name, asked, settings.dns_patience, settings.dns_timeout
        )
        now = time.monotonic()
        self.order.heard(server, asked, now)
        person.memory.learn(answer, now)
        return answer.addresses

    def _key(self) -> str:
        return f"{self._settings.population}-{uuid.uuid4().hex}"
