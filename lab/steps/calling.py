"""What a script names, held against the rows at once: a step with its options, a database."""

from __future__ import annotations

from collections.abc import Mapping

from lab.core.errors import UnknownName, UsageError
from lab.core.fitting import TEXT, refuse_unfit
from lab.core.topology import DATABASES, Place
from lab.runbooks.option import Value
from lab.runbooks.runbook import Call
from lab.steps import catalogue


def called(name: str, options: Mapping[str, Value], why: str = "") -> Call:
    """The call of that step. Raises UnknownName, Unfit, UsageError; no lab is asked."""
    refuse_unfit(TEXT, step=name, why=why)
    row = catalogue.step(name)
    for option, value in options.items():
        found = row.option(option)
        if found is None:
            raise UnknownName(f"option of {name}", option, (each.name for each in row.options))
        found.refuse_unfit(value)
    if row.main and not options.get(row.main):
        raise UsageError(f"{name} does not say its {row.main}", f"step({name!r}, {row.main}=…)")
    row.fits(row.chosen(options))
    return Call(name, dict(options), why=why)


def database(name: str) -> Place:
    """The database of that name. Raises UnknownName, also for another machine."""
    for each in DATABASES:
        if name in (str(each), each.server_name, each.container):
            return each
    raise UnknownName("database", name, (str(each) for each in DATABASES))
