"""Objectives that the user sets, in a command or a file, instead of the drill's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lab.core.errors import UsageError
from lab.core.quantity import amount
from lab.core.verdict import Comparison, Objective, Verdict
from lab.metrics.objectives import ALWAYS
from lab.records.metricrows import figure, flags

OPERATORS: Final[Mapping[str, Comparison]] = {
    "<=": Comparison.AT_MOST,
    ">=": Comparison.AT_LEAST,
    "==": Comparison.EXACTLY,
}
_OBJECTIVE: Final = re.compile(r"\s*([^<>=]*[^<>=\s])\s*([<>=]+)\s*(\S*)\s*")
_SET_HERE: Final = "set on the command line"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Objectives of one command line, and the arguments that say them again.

    `objectives` take the place of a drill's own of the same figure, `more` are judged beside them.
    """

    objectives: tuple[Objective, ...] = ()
    arguments: tuple[str, ...] = ()
    more: tuple[Objective, ...] = ()

    def instead_of(self, own: Iterable[Objective]) -> tuple[Objective, ...]:
        """The objectives in force: a drill's own, but for figures that are named here."""
        places = {item.name: [item] for item in own}
        places |= {item.name: [] for item in self.objectives}
        for item in self.objectives:
            places[item.name].append(item)
        return (*(item for items in places.values() for item in items), *self.more)

    def before(self, others: Wanted) -> Wanted:
        """These, and of the others those for figures that are not named here."""
        return Wanted(
            replace(self, more=()).instead_of(others.objectives),
            (*others.arguments, *self.arguments),
            (*self.more, *others.more),
        )


def read(
    limits: Mapping[str, str | None], general: Sequence[str], own: Sequence[Objective]
) -> Wanted:
    """What flags say: `limits` by the short flags of metrics, `general` such as `lost<=3`.

    Reasons, and what a breach means, come from the drill's `own` objective of the same figure.
    Raises UsageError for amounts that cannot be read, unknown figures, and a figure that is
    compared in the same way twice.
    """
    given = {flag: text for flag, text in limits.items() if text is not None}
    short = tuple(
        objective(flags()[flag], Comparison.AT_MOST, text, f"--{flag}", own)
        for flag, text in given.items()
    )
    found = (*short, *(_general(text, own) for text in general))
    _refuse_twice(found)
    arguments = [word for flag, text in given.items() for word in (f"--{flag}", text)]
    arguments += [word for text in general for word in ("--objective", text)]
    return Wanted(found, tuple(arguments))


def _general(text: str, own: Sequence[Objective]) -> Objective:
    match = _OBJECTIVE.fullmatch(text)
    if not match or match[2] not in OPERATORS:
        raise UsageError(
            f"--objective {text!r} is no objective",
            "write FIGURE<=VALUE in quotes (or >=, ==), such as --objective 'rto_seconds<=30s'",
        )
    return objective(
        match[1], OPERATORS[match[2]], match[3], f"--objective {match[1]}{match[2]}", own
    )


def objective(
    name: str,
    comparison: Comparison,
    text: str,
    what: str,
    own: Sequence[Objective],
    source: str = _SET_HERE,
) -> Objective:
    """One objective. `what` names the value in messages, `source` begins its reason.

    The rest of the reason, and what a breach means, come from the drill's `own` objective of the
    figure. Raises UsageError.
    """
    unit = _figure(name)
    like = next((item for item in (*own, *ALWAYS) if item.name == name), None)
    return Objective(
        name,
        amount(text, unit, what),
        unit,
        comparison,
        f"{source}: {like.why}" if like else source,
        like.breach if like else Verdict.FAIL,
    )


def _figure(name: str) -> str:
    """The unit of a figure that there is. Raises UnknownName, or UsageError for a short name."""
    if (meant := flags().get(name, name)) != name:
        raise UsageError(f"there is no figure called {name!r}", f"did you mean {meant}?")
    return figure(name).unit


def _refuse_twice(found: Iterable[Objective]) -> None:
    seen: set[tuple[str, Comparison]] = set()
    for item in found:
        if (item.name, item.comparison) in seen:
            raise UsageError(
                f"{item.name} is given two limits of the same kind", "leave one of them out"
            )
        seen.add((item.name, item.comparison))
