"""`python -m steering`: one region's steering."""

from __future__ import annotations

from starlette.types import ASGIApp

from appkit.env import Env
from appkit.serve import main
from steering.app import build_app
from steering.settings import Settings


def build(env: Env) -> tuple[ASGIApp, int]:
    """The steering that `env` describes, and its control port."""
    settings = Settings.read(env)
    return build_app(settings), settings.port


if __name__ == "__main__":
    main(build)
