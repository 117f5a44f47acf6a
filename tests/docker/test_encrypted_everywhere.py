"""A lab that encrypts everything: its shop and its cache answer by TLS, and by nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from testcontainers.core.container import DockerContainer
from world import World

from lab.core.topology import EAST
from lab.core.wait import wait_until
from lab.infra.settings import EVERYTHING, Settings

pytestmark = pytest.mark.docker


@pytest.fixture
def everything(world: World) -> Settings:
    """The settings of this world, if it had been made to encrypt everything."""
    return world.lab.settings.model_copy(update={"tls": EVERYTHING})


@contextmanager
def _running(container: DockerContainer, settings: Settings, kind: str) -> Iterator[None]:
    given = settings.region_environment(EAST, {})
    container.with_envs(
        TLS_AUTHORITY=given["SHOP_AUTHORITY"],
        TLS_CERTIFICATE=given[f"{kind}_CERTIFICATE"],
        TLS_KEY=given[f"{kind}_KEY"],
    )
    with container:
        yield
    container.get_docker_client().client.close()  # testcontainers leaves its sockets open


def test_a_shop_with_a_key_speaks_tls_only_is_healthy_and_ends_in_a_second(
    world: World, everything: Settings
) -> None:
    container = DockerContainer(world.images["apps"], command=["python3", "-m", "shop"])
    container.with_envs(REGION="east", DB_PASSWORD="none", JWT_KEY="0" * 64)
    container.with_envs(WRITER_HOST="192.0.2.1", READER_HOST="192.0.2.1")
    container.ports["8080/tcp"] = ("127.0.0.1",)
    with _running(container, everything, "APP"):
        where = f"127.0.0.1:{container.get_exposed_port(8080)}"
        known = str(everything.authority_file)
        wait_until(
            "the shop to answer",
            lambda: requests.get(f"https://{where}/livez", timeout=2, verify=known).ok,
            15,
            ignoring=(requests.ConnectionError,),
        )
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{where}/livez", timeout=2)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://{where}/livez", timeout=2)  # by the machine's own authorities
        health = ["python3", "-c", "from appkit.health import main; main()"]
        assert container.exec(health).exit_code == 0
        started = time.monotonic()
        container.get_wrapped_container().stop(timeout=10)
        assert time.monotonic() - started < 5


def test_a_cache_with_a_key_speaks_tls_only(world: World, everything: Settings) -> None:
    container = DockerContainer(world.images["cache"]).with_envs(CACHE_PASSWORD="secret")
    with _running(container, everything, "CACHE"):
        wait_until(
            "the cache to answer",
            lambda: b"PONG" in container.exec(["/cli", "ping"]).output,
            15,
        )
        plain = container.exec(["valkey-cli", "-a", "secret", "ping"])
        assert b"PONG" not in plain.output
