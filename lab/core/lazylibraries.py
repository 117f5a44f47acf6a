"""Libraries that are loaded when something of them is first used.

A command must not wait for a library that it never uses. A module that needs one names it so:

    if TYPE_CHECKING:
        import requests
    else:
        requests = lazily("requests")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Lazy:
    """Stands for a library. The import system's own locks make it safe for several threads."""

    def __init__(self, name: str, parts: tuple[str, ...]) -> None:
        self._name, self._parts = name, parts

    def __getattr__(self, attribute: str) -> Any:
        for part in self._parts:
            import_module(f"{self._name}.{part}")
        return getattr(import_module(self._name), attribute)


def lazily(name: str, *parts: str) -> Any:
    """The library of that name; `parts` are modules inside it that it does not load by itself."""
    return _Lazy(name, parts)
