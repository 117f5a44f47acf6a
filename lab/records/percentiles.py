"""Which percentiles a row of result.json has: its fields say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Percent:
    """Marks a field: the value that `share` % do not exceed. At most three decimals count."""

    share: float

    @property
    def title(self) -> str:
        """`p99.9`."""
        return f"p{self.share:g}"


def percentiles(row: type[BaseModel]) -> Mapping[str, Percent]:
    """The percentiles of a kind of rows, by the names of their fields."""
    return {
        name: mark
        for name, field in row.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Percent)
    }
