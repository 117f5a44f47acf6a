"""The catalogue as text for the documentation: the same rows that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.core.words import listed
from lab.faults.row import Fault


def markdown(rows: Iterable[Fault]) -> str:
    """A section per fault."""
    return "\n".join(line for row in rows for line in _section(row))


def _section(row: Fault) -> Iterator[str]:
    yield f"### {row.name}"
    yield ""
    yield f"{_sentence(row.why)} *{_sentence(row.teaches)}*"
    yield ""
    yield f"- **How:** {row.how}."
    yield f"- **Noticed:** {row.noticed}."
    yield f"- **Cuts:** {listed(row.cuts) or 'no path that a runbook step uses'}."
    if row.takes.flag:
        yield f"- **Default target:** `{row.takes.flag} {row.default}`."
    if row.amount is not None:
        strength = row.amount
        yield (
            f"- **Strength:** `--amount`, {strength.what}: {strength.default:g} {strength.unit},"
            f" from {strength.least:g} to {strength.most:g}."
        )
    yield ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"
