"""What a drill's script may use: the rows that it is made of, and the verbs that do things at once.

    from lab.api import Drill, at_most, fault, main

Each name in `__all__` keeps its meaning until the lab's next major version. Everything else in the
lab may change at any time.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from lab.core.errors import Unfit
from lab.core.fitting import NAME, Fit, refuse_unfit
from lab.core.load import Load
from lab.core.steering import Steering
from lab.core.verdict import Comparison, Objective
from lab.drills import finding
from lab.drills.row import LASTING, MOMENT, Drill, Timed
from lab.drills.strikes import strikes, timed
from lab.faults import catalogue as faults
from lab.faults.row import Aimed
from lab.runbooks.runbook import Call
from lab.runbooks.runbookcalls import RETRIES
from lab.steps import catalogue
from lab.steps.calling import called

if TYPE_CHECKING:
    from lab.drills.byhand import Hands

__all__: Final = (
    "Drill", "Load", "Steering", "at_least", "at_most", "based_on", "fault", "later", "main",
    "step", "up",
)  # fmt: skip
_INTERRUPTED: Final = 130


def fault(
    name: str,
    *,
    link: str = "",
    node: str = "",
    region: str = "",
    amount: float | None = None,
) -> Aimed:
    """A fault as it is pointed: `lab fault list` shows names, what each takes, and the unit.

    What is not said is as the fault's row has it. Raises Unfit, UnknownName, UsageError.
    """
    return faults.in_script(name, link, node, region, amount)


def step(
    name: str, why: str = "", retry: int = 0, **options: str | float | bool | tuple[str, ...]
) -> Call:
    """A step with its options. `why` is what it is for here; the row's own words if it is empty.

    A step that fails is tried again `retry` times, one second apart. Raises UnknownName for a step
    or an option that there is not, UsageError for a wrong value.
    """
    RETRIES.refuse("retry", retry)
    return replace(called(name, options, why), retry=retry)


def later(
    what: Aimed | Call, /, at: float | str, lasting: float | None = None
) -> tuple[Timed, ...]:
    """A fault or a step so many seconds after the drill's faults; a fault ends after `lasting`.

    Where `at` is a step's name, it comes when that step of the runbook begins. The step acts when
    the fault has struck.
    """
    Fit((Aimed, Call), written='fault("delay")').refuse("fault", what)
    if not isinstance(at, str) or not at[:1].isalpha():
        MOMENT.refuse("at", at)
    else:
        catalogue.step(at)
    if isinstance(what, Call):
        if lasting is not None:
            raise Unfit("lasting", "is for a fault, and this is a step", "leave it out")
        return (timed(what, at),)
    if lasting is not None:
        LASTING.refuse("lasting", lasting)
    return strikes(what, at, lasting)


def at_most(name: str, limit: float, why: str) -> Objective:
    """A metric must not exceed a limit, in the metric's own unit (docs/figures.md)."""
    return _objective(name, limit, Comparison.AT_MOST, why)


def at_least(name: str, limit: float, why: str) -> Objective:
    """A metric must reach a limit, in the metric's own unit (docs/figures.md)."""
    return _objective(name, limit, Comparison.AT_LEAST, why)


def _objective(name: str, limit: float, comparison: Comparison, why: str) -> Objective:
    refuse_unfit(NAME, name=name, why=why)
    try:
        Fit(float).refuse("limit", limit)
    except Unfit:  # only the hint needs the unit, and the figures take time to load
        from lab.records.metricrows import figure

        Fit(float, figure(name).unit, example=1).refuse("limit", limit)
    return Objective(name, limit, "", comparison, why)


def based_on(drill: str, /, **changes: Any) -> Drill:
    """Another drill, by its name or file, with some of its fields changed. Raises UnknownName."""
    NAME.refuse("drill", drill)
    return replace(finding.drill(drill), **changes)


def up(
    old: str = "east.db1", new: str = "west.db1", *, seed: int = 1, name: str | None = None
) -> AbstractContextManager[Hands]:
    """A lab that is up, for the verbs of `Hands`; it is healed when the block ends.

    `old` is the primary that verbs replace, `new` the node that takes over.
    """
    from lab.drills import withup

    return withup.up(old, new, seed=seed, name=name)


def main() -> None:
    """Run the drill of the script that is running: what `lab drill ./SCRIPT` does.

    Its options are those of `lab drill`; see `python SCRIPT --help`.
    """
    from lab.__main__ import main as lab

    sys.argv[:] = ["lab", "drill", sys.argv[0], *sys.argv[1:]]
    lab()


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A mistake in a script that runs by itself reads like any error of the lab."""
    from lab.drills.mistakes import explained

    if isinstance(error, KeyboardInterrupt):
        sys.stderr.write("Aborted.\n")
        os._exit(_INTERRUPTED)
    if not isinstance(error, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    told = explained(error, Path(sys.argv[0]))
    sys.stderr.write(f"error: {told}\n")
    os._exit(getattr(error, "exit_code", told.exit_code))


if sys.argv[0].endswith(".py") and Path(sys.argv[0]).is_file():
    sys.excepthook = _told
