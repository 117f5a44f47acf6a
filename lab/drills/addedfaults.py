"""Faults that a command line adds to a run: `--with 'freeze node=west.db2 at=promote'`. Pure.

    FAULT [amount=…] [link=… | node=… | region=…] [at=DURATION | at=STEP] [for=DURATION]

Without `at` the fault is in force before the drill's own faults. `at=3s` counts from them, and
`at=promote` is the moment in which that step begins. `for` counts from the strike; without `at` it
counts from the drill's faults. Without `for` the fault ends with the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from lab.core import quantity
from lab.core.errors import LabError, UnknownName, UsageError, quoted
from lab.drills.row import LASTING, MOMENT, Drill, Timed
from lab.drills.strikes import INJECT, before, ends, is_strike, strikes
from lab.faults import catalogue
from lab.faults.row import IN_SCRIPT, Aimed
from lab.runbooks.runbook import Call
from lab.steps.arranging import aim_of, call_of

FLAG: Final = "--with"
TARGETS: Final = ("link", "node", "region")
OPTIONS: Final = ("amount", *TARGETS, "at", "for")
_EXAMPLE: Final = "freeze node=west.db2 at=3s for=10s"
_NUMBER: Final = re.compile(r"[-+.]?[0-9]")


@dataclass(frozen=True, slots=True)
class Added:
    """A fault that is added: when it strikes, and how long it lasts.

    `at` is None for one that strikes before the drill's faults, `lasting` for one that is healed at
    the end of the run.
    """

    aimed: Aimed
    at: float | str | None = None
    lasting: float | None = None

    @property
    def arrange(self) -> tuple[Call, ...]:
        """What is done before the drill's faults."""
        return before(self.aimed) if self.at is None else ()

    @property
    def meanwhile(self) -> tuple[Timed, ...]:
        """What is done beside the runbook."""
        if self.at is not None:
            return strikes(self.aimed, self.at, self.lasting)
        return () if self.lasting is None else (ends(self.aimed, self.lasting),)

    def __str__(self) -> str:
        """The text that `read` turns into this."""
        given = dict(call_of(INJECT, self.aimed).options)
        words = [str(given.pop("fault"))]
        if self.aimed.fault.amount is not None and "amount" in given:
            amount = float(str(given["amount"]))
            given["amount"] = quantity.written(amount, self.aimed.fault.amount.unit)
        words += [f"{name}={value}" for name, value in given.items()]
        words += [f"at={_told(self.at)}"] if self.at is not None else []
        words += [f"for={_told(self.lasting)}"] if self.lasting is not None else []
        return " ".join(words)


def _told(moment: float | str) -> str:
    return moment if isinstance(moment, str) else quantity.written(moment)


def read(text: str) -> Added:
    """The fault that a text adds. Raises UsageError for what is wrong in it; no lab is asked."""
    name, *words = text.split() or [""]
    if not name or "=" in name:
        raise UsageError("no fault is named", "its name comes first; see: lab fault list")
    catalogue.fault(name)
    given = dict(_options(words))
    several = [each for each in TARGETS if each in given]
    if len(several) > 1:
        raise UsageError(
            f"{' and '.join(several)} are given together", "a fault has one target: keep one"
        )
    links = [given["link"]] if "link" in given else []
    aimed = catalogue.typed(
        name, links, given.get("node"), given.get("region"), given.get("amount"), IN_SCRIPT
    )
    at, lasting = given.get("at"), given.get("for")
    return Added(
        aimed, None if at is None else _moment(at), None if lasting is None else _lasting(lasting)
    )


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Names and values. Raises UsageError for a word that is no option, or given twice."""
    seen = set[str]()
    for word in words:
        name, sign, value = word.partition("=")
        if name not in OPTIONS:
            raise UnknownName(f"option of {FLAG}", name, OPTIONS)
        if not sign or not value:
            raise UsageError(f"{name} has no value", f"write {name}=VALUE, without a space")
        if name in seen:
            raise UsageError(f"{name} is given twice", "keep one of them")
        seen.add(name)
        yield name, value


def _moment(text: str) -> float | str:
    """Seconds, or a step's name."""
    return _up_to(MOMENT.most, text, "at") if _NUMBER.match(text) else text


def _lasting(text: str) -> float:
    seconds = _up_to(LASTING.most, text, "for")
    if not seconds:
        raise UsageError(f"for {quoted(text)} is no time", "write more than 0 s, such as for=10s")
    return seconds


def _up_to(most: float, text: str, what: str) -> float:
    seconds = quantity.wait(text, what)
    if seconds > most:
        limit = quantity.written(most)
        raise UsageError(f"{what} {quoted(text)} is more than {limit}", f"write {limit} or less")
    return seconds


# ── added to a drill ─────────────────────────────────────────────────────────────────────────


def added_to(drill: Drill, texts: Iterable[str]) -> Drill:
    """The drill with the faults of these texts. Raises UsageError, which shows the wrong text."""
    for text in texts:
        try:
            drill = _added(drill, read(text))
        except LabError as error:
            raise UsageError(
                f"{FLAG} {quoted(text)}: {error.message}",
                f"{error.next_step}; for example {FLAG} '{_example(text, drill)}'",
            ) from error
    return drill


def _added(drill: Drill, one: Added) -> Drill:
    _refuse_unfit(one, drill)
    if _bare(one.aimed) in map(_bare, _faults_of(drill)):
        raise UsageError(
            f"the run has {replace(one, at=None, lasting=None)} already",
            "a run has each fault once: leave one out, or choose another target",
        )
    more = replace(
        drill,
        arrange=(*drill.arrange, *one.arrange),
        meanwhile=(*drill.meanwhile, *one.meanwhile),
        added=(*drill.added, str(one)),
    )
    more.refuse_no_step()
    return more


def _refuse_unfit(one: Added, drill: Drill) -> None:
    """Raise UsageError for a fault that no run can have, or not at that moment."""
    row = one.aimed.fault
    if row.unfit:
        raise UsageError(
            f"{row.name} cannot be part of a run: {row.unfit}",
            f"inject it by itself: lab fault inject {row.name}",
        )
    if row.after_failover and one.at is None:
        raise UsageError(
            f"{row.name} needs a primary that was replaced, and before the faults there is none",
            f"name a step that comes after the failover: at={_last_step(drill)}",
        )
    late = max((each.at for each in one.meanwhile), default=0.0)
    if late >= drill.bound:
        raise UsageError(
            f"the run is over by then: {drill.name} has {drill.bound:g} s",
            f"strike and end within less than {drill.bound:g} s",
        )


def _last_step(drill: Drill) -> str:
    return drill.book.steps[-1].step


def _faults_of(drill: Drill) -> Iterator[Aimed]:
    """All that it injects."""
    yield from drill.faults
    calls = (*drill.arrange, *(each.call for each in drill.meanwhile))
    yield from (aim_of(each.options) for each in calls if is_strike(each))


def _bare(aimed: Aimed) -> Aimed:
    """A fault of any strength."""
    return replace(aimed, aim=replace(aimed.aim, amount=None))


def _example(text: str, drill: Drill) -> str:
    """How the fault that a text begins with is added, if it can be; otherwise another one."""
    there = {each.name for each in _faults_of(drill)}
    for row in catalogue.faults():
        if text.split()[:1] == [row.name] and not row.unfit and row.name not in there:
            return str(Added(row.at(), _last_step(drill) if row.after_failover else 3.0, 10.0))
    return _EXAMPLE
