"""How users find the shop: each with a memory of its own, all asking the same two resolvers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from appkit.names import Addresses, LookupFailedError, Server, SilentError, ask

IGNORED_TTL = 30.0  # seconds that a user keeps an address who does not honour TTL
DEAD = 5.0  # seconds until a resolver that did not answer is tried again


@dataclass
class Memory:
    """One user's resolver cache, for the one name that users ask for."""

    honours_ttl: bool
    first_hold: float  # share of its time for which the first answer is kept, 0 to 1
    addresses: tuple[str, ...] = ()
    expires: float = float("-inf")

    def recall(self, now: float) -> tuple[str, ...]:
        """The addresses that are still held; none when they have expired."""
        return self.addresses if now < self.expires else ()

    def learn(self, answer: Addresses, now: float) -> None:
        """Keep an answer for its TTL, or for 30 s.

        The first one is kept for a part of that, different for each user: caches of real users
        do not expire all at once.
        """
        hold = answer.ttl if self.honours_ttl else IGNORED_TTL
        self.addresses, self.expires = answer.addresses, now + hold * self.first_hold
        self.first_hold = 1.0


class Order:
    """In which order the resolvers are asked: their own, except that a silent one goes last.

    It is tried again every five seconds, by one look-up, so that not each of them pays for it.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = tuple(servers)
        self._retry_at: dict[Server, float] = {}

    def now(self, now: float) -> tuple[Server, ...]:
        """The servers, the one to ask first at the front."""
        for server, at in self._retry_at.items():
            if now >= at:
                self._retry_at[server] = now + DEAD
                return (server, *(other for other in self._servers if other != server))
        return tuple(sorted(self._servers, key=lambda server: server in self._retry_at))

    def heard(self, server: Server, asked: Sequence[Server], now: float) -> None:
        """`server` answered; those before it in `asked` were silent for too long."""
        self._retry_at.pop(server, None)
        for silent in asked[: asked.index(server)]:
            self._retry_at.setdefault(silent, now + DEAD)

    def first(self) -> Server:
        """Who is asked first at present."""
        return min(self._servers, key=lambda server: server in self._retry_at)


async def look_up(
    name: str, servers: Sequence[Server], patience: float, timeout: float
) -> tuple[Addresses, Server]:
    """The first answer: each server is asked `patience` seconds after the one before it, or as
    soon as that one failed.

    A server that says that the name does not exist is believed. Raises `LookupFailedError`.
    """
    tasks: list[asyncio.Task[Addresses]] = []
    for server in servers:
        before = tasks[-1] if tasks else None
        tasks.append(asyncio.create_task(_ask_after(before, patience, name, server, timeout)))
    waiting, problem = set(tasks), LookupFailedError("no resolver")
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    return task.result(), servers[tasks.index(task)]
                except SilentError as silent:
                    problem = silent
        raise problem
    finally:
        for task in waiting:
            task.cancel()


async def _ask_after(
    before: asyncio.Task[Addresses] | None,
    patience: float,
    name: str,
    server: Server,
    timeout: float,
) -> Addresses:
    if before:
        await asyncio.wait({before}, timeout=patience)
    return await ask(name, server, timeout)
