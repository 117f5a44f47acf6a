"""Reads the steps in a runbook's file: each must name a row, with options that fit it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lab.core.errors import UnknownName, UsageError
from lab.core.fitting import Fit
from lab.core.quantity import duration
from lab.runbooks.option import Option, Texts, Value
from lab.runbooks.runbook import CONTINUE, GO_TO, STOP, Call, Repeats, Step
from lab.runbooks.yamlnode import LIMIT_NUMBER, Item, shortened

LIMIT_STEPS: Final = 100
LIMIT_RETRIES: Final = 20
RETRIES: Final = Fit(int, "times", most=LIMIT_RETRIES, example=3)
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
    for number, (each, call) in enumerate(zip(items, found, strict=True), 1):
        _refuse_earlier(each, call, [later.step for later in found[number:]])
    return tuple(found)


def _refuse_earlier(item: Item, call: Call, later: Sequence[str]) -> None:
    """A runbook that could go back might never end."""
    if call.fallback and call.fallback not in later:
        near = UnknownName("", call.fallback, later).next_step if later else "this is the last step"
        raise item.wrong(f"no step {shortened(call.fallback)!r} comes after {call.step}", near)


def _refuse_again(item: Item, call: Call, earlier: Sequence[Call], spec: Step) -> None:
    last = next((each for each in reversed(earlier) if each.step == call.step), None)
    if last is None or spec.repeats is Repeats.ALWAYS or spec.look:
        return
    reason, hint = f"{call.step} is on line {last.line} already", "take one of them out"
    if spec.repeats is Repeats.NO:
        raise item.wrong(f"{reason}: it is done once", hint)
    if spec.chosen(last.options) == spec.chosen(call.options):
        hint += ", or say what is to be different"
        raise item.wrong(f"{reason}, with the same options", hint)


def _step(item: Item, specs: Mapping[str, Step]) -> Call:
    key, told = _only_pair(item) if item.is_mapping else (item, None)
    name = key.text()
    if name not in specs:
        raise key.unknown("step", specs)
    spec, call = specs[name], Call(name, {}, item.line)
    if told is not None and told.kind != "null":
        call = _told(call, told, spec)
    if spec.main and spec.main not in call.options:
        raise key.wrong(f"{name} does not say its {spec.main}", _as_in(spec))
    return call


def _told(call: Call, told: Item, spec: Step) -> Call:
    """The call with what a file says of it: its main option alone, or a mapping."""
    main = spec.option(spec.main)
    if main is not None and not told.is_mapping:
        alone = _value(told.called(f"{main.name} of {spec.name}"), main)
        return replace(call, options={main.name: alone})
    given = told.called(f"what {spec.name} is told").pairs()
    common = [(key, value) for key, value in given if key.text() in COMMON]
    own = [(key, value) for key, value in given if key.text() not in COMMON]
    if len(said := [key for key, _ in common if key.text() in _FAILURE]) > 1:
        raise said[1].wrong(
            f"{spec.name} has both optional and on-failure",
            "optional: true means on-failure: continue",
        )
    for key, value in common:
        call = COMMON[key.text()].applied(call, value.called(f"{key.text()} of {spec.name}"))
    return replace(call, options=dict(_options(own, spec)))


def _as_in(spec: Step) -> str:
    """How its main option is written."""
    main = spec.option(spec.main)
    shown = "[…, …]" if main and main.kind is Texts else '"…"'
    return f"write it as in - {spec.name}: {shown}; it is {main.why if main else ''}"


def _only_pair(item: Item) -> tuple[Item, Item]:
    pairs = item.pairs()
    if len(pairs) != 1:
        names = ", ".join(shortened(key.text()) for key, _ in pairs[:3]) or "none"
        raise item.wrong(
            f"a step has one name, and here are {len(pairs)}: {names}",
            "options stand deeper than their step, as in - decide: {approval: human}",
        )
    return pairs[0]


def _options(given: Iterable[tuple[Item, Item]], spec: Step) -> Iterator[tuple[str, Value]]:
    for key, value in given:
        if (option := spec.option(key.text())) is None:
            known = (*(each.name for each in spec.options), *COMMON)
            raise key.unknown(f"option of {spec.name}", known)
        yield option.name, _value(value.called(f"{option.name} of {spec.name}"), option)


# ── what may be said of every step ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Common:
    """Something that may be said of any step: a value's shape, and what it makes of the call."""

    why: str
    shape: Shape
    applied: Callable[[Call, Item], Call]


def _optional(call: Call, item: Item) -> Call:
    return replace(call, on_failure=CONTINUE if item.flag() else STOP)


def _retry(call: Call, item: Item) -> Call:
    if not 0 <= (times := item.whole()) <= LIMIT_RETRIES:
        raise item.wrong(f"{item.label} must be 0 to {LIMIT_RETRIES}, not {times}")
    return replace(call, retry=times)


def _on_failure(call: Call, item: Item) -> Call:
    text = " ".join(item.text().split())
    if text not in (STOP, CONTINUE) and not text.startswith(GO_TO):
        known = f"{STOP}, {CONTINUE}, or {GO_TO}and the name of a later step"
        raise item.wrong(f"{item.label} cannot be {shortened(text)!r}", f"one of: {known}")
    return replace(call, on_failure=text)


COMMON: Final[Mapping[str, Common]] = {
    "optional": Common("true if the runbook continues when the step fails", FLAG, _optional),
    "retry": Common(
        "how often a step that fails is tried again",
        Shape(Item.whole, {"type": "integer", "minimum": 0, "maximum": LIMIT_RETRIES}),
        _retry,
    ),
    "on-failure": Common(
        "what comes after a step that failed: stop, continue, or go-to and a later step's name",
        Shape(Item.text, {"type": "string", "pattern": f"^({STOP}|{CONTINUE}|{GO_TO}.+)$"}),
        _on_failure,
    ),
}


_FAILURE: Final = ("optional", "on-failure")


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
    Texts: Shape(
        lambda item: Texts(each.as_written() for each in item.items()),
        {"type": "array", "minItems": 1, "items": TEXT.schema},
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
    if option.choices:
        parts = (
            zip(item.items(), value, strict=True) if isinstance(value, Texts) else [(item, value)]
        )
        for part, each in parts:
            _refuse_no_choice(part, each, option)
    return value


def _refuse_no_choice(item: Item, value: Value, option: Option) -> None:
    choices, word = option.choices, shortened(str(value))
    if value in choices:
        return
    barred = value in option.barred
    few, near = f"one of: {', '.join(choices)}", UnknownName("", word, choices).next_step
    why = f": {option.why_barred}" if barred else ""
    hint = few if barred or len(choices) <= _FEW else near
    raise item.wrong(f"{item.label} cannot be {word!r}{why}", hint)


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
