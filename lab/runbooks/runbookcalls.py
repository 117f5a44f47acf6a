"""The steps in a runbook's file: names that are rows, with options that fit them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from lab.core.errors import UnknownName, UsageError
from lab.core.quantity import duration
from lab.runbooks.runbook import Call, Option, Repeats, Spec, Value
from lab.runbooks.yamlnode import LIMIT_NUMBER, Item, shortened

LIMIT_STEPS: Final = 100
_FEW: Final = 4


def calls(item: Item, specs: Mapping[str, Spec]) -> tuple[Call, ...]:
    """The steps of a list, in their order. Raises BadRunbook."""
    items, found = item.items(), list[Call]()
    if len(items) > LIMIT_STEPS:
        raise item.wrong(f"{len(items)} steps: more than {LIMIT_STEPS} are no runbook")
    for each in items:
        call = _step(each.called("a step"), specs)
        _refuse_again(each, call, found, specs[call.step])
        found.append(call)
    return tuple(found)


def _refuse_again(item: Item, call: Call, earlier: Sequence[Call], spec: Spec) -> None:
    last = next((each for each in reversed(earlier) if each.step == call.step), None)
    if last is None or spec.repeats is Repeats.ALWAYS:
        return
    if spec.repeats is Repeats.NO:
        raise item.wrong(
            f"{call.step} is on line {last.line} already: it is done once", "take one of them out"
        )
    if spec.chosen(last.options) == spec.chosen(call.options):
        raise item.wrong(
            f"{call.step} is on line {last.line} already, with the same options",
            "take one of them out, or say what is to be different",
        )


def _step(item: Item, specs: Mapping[str, Spec]) -> Call:
    key, options = (item, None) if not item.is_mapping else _only_pair(item)
    name = key.text()
    if name not in specs:
        raise key.unknown("step", specs)
    if options is None or options.is_nothing:
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


def _options(item: Item, spec: Spec) -> Iterator[tuple[str, Value]]:
    for key, value in item.called(f"what {spec.name} is told").pairs():
        if not spec.options:
            raise key.wrong(f"{spec.name} takes no options")
        if (option := spec.option(key.text())) is None:
            raise key.unknown(f"option of {spec.name}", (each.name for each in spec.options))
        yield option.name, _value(value.called(f"{option.name} of {spec.name}"), option)


_KINDS: Final[Mapping[type, Callable[[Item], Value]]] = {
    str: Item.text,
    bool: Item.flag,
    int: Item.whole,
    float: Item.number,
    tuple: lambda item: tuple(each.whole() for each in item.items()),
}


def _value(item: Item, option: Option) -> Value:
    timed = option.measure.seconds and item.is_text
    value = _duration(item, option) if timed else _KINDS[option.kind](item)
    if not option.holds(value):
        raise item.wrong(
            f"{item.label} must be {option.least} to {option.most}, not {value}",
            f"{option.told}: choose one between them",
        )
    if option.choices and value not in option.choices:
        raise item.wrong(
            f"{item.label} cannot be {shortened(str(value))!r}", _near(str(value), option.choices)
        )
    return value


def _duration(item: Item, option: Option) -> float:
    unit = option.measure
    try:
        value = duration(shortened(item.text()), item.label, unit.usual) / unit.seconds
    except UsageError as error:
        raise item.wrong(error.message, error.next_step) from error
    if value > LIMIT_NUMBER:
        raise item.wrong(f"{item.label} is more than {LIMIT_NUMBER} {option.unit}")
    if option.kind is float:
        return value
    if value != int(value):
        raise item.wrong(f"{item.label} must be whole {unit.word}, not {value:g} {option.unit}")
    return int(value)


def _near(word: str, known: Iterable[str]) -> str:
    """A hint: all words, if they are few; else the nearest, or all."""
    words = [*known]
    if len(words) <= _FEW:
        return f"one of: {', '.join(words)}"
    return UnknownName("", shortened(word), words).next_step
