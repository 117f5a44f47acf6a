"""Reads runbooks from YAML files, names every mistake by its line, and writes runbooks. Pure.

    name: region-failover
    title: East is lost, west takes over
    why: users of both regions must be able to order again
    pattern: hot-single-writer
    from: east.db1
    to: west.db1
    scenarios: [region-dead, partition]
    steps:
      - detect
      - check-lag: {rpo: 5m}

A step is a name, or a name with a mapping of its options; some take a value alone.
`lab.runbooks.runbookschema` is the same format as a schema for editors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from lab.core.errors import BadRunbook
from lab.core.topology import DATABASES, PLACES, Place
from lab.runbooks import yamlnode
from lab.runbooks.option import Value
from lab.runbooks.runbook import Call, Plan, Runbook, Step
from lab.runbooks.runbookcalls import FLAG, TEXT, Shape, calls
from lab.runbooks.scenarios import SCENARIOS
from lab.runbooks.yamlnode import LIMIT_BYTES, Item, document, shortened

PATTERNS: Final = ("hot-single-writer",)

NAME: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
"""What a runbook may be called: folders of runs are named after it."""

LIMIT_NAME: Final = 60


# ── what a file says of its runbook ──────────────────────────────────────────────────────────────


def _name(item: Item) -> str:
    text = item.text()
    if len(text) > LIMIT_NAME or not re.fullmatch(NAME, text):
        raise item.wrong(
            f"name cannot be {shortened(text)!r}",
            f"use small letters, digits and hyphens, a letter first, {LIMIT_NAME} at most",
        )
    return text


def _pattern(item: Item) -> str:
    text = item.text()
    if text not in PATTERNS:
        raise item.wrong(
            f"it is for the pattern {shortened(text)!r}, which the lab does not have",
            f"it has: {', '.join(PATTERNS)}",
        )
    return text


def _database(item: Item) -> Place:
    text = item.text()
    places = {str(each): each for each in PLACES}
    if text not in places:
        raise item.unknown("node", map(str, DATABASES))
    if places[text] not in DATABASES:
        raise item.wrong(
            f"{text} is no database", f"one of: {', '.join(str(each) for each in DATABASES)}"
        )
    return places[text]


def _scenarios(item: Item) -> tuple[str, ...]:
    known = [each.name for each in SCENARIOS]
    found: list[str] = []
    for each in item.items():
        text = each.text()
        if text not in known:
            raise each.unknown("scenario", known)
        if text in found:
            raise each.wrong(f"scenario {text} is named twice")
        found.append(text)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Key:
    """Something that a file says of its runbook. Without a `default` it must be said."""

    name: str
    why: str
    shape: Shape
    default: bool | str | None = None
    example: str = "…"

    @property
    def required(self) -> bool:
        """True for what must be said."""
        return self.default is None


_NODE: Final = Shape(_database, {"enum": [*map(str, DATABASES)]})
_SITUATIONS: Final = {
    "type": "array",
    "minItems": 1,
    "maxItems": len(SCENARIOS),
    "uniqueItems": True,
    "items": {"anyOf": [{"const": each.name, "description": each.told} for each in SCENARIOS]},
}
KEYS: Final = (
    Key("name", "what it is called: small letters, digits and hyphens", Shape(
        _name, {"type": "string", "pattern": f"^{NAME}$", "maxLength": LIMIT_NAME})),
    Key("title", "what happens in it, in some words", TEXT),
    Key("why", "what it is for, in one sentence", TEXT),
    Key("pattern", "the lab's pattern that it belongs to", Shape(
        _pattern, {"enum": [*PATTERNS], "default": PATTERNS[0]}), example=PATTERNS[0]),
    Key("from", "the database that is primary before it", _NODE, example="east.db1"),
    Key("to", "the database that takes over", _NODE, example="west.db1"),
    Key("scenarios", "the situations that it is written for", Shape(_scenarios, _SITUATIONS),
        example=f"[{SCENARIOS[0].name}]"),
    Key("planned", "true for one that is run while all is well", FLAG, False),
    Key("promotes", "false for one that leaves the primary where it is", FLAG, True),
    Key("flaw", "true for a runbook that contains a known mistake", FLAG, False),
    Key("source", "where it comes from", TEXT, ""),
    Key("steps", "what is done, in this order", Shape(Item.items, {})),
)  # fmt: skip


def read(path: Path, specs: Iterable[Step]) -> Runbook:
    """The runbook in a file. Raises BadRunbook with the line of the first mistake."""
    text = yamlnode.read(path, BadRunbook)
    return replace(parse(text, str(path), specs), file=path)


def parse(text: str, source: str, specs: Iterable[Step]) -> Runbook:
    """The runbook in a text; `source` is what messages call it. Raises BadRunbook."""
    found = _fields(document(text, source, "a runbook"))
    given: dict[str, Any] = {
        each.name: each.shape.read(found[each.name]) if each.name in found else each.default
        for each in KEYS
    }
    plan = Plan(given.pop("from"), given.pop("to"))
    if plan.old == plan.new:
        raise found["to"].wrong(
            f"from and to are both {plan.new}: no node would take over",
            f"one of: {', '.join(str(each) for each in DATABASES if each != plan.old)}",
        )
    steps = calls(found["steps"], {each.name: each for each in specs})
    return Runbook(plan=plan, **{**given, "steps": steps})


def _fields(root: Item) -> dict[str, Item]:
    """Values by key: known keys only, and all that must be there."""
    names = [each.name for each in KEYS]
    found = {}
    for key, value in root.pairs():
        if key.text() not in names:
            raise key.unknown("key", names)
        found[key.text()] = value
    missing = [each for each in KEYS if each.required and each.name not in found]
    if missing:
        first = missing[0]
        raise root.wrong(
            f"{first.name} is missing: {first.why}", f"add a line: {first.name}: {first.example}"
        )
    return found


# ── and back ─────────────────────────────────────────────────────────────────────────────────────


def text_of(runbook: Runbook) -> str:
    """A runbook as a file that reads as the same one, without what is as usual."""
    plan = {"from": str(runbook.plan.old), "to": str(runbook.plan.new)}
    said = {**plan, "scenarios": [*runbook.scenarios]}
    told = [(each, said.get(each.name, getattr(runbook, each.name, None))) for each in KEYS[:-1]]
    head = {each.name: value for each, value in told if value != each.default}
    steps = [f"  - {_line(call)}" for call in runbook.steps]
    return "".join([_dumped(head, flow=None), "steps:\n", *steps])


def _line(call: Call) -> str:
    told: dict[str, object] = {name: _plain(value) for name, value in call.options.items()}
    if call.retry:
        told["retry"] = call.retry
    if call.may_fail:
        told["on-failure"] = call.on_failure
    return f"{call.step}: {_dumped(told, flow=True)}" if told else f"{call.step}\n"


def _plain(value: Value) -> object:
    return [*value] if isinstance(value, tuple) else value


def _dumped(data: object, flow: bool | None) -> str:
    """YAML on lines as long as need be; `flow` None puts lists into brackets, True everything."""
    text: str = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=LIMIT_BYTES, default_flow_style=flow
    )
    return text
