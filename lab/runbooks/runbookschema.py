"""The format of runbooks as a JSON Schema for editors, made of the parser's rows. Pure.

What no schema can say is left to the parser: that a step is done twice, that a duration is no whole
number of its unit, that 32.0 is not 32.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lab.core.topology import DATABASES
from lab.runbooks.runbook import Option, Spec
from lab.runbooks.runbookcalls import LIMIT_STEPS
from lab.runbooks.runbookfile import KEYS, LIMIT_NAME, NAME, PATTERNS
from lab.runbooks.scenarios import SCENARIOS
from lab.runbooks.yamlnode import LIMIT_NUMBER

_PART: Final = r"[0-9]+(\.[0-9]+)?"
_DURATION: Final = rf"^(?=[0-9])({_PART}h)?({_PART}m)?({_PART}s)?({_PART}ms)?$"

_PLACES: Final[Mapping[str, str]] = {
    "old": "the old primary",
    "new": "the new primary",
    "lost": "the lost region",
    "target": "the region that takes over",
}

_EXAMPLE: Final[Mapping[str, object]] = {
    "name": "my-failover",
    "title": "East is lost, west takes over",
    "why": "users of both regions must be able to order again",
    "pattern": PATTERNS[0],
    "from": "east.db1",
    "to": "west.db1",
    "scenarios": ["region-dead"],
    "steps": ["detect", {"check-lag": {"rpo": "5m"}}, "fence", "promote", "repoint"],
}


def text(specs: Iterable[Spec]) -> str:
    """What docs/runbook.schema.json holds."""
    return json.dumps(schema(specs), indent=2, ensure_ascii=False) + "\n"


def schema(specs: Iterable[Spec]) -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of a runbook that may call these steps."""
    shapes = _shapes(specs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A runbook of the two-region failover lab",
        "type": "object",
        "required": [each.name for each in KEYS if each.required],
        "additionalProperties": False,
        "properties": {each.name: {"description": each.why, **shapes[each.name]} for each in KEYS},
        "not": {"anyOf": [_both(str(each)) for each in DATABASES]},
        "examples": [dict(_EXAMPLE)],
    }


_TEXT: Final[Mapping[str, Any]] = {"type": "string", "pattern": r"\S"}
_DATABASE: Final[Mapping[str, Any]] = {"enum": [str(each) for each in DATABASES]}
_WHOLE: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0, "maximum": LIMIT_NUMBER}


def _shapes(specs: Iterable[Spec]) -> dict[str, Mapping[str, Any]]:
    """What may stand behind each key."""
    return {
        "name": {"type": "string", "pattern": f"^{NAME}$", "maxLength": LIMIT_NAME},
        "title": _TEXT,
        "why": _TEXT,
        "pattern": {"enum": list(PATTERNS), "default": PATTERNS[0]},
        "from": _DATABASE,
        "to": _DATABASE,
        "scenarios": _list([_word(each.name, each.told) for each in SCENARIOS], len(SCENARIOS)),
        "planned": {"type": "boolean", "default": False},
        "promotes": {"type": "boolean", "default": True},
        "flaw": {"type": "boolean", "default": False},
        "source": _TEXT,
        "steps": _list(list(_steps(tuple(specs))), LIMIT_STEPS, unique=False),
    }


def _list(items: list[dict[str, Any]], longest: int, *, unique: bool = True) -> dict[str, Any]:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": longest,
        "uniqueItems": unique,
        "items": {"anyOf": items},
    }


def _word(name: str, description: str) -> dict[str, Any]:
    return {"const": name, "description": description}


def _both(node: str) -> dict[str, Any]:
    """True of a runbook that goes from a node to itself."""
    same = {"const": node}
    return {"properties": {"from": same, "to": same}, "required": ["from", "to"]}


def _steps(specs: tuple[Spec, ...]) -> Iterator[dict[str, Any]]:
    """A step alone, by its name; or one key with its options."""
    for each in specs:
        yield {"const": each.name, **_told(each)}
    yield {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {each.name: _options(each) for each in specs},
    }


def _told(spec: Spec) -> dict[str, str]:
    return {
        "title": spec.title.format_map(_PLACES),
        "description": spec.why.format_map(_PLACES),
    }


def _options(spec: Spec) -> dict[str, Any]:
    return {
        **_told(spec),
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {each.name: _option(each) for each in spec.options},
    }


def _option(option: Option) -> dict[str, Any]:
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    shape = dict(_kind(option))
    if option.measure.seconds:
        shape = {"anyOf": [shape, {"type": "string", "pattern": _DURATION}], "examples": ["5m"]}
    return {"description": option.told, **shape, "default": default}


def _kind(option: Option) -> Mapping[str, Any]:
    if option.choices:
        return {"enum": list(option.choices)}
    whole = {**_WHOLE, "minimum": option.least, "maximum": option.most or LIMIT_NUMBER}
    return {
        str: _TEXT,
        bool: {"type": "boolean"},
        int: whole,
        float: {**whole, "type": "number"},
        tuple: {"type": "array", "minItems": 1, "items": _WHOLE},
    }[option.kind]
