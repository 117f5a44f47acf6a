"""A table of a report, as rows of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `kind` is `n` for figures, `line` for sentences, `code`
    for keys, empty for words."""

    title: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text. `more` says what is left out, `formula` how its figures are made."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    formula: str
    note: str = ""

    def cells(self, row: tuple[str, ...]) -> Iterator[tuple[Column, str]]:
        """A row's cells with their columns."""
        return zip(self.columns, row, strict=True)
