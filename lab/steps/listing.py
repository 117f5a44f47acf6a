"""The catalogue as text for the documentation, and as data: the same rows that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lab.core import words
from lab.runbooks.option import Option, Texts
from lab.runbooks.runbook import Need, Step
from lab.runbooks.stepgraph import said

_ANY = {
    "old": "the old primary",
    "new": "the new node",
    "lost": "the lost region",
    "target": "the target region",
}


def of_any(text: str) -> str:
    """A row's text where there is no plan to say which node is meant."""
    return text.format(**_ANY)


def option(row: Option) -> str:
    """What an option is for and may be: `on which resolvers: everywhere or near (…)`."""
    several = (
        f"a list of {', '.join(row.choices)}" if row.kind is Texts else words.either(row.choices)
    )
    choices = several if row.choices else _KINDS[row.kind]
    duration = " or a duration such as 5m" if row.measure.seconds else ""
    limits = f", {row.least} to {row.most}" if row.most is not None else ""
    default = "" if row.default in ("", ()) else f" (default: {said(row.default)})"
    return f"{row.told}: {choices}{duration}{limits}{default}"


_KINDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list of whole numbers",
    Texts: "a list of texts",
}


_TYPES: Mapping[type, str] = {tuple: "list", Texts: "list of texts"}


def by_hand(row: Step) -> str:
    """How a person would do the heart of it, with NEW for the new node; empty if impossible."""
    return row.command.format(**{name: name.upper() for name in _ANY})


def written(row: Step) -> str:
    """How a file calls a step that must be told something."""
    main = row.option(row.main)
    shown = "[PROGRAM, ARGUMENT]" if main and main.kind is Texts else f'"{row.main.upper()}"'
    return f"`- {row.name}: {shown}`"


def path(row: Step) -> str:
    """The way it takes, how long, and which part of the recovery time that is."""
    part = f", part of the RTO: {row.phase}" if row.phase else ""
    return f"{row.via}, about {words.limit(row.seconds, 's')}{part}"


def need(row: Need) -> str:
    """What should hold before it, and what comes of it otherwise."""
    when = {True: "in a planned move: ", False: "in a failover: ", None: ""}[row.planned]
    return f"{when}{of_any(row.fact.says)}; otherwise {of_any(row.otherwise)}"


def markdown(rows: Iterable[Step]) -> str:
    """A section per step."""
    return "\n".join(line for row in rows for line in _section(row))


def table(rows: Iterable[Step]) -> str:
    """A line per step, for rows that are explained in a few words each."""
    lines = ["| Step | What it does | What it changes | Options |", "|---|---|---|---|"]
    for row in rows:
        options = "<br>".join(f"`{each.name}`: {each.told}" for each in row.options)
        cells = (f"`{row.name}`", _sentence(row.title), _sentence(row.changes), options)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _section(row: Step) -> Iterator[str]:
    yield f"### {row.name}"
    yield ""
    yield f"{_sentence(row.title)} *{_sentence(row.why)}*"
    yield ""
    yield f"- **Changes:** {of_any(row.changes)}."
    yield f"- **Late or missing:** {of_any(row.breaks)}."
    yield f"- **Path:** {path(row)}."
    if row.main:
        yield f"- **Written:** {written(row)}."
    if row.command:
        yield f"- **By hand:** {by_hand(row)}."
    if row.needs:
        yield "- **Needs that:**"
        yield from (f"  - {need(each)} ({each.harm})." for each in row.needs)
    for each in row.options:
        yield f"- **`{each.name}`:** {option(each)}."
    yield ""


def _sentence(text: str) -> str:
    told = of_any(text)
    return f"{told[0].upper()}{told[1:]}."


def as_json(row: Step) -> dict[str, object]:
    """All of a row as data."""
    return {
        "name": row.name,
        "title": of_any(row.title),
        "changes": of_any(row.changes),
        "path": row.via,
        "phase": row.phase,
        "why": of_any(row.why),
        "breaks": of_any(row.breaks),
        "seconds": row.seconds,
        "command": by_hand(row),
        "main": row.main,
        "needs": [
            {
                "fact": each.fact.name,
                "says": of_any(each.fact.says),
                "otherwise": of_any(each.otherwise),
                "harm": each.harm,
            }
            for each in row.needs
        ],
        "options": [
            {
                "name": each.name,
                "type": _TYPES.get(each.kind, each.kind.__name__),
                "default": each.default,
                "why": each.why,
                "choices": each.choices,
                "least": each.least,
                "most": each.most,
                "unit": each.unit,
            }
            for each in row.options
        ],
    }
