"""What one user is and remembers."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from dataclasses import dataclass, field

from users.names import Memory

_REMEMBERED_ORDERS = 100


@dataclass
class Person:
    """A simulated user."""

    number: int
    name: str
    password: str
    memory: Memory
    random: random.Random
    token: str | None = None
    signed_up: bool = False
    orders: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_ORDERS))
    looking_up: asyncio.Task[tuple[str, ...]] | None = None
    logging_in: asyncio.Task[str | None] | None = None


def populate(population: str, users: int, ignore_ttl_share: float, seed: int) -> list[Person]:
    """The users of one run; `seed` decides who ignores TTL and what each of them does.

    Names are new in each run: the database may still hold the customers of earlier ones, whose
    passwords nobody knows any more.
    """
    choice = random.Random(f"{seed} {population}")  # noqa: S311 — reproducible on purpose
    run = secrets.token_hex(4)
    ignoring = set(choice.sample(range(users), round(users * ignore_ttl_share)))
    return [
        Person(
            number=number,
            name=f"{population}-{run}-{number:04d}",
            password=secrets.token_urlsafe(9),
            memory=Memory(number not in ignoring, first_hold=(number + 1) / users),
            random=random.Random(choice.random()),  # noqa: S311
        )
        for number in range(users)
    ]
