"""Runbooks as YAML files: read with every mistake named by its line, and written again. Pure.

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

A step is a name, or a name with a mapping of its options. `lab.runbooks.runbookschema` says the
same to editors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from lab.core.errors import BadRunbook
from lab.core.topology import DATABASES, PLACES, Place
from lab.runbooks.runbook import Call, Plan, Runbook, Spec
from lab.runbooks.runbookcalls import calls
from lab.runbooks.scenarios import SCENARIOS
from lab.runbooks.yamlnode import LIMIT_BYTES, SHIPPED, Item, document, shortened, too_large

PATTERNS: Final = ("hot-single-writer",)

NAME: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
"""What a runbook may be called: folders of runs are named after it."""

LIMIT_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Key:
    """Something that a file says of its runbook."""

    name: str
    why: str
    required: bool = True


KEYS: Final = (
    Key("name", "what it is called: small letters, digits and hyphens"),
    Key("title", "what happens in it, in some words"),
    Key("why", "what it is for, in one sentence"),
    Key("pattern", "the lab's pattern that it belongs to"),
    Key("from", "the database that is primary before it"),
    Key("to", "the database that takes over"),
    Key("scenarios", "the situations that it is written for"),
    Key("planned", "true for one that is run while all is well", required=False),
    Key("promotes", "false for one that leaves the primary where it is", required=False),
    Key("flaw", "true for one that is printed as found: something is wrong in it", required=False),
    Key("source", "where it was found", required=False),
    Key("steps", "what is done, in this order"),
)


def read(path: Path, specs: Iterable[Spec]) -> Runbook:
    """The runbook in a file. Raises BadRunbook with the line of the first mistake."""
    source = str(path)
    try:
        if path.is_dir():
            raise BadRunbook(source, 0, "is a folder, not a file", f"name a file in it; {SHIPPED}")
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise BadRunbook(source, 0, f"cannot be read: {error.strerror}", SHIPPED) from error
    except ValueError as error:  # the name itself: a null byte, half a character
        raise BadRunbook(repr(source), 0, f"is no name of a file: {error}", SHIPPED) from error
    if len(data) > LIMIT_BYTES:
        raise too_large(source)
    return parse(_decoded(data, source), source, specs)


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadRunbook(source, line, "is not UTF-8", "save it as UTF-8") from error


def parse(text: str, source: str, specs: Iterable[Spec]) -> Runbook:
    """The runbook in a text; `source` is what messages call it. Raises BadRunbook."""
    found = _fields(document(text, source, "a runbook"))
    return Runbook(
        name=_name(found["name"]),
        title=found["title"].text(),
        why=found["why"].text(),
        pattern=_pattern(found["pattern"]),
        plan=_plan(found),
        scenarios=_scenarios(found["scenarios"]),
        planned=found["planned"].flag() if "planned" in found else False,
        promotes=found["promotes"].flag() if "promotes" in found else True,
        flaw=found["flaw"].flag() if "flaw" in found else False,
        source=found["source"].text() if "source" in found else "",
        steps=calls(found["steps"], {each.name: each for each in specs}),
    )


# ── what a file says of its runbook ──────────────────────────────────────────────────────────────


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
        raise root.wrong(f"{first.name} is missing: {first.why}", f"add a line: {first.name}: …")
    return found


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


def _plan(found: Mapping[str, Item]) -> Plan:
    plan = Plan(_database(found["from"]), _database(found["to"]))
    if plan.old == plan.new:
        raise found["to"].wrong(
            f"from and to are both {plan.new}: no node would take over",
            f"one of: {', '.join(str(each) for each in DATABASES if each != plan.old)}",
        )
    return plan


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


# ── and back ─────────────────────────────────────────────────────────────────────────────────────


def text_of(runbook: Runbook) -> str:
    """A runbook as a file that reads as the same one."""
    head = {
        "name": runbook.name,
        "title": runbook.title,
        "why": runbook.why,
        "pattern": runbook.pattern,
        "from": str(runbook.plan.old),
        "to": str(runbook.plan.new),
        "scenarios": list(runbook.scenarios),
        **dict(_unusual(runbook)),
    }
    steps = [f"  - {_line(call)}" for call in runbook.steps]
    return "".join([_dumped(head, flow=None), "steps:\n", *steps])


def _unusual(runbook: Runbook) -> Iterator[tuple[str, str | bool]]:
    """What need not be said when it is as usual."""
    if runbook.planned:
        yield "planned", True
    if not runbook.promotes:
        yield "promotes", False
    if runbook.flaw:
        yield "flaw", True
    if runbook.source:
        yield "source", runbook.source


def _line(call: Call) -> str:
    if not call.options:
        return f"{call.step}\n"
    return f"{call.step}: {_dumped(dict(call.options), flow=True)}"


def _dumped(data: object, flow: bool | None) -> str:
    """YAML on lines as long as need be; `flow` None puts lists into brackets, True everything."""
    text: str = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=LIMIT_BYTES, default_flow_style=flow
    )
    return text
