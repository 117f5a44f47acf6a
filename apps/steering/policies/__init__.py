"""Routing policies, one file each: a module here with a `ROW` is a policy."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .row import Policy


def _rows() -> dict[str, Policy]:
    modules = (import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__))
    rows: list[Policy] = [module.ROW for module in modules if hasattr(module, "ROW")]
    return {row.name: row for row in sorted(rows, key=lambda row: (row.name != DEFAULT, row.name))}


DEFAULT = "own-first"
POLICIES = _rows()
"""All rows by name, the default first."""
