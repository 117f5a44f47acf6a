"""`python -m users`: one population."""

from __future__ import annotations

from starlette.types import ASGIApp

from appkit.env import Env
from appkit.serve import main
from users.app import build_app
from users.settings import Settings


def build(env: Env) -> tuple[ASGIApp, int]:
    """The population that `env` describes, and its control port."""
    settings = Settings.read(env)
    return build_app(settings), settings.port


if __name__ == "__main__":
    main(build)
