"""Every fault there is: the rows that the files of this package hold."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import lab.faults
from lab.core import quantity, topology
from lab.core.errors import UnknownName, UsageError, quoted
from lab.core.fitting import TEXT, refuse_unfit
from lab.core.topology import Link, Place, Region
from lab.core.words import listed
from lab.faults.row import FLAGS, IN_SCRIPT, Aim, Aimed, Fault, Spelling, Takes


@cache
def faults() -> tuple[Fault, ...]:
    """Every row, by name: whatever a module of this package keeps in `FAULTS`."""
    found: list[Fault] = []
    for module in iter_modules(lab.faults.__path__, "lab.faults."):
        found += getattr(import_module(module.name), "FAULTS", ())
    return tuple(sorted(found, key=lambda row: row.name))


def fault(name: str) -> Fault:
    """The fault of that name. Raises UnknownName with the nearest."""
    for row in faults():
        if row.name == name:
            return row
    raise UnknownName("fault", name, (row.name for row in faults()))


def aimed(
    row: Fault,
    links: Iterable[Link] = (),
    node: Place | None = None,
    region: Region | None = None,
    amount: float | None = None,
    spelling: Spelling = FLAGS,
) -> Aimed:
    """The fault, pointed at what a user named. Raises UsageError for what does not fit.

    `spelling` is how the user writes its options.
    """
    chosen = tuple(links)
    for given, kind in ((chosen, Takes.LINKS), (node, Takes.NODE), (region, Takes.REGION)):
        if given and row.takes is not kind:
            raise UsageError(
                f"{row.name} takes no {spelling.of(kind.option)}",
                f"it takes {spelling.of(row.takes.option)}" if row.takes is not Takes.NOTHING
                else spelling.alone.format(row.name),
            )  # fmt: skip
    _check_links(row, chosen)
    if node and row.nodes and node not in row.nodes:
        raise UsageError(
            f"{row.name} cannot target {node}", f"one of: {', '.join(map(str, row.nodes))}"
        )
    if amount is not None:
        if row.amount is None:
            raise UsageError(
                f"{row.name} takes no {spelling.of('amount')}", f"see: lab fault list {row.name}"
            )
        row.amount.checked(amount, row.name)
    return row.at(
        Aim(
            chosen or row.default.links,
            node or row.default.node,
            region or row.default.region,
            amount if amount is not None else row.default.amount,
        )
    )


def named(
    row: Fault,
    links: Iterable[str] = (),
    node: str | None = None,
    region: str | None = None,
    amount: float | None = None,
    spelling: Spelling = FLAGS,
) -> Aimed:
    """The same from names, as a person types them. Raises UsageError for a name that is none."""
    return aimed(
        row,
        [topology.link(each) for each in links],
        Place.parse(node) if node is not None else None,
        topology.region(region) if region is not None else None,
        amount,
        spelling,
    )


def typed(
    name: str,
    links: Iterable[str] = (),
    node: str | None = None,
    region: str | None = None,
    amount: str | None = None,
    spelling: Spelling = FLAGS,
) -> Aimed:
    """The same from words of a command line: the amount has a unit. Raises UsageError."""
    row, strength = fault(name), None
    if amount is not None and row.amount is not None:
        flag = spelling.of("amount")
        read = quantity.strength(amount, row.amount.unit, flag)
        strength = row.amount.checked(read, row.name, f"{flag} {quoted(amount)}")
    elif amount is not None:
        strength = 0.0  # refused below, with the right words
    return named(row, links, node, region, strength, spelling)


def in_script(
    name: str, link: str = "", node: str = "", region: str = "", amount: float | None = None
) -> Aimed:
    """The same from a script, which may hold anything. Raises Unfit, UnknownName, UsageError."""
    refuse_unfit(TEXT, fault=name, link=link, node=node, region=region)
    if not name:
        raise UsageError("no fault is named", "see them: lab fault list")
    row = fault(name)
    if amount is not None and row.amount is not None:
        row.amount.fit.refuse("amount", amount)
    links = [link] if link else ()
    return named(row, links, node or None, region or None, amount, IN_SCRIPT)


def _check_links(row: Fault, links: Iterable[Link]) -> None:
    for link in links:
        if row.purposes and link.purpose.name not in row.purposes:
            raise UsageError(
                f"{row.name} cannot target {link.name}",
                f"it acts on links for {listed(row.purposes)}",
            )
