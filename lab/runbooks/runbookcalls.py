"""Reads the steps in a runbook's file: each must name a row, with options that fit it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.core.errors import UnknownName, UsageError
from lab.core.quantity import duration
from lab.runbooks.runbook import Call, Option, Repeats, Step, Value
from lab.runbooks.yamlnode import LIMIT_NUMBER, Item, shortened

LIMIT_STEPS: Final = 100
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in one place: how it is read, and what a JSON Schema says of it."""

    read: Callable[[Item], Any]
    schema: Mapping[str, Any]


TEXT: Final = Shape(Item.text, {"type": "string", "pattern": r"\S"})
FLAG: Final = Shape(Item.flag, {"type": "boolean"})


def calls(item: Item, specs: Mapping[str, Step]) -> tuple[Call, ...]:
    """The steps of a list, in their order. Raises BadRunbook."""
    items, found = item.items(), list[Call]()
    if len(items) > LIMIT_STEPS:
        raise item.wrong(f"{len(items)} steps: more than {LIMIT_STEPS} are no runbook")
    for each in items:
        call = _step(each.called("a step"), specs)
        _refuse_again(each, call, found, specs[call.step])
        found.append(call)
    return tuple(found)


def _refuse_again(item: Item, call: Call, earlier: Sequence[Call], spec: Step) -> None:
    last = next((each for each in reversed(earlier) if each.step == call.step), None)
    if last is None or spec.repeats is Repeats.ALWAYS:
        return
    reason, hint = f"{call.step} is on line {last.line} already", "take one of them out"
    if spec.repeats is Repeats.NO:
        raise item.wrong(f"{reason}: it is done once", hint)
    if spec.chosen(last.options) == spec.chosen(call.options):
        hint += ", or say what is to be different"
        raise item.wrong(f"{reason}, with the same options", hint)


def _step(item: Item, specs: Mapping[str, Step]) -> Call:
    key, options = _only_pair(item) if item.is_mapping else (item, None)
    name = key.text()
    if name not in specs:
        raise key.unknown("step", specs)
    if options is None or options.kind == "null":
        return Call(name, {}, item.line)
    return Call(name, dict(_options(options, specs[name])), item.line)


def _only_pair(item: Item) -> tuple[Item, Item]:
    pairs = item.pairs()
    if len(pairs) != 1:
        names = ", ".join(shortened(key.text()) for key, _ in pairs[:3]) or "none"
        raise item.wrong(
            f"a step has one name, and here are {len(pairs)}: {names}",
            "options stand deeper than their step, as in - decide: {approval: human}",
        )
    return pairs[0]


def _options(item: Item, spec: Step) -> Iterator[tuple[str, Value]]:
    for key, value in item.called(f"what {spec.name} is told").pairs():
        if not spec.options:
            raise key.wrong(f"{spec.name} takes no options")
        if (option := spec.option(key.text())) is None:
            raise key.unknown(f"option of {spec.name}", (each.name for each in spec.options))
        yield option.name, _value(value.called(f"{option.name} of {spec.name}"), option)


# ── what an option is ────────────────────────────────────────────────────────────────────────────

_WHOLE: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0, "maximum": LIMIT_NUMBER}

KINDS: Final[Mapping[type, Shape]] = {
    str: TEXT,
    bool: FLAG,
    int: Shape(Item.whole, _WHOLE),
    float: Shape(Item.number, {**_WHOLE, "type": "number"}),
    tuple: Shape(
        lambda item: tuple(each.whole() for each in item.items()),
        {"type": "array", "minItems": 1, "items": _WHOLE},
    ),
}


def _value(item: Item, option: Option) -> Value:
    timed = option.measure.seconds and item.kind == "str"
    value: Value = _duration(item, option) if timed else KINDS[option.kind].read(item)
    if not option.holds(value):
        raise item.wrong(
            f"{item.label} must be {option.least} to {option.most}, not {value}",
            f"{option.told}: choose one between them",
        )
    if option.choices and value not in option.choices:
        word, choices = shortened(str(value)), option.choices
        few, near = f"one of: {', '.join(choices)}", UnknownName("", word, choices).next_step
        hint = few if len(choices) <= _FEW else near
        raise item.wrong(f"{item.label} cannot be {word!r}", hint)
    return value


def _duration(item: Item, option: Option) -> float:
    unit = option.measure
    try:
        value = duration(shortened(item.text()), item.label, unit.usual) / unit.seconds
    except UsageError as error:
        raise item.wrong(error.message, error.next_step) from error
    if value > LIMIT_NUMBER:
        raise item.wrong(f"{item.label} is more than {LIMIT_NUMBER} {option.unit}")
    if option.kind is int and value != int(value):
        raise item.wrong(f"{item.label} must be whole {unit.word}, not {value:g} {option.unit}")
    return int(value) if option.kind is int else value
