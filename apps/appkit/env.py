"""Settings from the environment, parsed once, with errors that name the variable."""

from __future__ import annotations

import os
from collections.abc import Mapping


class SettingError(Exception):
    """A variable of the environment is missing or does not parse."""


class Env:
    """Reads variables; an unset or empty one is missing.

    Every method raises `SettingError` for a missing variable without a default, or a bad value.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str | None = None) -> str:
        """The value as it is."""
        value = self._variables.get(name) or default
        if value is None:
            raise SettingError(f"{name} is not set")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number."""
        text = self.text(name, None if default is None else str(default))
        try:
            value = float(text)
        except ValueError:
            raise SettingError(f"{name}={text!r} is not a number") from None
        if not 0 <= value < float("inf"):
            raise SettingError(f"{name}={text!r} must be zero or more")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of at least 1."""
        value = self.number(name, default)
        if value != int(value) or value < 1:
            raise SettingError(f"{name}={value:g} must be a whole number of at least 1")
        return int(value)

    def pairs(self, name: str) -> dict[str, str]:
        """`east=a,west=b` as a mapping."""
        items = [item.partition("=") for item in self.text(name).split(",")]
        if not all(key and value for key, _, value in items):
            raise SettingError(f"{name} must look like name=value,name=value")
        return {key: value for key, _, value in items}
