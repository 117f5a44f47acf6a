"""A program inside the lab, asked by HTTP through a loopback port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import Place

if TYPE_CHECKING:
    import requests

    from lab.infra.machines import Engine
else:
    requests = lazily("requests")

_TIMEOUT_SECONDS = 3.0
_PIECE = 256 * 1024
Answer = TypeVar("Answer", bound=BaseModel)


class Model(BaseModel):
    """What a program answers: fields that are not known here are left alone."""

    # What no command asks for costs it nothing: how it is read is worked out at the first answer.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Program:
    """A program's API behind a loopback port; with an authority's certificate, by TLS.

    `token` is what the program knows the lab's tool by.
    """

    def __init__(
        self, engine: Engine, place: Place, port: int, authority: Path | None = None,
        token: str = "",
    ) -> None:  # fmt: skip
        self._engine, self._place, self._port = engine, place, port
        self._scheme = "https" if authority else "http"
        self._token = {"Authorization": f"Bearer {token}"} if token else {}
        self._verify = str(authority) if authority else None

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        into: BinaryIO | None = None,
    ) -> requests.Response:
        """What it answers. A good answer goes piece by piece `into` a file, if there is one."""
        url = f"{self._scheme}://127.0.0.1:{self._engine.port(self._place, self._port)}{path}"
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy is for the world outside, not for loopback
                response = session.request(
                    method,
                    url,
                    json=json,
                    headers={**self._token, **(headers or {})},
                    timeout=timeout,
                    verify=self._verify,
                    stream=into is not None,
                )
                if into is not None and response.ok:
                    into.writelines(response.iter_content(_PIECE))
                return response
        except requests.RequestException as error:
            raise LabError(
                f"{self._place} does not answer {path}: {type(error).__name__}",
                f"look at: lab logs {self._place}",
            ) from error

    def _asked(
        self,
        model: type[Answer],
        method: str,
        path: str,
        json: Mapping[str, object] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> Answer:
        return self._read(model, path, self._send(method, path, json=json, timeout=timeout))

    def _read(self, model: type[Answer], path: str, response: requests.Response) -> Answer:
        try:
            if not response.ok:
                raise ValueError(f"status {response.status_code}")
            return model.model_validate_json(response.content)
        except (ValidationError, ValueError) as error:
            raise LabError(
                f"{self._place} answered {path} with something else: {response.text[:200]}",
                f"look at: lab logs {self._place}",
            ) from error
