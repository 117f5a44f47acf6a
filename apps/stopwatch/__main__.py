"""`python -m stopwatch`: the lab's second opinion on how long no user could write."""

from __future__ import annotations

from starlette.types import ASGIApp

from appkit.env import Env
from appkit.serve import main
from stopwatch.app import build_app
from stopwatch.settings import Settings


def build(env: Env) -> tuple[ASGIApp, int]:
    """The stopwatch that `env` describes, and its control port."""
    settings = Settings.read(env)
    return build_app(settings), settings.port


if __name__ == "__main__":
    main(build)
