"""A shop on trial: asked by HTTP as users and the lab ask it, with what stands beside it."""

from __future__ import annotations

import ssl
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lab.core.errors import UsageError, quoted
from lab.core.lazylibraries import lazily
from lab.core.load import VERIFY_PREFIX
from lab.core.wait import pause
from lab.infra.shopclient import operator_token

if TYPE_CHECKING:
    import requests
else:
    requests = lazily("requests")

KEPT_SECONDS: Final = 5.0
"""For so long users and the stopwatch keep a connection without a request."""
PATIENCE_SECONDS: Final = 1.5
"""For so long a user waits for an answer."""
_LONGEST_SECONDS: Final = 5.0


class Untried(Exception):
    """A clause could not be tried; the text says why."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a shop in a lab: the primary that it writes to.

    `primary` is the server's own name, `rows` counts the orders under a key. In the block of
    `alone` no standby confirms a commit; it raises Untried where none has to. `end_waiting` ends
    the sessions of shops that wait for one, and says how many.
    """

    primary: str
    rows: Callable[[str], int]
    alone: Callable[[], AbstractContextManager[None]]
    end_waiting: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `said` is the JSON object in it, empty if there is none."""

    asked: str
    status: int
    headers: Mapping[str, str]
    said: Mapping[str, Any]
    seconds: float

    def unlike(self, *statuses: int, **fields: object) -> Iterator[str]:
        """How it differs from one of these statuses and from these fields."""
        if self.status not in statuses:
            wanted = " or ".join(map(str, statuses))
            yield f"{self.asked}: the status is {self.status}, not {wanted}"
        for name, value in fields.items():
            if self.said.get(name) != value:
                yield f"{self.asked}: `{name}` is {_shown(self.said.get(name))}, not {value!r}"

    def lacks(self, *names: str) -> Iterator[str]:
        """Fields with nothing in them."""
        yield from (
            f"{self.asked}: `{name}` is missing" for name in names if not self.said.get(name)
        )

    def lacks_headers(self, *names: str) -> Iterator[str]:
        """Headers that are not there."""
        yield from (
            f"{self.asked}: the header {name} is missing"
            for name in names
            if name not in self.headers
        )


def _shown(value: object) -> str:
    return "missing" if value is None else quoted(str(value))


@dataclass(frozen=True)
class Trial:
    """A shop at a URL. `jwt_key` makes an operator of the lab; `authority` vouches for HTTPS.

    `idle` is for how many seconds a connection is left alone. `unframed` are answers so far
    that did not say their length.
    """

    url: str
    jwt_key: str = ""
    authority: str | None = None
    beside: Beside | None = None
    idle: float = KEPT_SECONDS + 0.5
    unframed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Raise UsageError for what is no address of a shop."""
        try:
            parts = urlsplit(self.url)
            right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise UsageError(
                f"{quoted(self.url)} is not the address of a shop", "like: http://127.0.0.1:8080"
            )

    def ask(
        self, method: str, path: str, body: object = None, token: str = "", **headers: str
    ) -> Answer:
        """Ask once; in the names of headers an underscore stands for a dash.

        Raises requests.RequestException where no answer comes.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        identity = {"Authorization": f"Bearer {token}"} if token else {}
        began = time.monotonic()
        with requests.Session() as session:
            session.trust_env = False
            found = session.request(
                method,
                f"{self.url.rstrip('/')}{path}",
                json=body,
                headers={**identity, **named},
                timeout=_LONGEST_SECONDS,
                verify=self.authority or True,
            )
        asked = f"{method} {path}"
        if "Content-Length" not in found.headers:
            self.unframed.add(asked)
        return Answer(
            asked, found.status_code, found.headers, _object(found), time.monotonic() - began
        )

    def order(self, key: str, token: str = "", quantity: int = 1, **headers: str) -> Answer:
        """Place an order, as the customer on trial if no token is given."""
        body = {"product_id": 1, "quantity": quantity}
        token = token or self.customer
        return self.ask("POST", "/orders", body, token, Idempotency_Key=key, **headers)

    def read(self, key: str) -> Answer:
        """Read an own order."""
        return self.ask("GET", f"/orders/{key}", token=self.customer)

    @cached_property
    def customer(self) -> str:
        """The token of a customer who has signed up. Raises Untried if no log-in works."""
        person = {"username": f"guest-{uuid.uuid4().hex[:12]}", "password": uuid.uuid4().hex}
        self.ask("POST", "/signup", person)
        token = self.ask("POST", "/login", person).said.get("token")
        if not isinstance(token, str) or not token:
            raise Untried("no customer can log in: see log-in")
        return token

    @cached_property
    def operator(self) -> str:
        """The token of an operator. Raises Untried without the key that signs it."""
        if not self.jwt_key:
            raise Untried("JWT_KEY is not set: write the one that the shop was given")
        with warnings.catch_warnings():  # a short key is the business of the shop
            warnings.simplefilter("ignore")
            return operator_token(self.jwt_key)

    @cached_property
    def placed(self) -> tuple[str, Answer]:
        """An order that was answered ok, by its key. Raises Untried if none is."""
        key = new_key()
        answer = self.order(key)
        if list(answer.unlike(200, 201, outcome="ok")):
            raise Untried("no order is answered ok: see order")
        return key, answer

    def database(self) -> Beside:
        """What stands beside it. Raises Untried where that is not known."""
        if self.beside is None:
            raise Untried("only a lab can try it: leave the URL out")
        return self.beside

    def left_alone(self) -> Iterator[str]:
        """Ask twice on one connection, with a pause between; what was wrong with that."""
        parts = urlsplit(self.url)
        tls = ssl.create_default_context(cafile=self.authority)
        line = (
            HTTPSConnection(parts.netloc, timeout=_LONGEST_SECONDS, context=tls)
            if parts.scheme == "https"
            else HTTPConnection(parts.netloc, timeout=_LONGEST_SECONDS)
        )
        try:
            line.request("GET", "/livez")
            answer = line.getresponse()
            answer.read()
            if answer.will_close:
                yield "a connection is closed after one answer"
                return
            pause(self.idle)
            line.request("GET", "/livez")
            line.getresponse().read()
        except (OSError, HTTPException):
            yield f"a connection is closed that was left alone for {self.idle:g} s"
        finally:
            line.close()


def new_key() -> str:
    """A key that no order has yet, and that is told from those of customers."""
    return f"{VERIFY_PREFIX}{uuid.uuid4().hex}"


def _object(found: requests.Response) -> Mapping[str, Any]:
    try:
        said = found.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
