"""The format of runbooks as a JSON Schema for editors, made of the parser's rows. Pure.

The parser alone finds the mistakes that no schema can describe: a step that is done twice, a
duration that is no whole number of its unit, 32.0 in place of 32.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from lab.core.topology import DATABASES
from lab.runbooks.option import Option, Texts
from lab.runbooks.runbook import Step
from lab.runbooks.runbookcalls import COMMON, KINDS, LIMIT_STEPS
from lab.runbooks.runbookfile import KEYS, PATTERNS, Key

_PART: Final = r"[0-9]+(\.[0-9]+)?"
_DURATION: Final = rf"^(?=[0-9])({_PART}h)?({_PART}m)?({_PART}s)?({_PART}ms)?$"
_PLACES: Final = {
    "old": "the old primary",
    "new": "the new primary",
    "lost": "the lost region",
    "target": "the region that takes over",
}
_EXAMPLE: Final = {
    "name": "my-failover",
    "title": "East is lost, west takes over",
    "why": "users of both regions must be able to order again",
    "pattern": PATTERNS[0],
    "from": "east.db1",
    "to": "west.db1",
    "scenarios": ["region-dead"],
    "steps": ["detect", {"check-lag": {"rpo": "5m"}}, "fence", "promote", "repoint"],
}


def text(specs: Iterable[Step]) -> str:
    """What docs/runbook.schema.json holds."""
    return json.dumps(schema(specs), indent=2, ensure_ascii=False) + "\n"


def schema(specs: Iterable[Step]) -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of a runbook that may call these steps."""
    found = _mapping({each.name: _key(each) for each in KEYS})
    found["properties"]["steps"] |= _steps(tuple(specs))
    same = [{"const": str(each)} for each in DATABASES]
    unlike = [
        {"properties": {"from": each, "to": each}, "required": ["from", "to"]} for each in same
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A runbook of the two-region failover lab",
        **found,
        "required": [each.name for each in KEYS if each.required],
        "not": {"anyOf": unlike},
        "examples": [_EXAMPLE],
    }


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    """These keys and no other."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _key(key: Key) -> dict[str, Any]:
    usual = {"default": key.default} if isinstance(key.default, bool) else {}
    return {"description": key.why, **key.shape.schema, **usual}


def _steps(specs: tuple[Step, ...]) -> dict[str, Any]:
    """Each is a name alone, unless something must be said, or one key with its options."""
    names = [{"const": each.name, **_told(each)} for each in specs if not each.main]
    called = _mapping({each.name: _options(each) for each in specs})
    one = {**called, "minProperties": 1, "maxProperties": 1}
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": LIMIT_STEPS,
        "items": {"anyOf": [*names, one]},
    }


def _told(spec: Step) -> dict[str, str]:
    texts = {"title": spec.title, "description": spec.why}
    return {name: each.format_map(_PLACES) for name, each in texts.items()}


def _options(spec: Step) -> dict[str, Any]:
    common = {name: {"description": each.why, **each.shape.schema} for name, each in COMMON.items()}
    options = _mapping({**{each.name: _option(each) for each in spec.options}, **common})
    if main := spec.option(spec.main):
        whole = {**options, "required": [main.name]}
        return {**_told(spec), "anyOf": [_option(main), whole]}
    return {**_told(spec), **options, "type": ["object", "null"]}


def _option(option: Option) -> dict[str, Any]:
    default = [*option.default] if isinstance(option.default, tuple) else option.default
    shape = dict(KINDS[option.kind].schema)
    if option.choices:
        shape = {"enum": [*option.choices]}
        if option.kind is Texts:
            shape = {**KINDS[Texts].schema, "items": shape}
    if option.most is not None:
        shape |= {"minimum": option.least, "maximum": option.most}
    if option.measure.seconds:
        shape = {"anyOf": [shape, {"type": "string", "pattern": _DURATION}], "examples": ["5m"]}
    return {"description": option.told, **shape, "default": default}
