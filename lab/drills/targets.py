"""Sets of objectives in a file, one of which `--targets FILE` or `--targets FILE:NAME` chooses.

    checkout:
      longest_read_gap_seconds: 200ms
      rto_seconds.east: 5m
      acknowledged: ">= 1000"

A value is an upper limit, in a unit of the figure's kind, unless `>=` or `==` begins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.core.errors import BadTargets, UnknownName, UsageError
from lab.core.paths import is_folder
from lab.core.verdict import Comparison, Objective
from lab.core.words import listed
from lab.metrics.customobjectives import OPERATORS, Wanted, objective
from lab.runbooks import yamlnode
from lab.runbooks.yamlnode import Item

FLAG: Final = "--targets"


def read(given: str | None, own: Sequence[Objective]) -> Wanted:
    """The objectives of the set that the option gives; none without the option.

    `own` are the drill's, which say why a figure matters. Raises BadTargets with the line of the
    first mistake, and UsageError if the option does not choose one set.
    """
    if given is None:
        return Wanted()
    path, name = _split(given)
    sets = _sets(path)
    found = {each: tuple(_objectives(each, item, own)) for each, item in sets.items()}
    return Wanted(found[_chosen(path, name, sets)], (FLAG, given))


def _split(given: str) -> tuple[Path, str]:
    """The file, and the name of a set in it; a file may have a colon in its own name."""
    path, colon, name = given.rpartition(":")
    if not colon or not path or Path(given).is_file() or is_folder(Path(given)):
        return Path(given), ""
    return Path(path), name


def _sets(path: Path) -> dict[str, Item]:
    text = yamlnode.read(path, BadTargets)
    item = yamlnode.document(text, str(path), "a file of objectives", BadTargets)
    found = {key.text(): value for key, value in item.pairs()}
    if not found:
        raise item.wrong("there is no set of objectives in it")
    return found


def _chosen(path: Path, name: str, sets: dict[str, Item]) -> str:
    if not name:
        if len(sets) == 1:
            return next(iter(sets))
        raise UsageError(
            f"{FLAG} {path}: there are {len(sets)} sets in it, {listed(sets)}",
            f"choose one: {FLAG} {path}:{next(iter(sets))}",
        )
    if name not in sets:
        error = UnknownName("set of objectives", name, sets)
        raise UsageError(f"{FLAG} {path}: {error.message}", error.next_step)
    return name


def _objectives(name: str, item: Item, own: Sequence[Objective]) -> list[Objective]:
    pairs = item.pairs()
    if not pairs:
        raise item.wrong(f"the set {name} is empty")
    return [_objective(name, key, value, own) for key, value in pairs]


def _objective(name: str, key: Item, value: Item, own: Sequence[Objective]) -> Objective:
    figure, text = key.text(), value.as_typed()
    sign = next((each for each in OPERATORS if text.startswith(each)), "")
    comparison, limit = OPERATORS.get(sign, Comparison.AT_MOST), text.removeprefix(sign).strip()
    try:
        return objective(figure, comparison, limit, figure, own, f"target set {name}")
    except UsageError as error:
        raise key.wrong(error.message, error.next_step) from error
