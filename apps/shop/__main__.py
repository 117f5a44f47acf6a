"""`python -m shop`: one region's shop."""

from __future__ import annotations

from starlette.types import ASGIApp

from appkit.env import Env
from appkit.serve import main
from shop.app import build_app
from shop.settings import Settings


def build(env: Env) -> tuple[ASGIApp, int]:
    """The shop that `env` describes, and its port."""
    settings = Settings.read(env)
    return build_app(settings), settings.port


if __name__ == "__main__":
    main(build)
