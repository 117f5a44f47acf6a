"""What `lab fault` does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted
from lab.core import quantity
from lab.core import topology as places
from lab.core.errors import LabNotUp, UsageError, quoted
from lab.core.wait import pause
from lab.core.words import listed
from lab.faults import catalogue
from lab.faults.acting import Effect
from lab.faults.row import Aimed, Fault

if TYPE_CHECKING:
    from rich.table import Table

_TICK_SECONDS = 0.2


def show(name: str | None, as_json: bool) -> None:
    """Print the catalogue, or one row of it."""
    rows = [catalogue.fault(name)] if name is not None else catalogue.faults()
    if as_json:
        print_json([_plain(row) for row in rows])
    elif name is not None:
        out().print(_whole(rows[0]))
    else:
        out().print(_table(rows))


def _plain(row: Fault) -> dict[str, object]:
    return {
        "name": row.name,
        "why": row.why,
        "teaches": row.teaches,
        "how": row.how,
        "cuts": [str(via) for via in row.cuts],
        "noticed": row.noticed,
        "takes": str(row.takes),
        "default": str(row.default),
        "amount": None
        if row.amount is None
        else {"unit": row.amount.unit, "default": row.amount.default, "what": row.amount.what},
    }


def _table(rows: Iterable[Fault]) -> Table:
    from rich.table import Table  # the commands that act print no table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    table.add_column("fault", no_wrap=True, style="bold")
    table.add_column("what happens", ratio=5)
    table.add_column("pointed at", ratio=3)
    for row in rows:
        table.add_row(row.name, row.why, _target(row))
    return table


def _target(row: Fault) -> str:
    return f"{row.takes.flag} {row.default}" if row.takes.flag else ""


def _whole(row: Fault) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    strength = row.amount
    for title, text in (
        ("fault", row.name),
        ("what happens", row.why),
        ("teaches", row.teaches),
        ("how it is done", row.how),
        ("noticed", row.noticed),
        ("cuts", listed(row.cuts) or "nothing"),
        ("pointed at", _target(row)),
        ("strength", f"--amount: {strength.what}, {strength.default:g} {strength.unit} if nothing"
                     f" is said ({strength.least:g} to {strength.most:g})" if strength else ""),
    ):  # fmt: skip
        if text:
            table.add_row(title, Text(text))
    return table


def aimed(
    name: str, links: Iterable[str], node: str | None, region: str | None, amount: str | None
) -> Aimed:
    """What the command line names. Raises UsageError."""
    row = catalogue.fault(name)
    strength = None
    if amount is not None and row.amount is not None:
        read = quantity.strength(amount, row.amount.unit, "--amount")
        strength = row.amount.checked(read, row.name, f"--amount {quoted(amount)}")
    elif amount is not None:
        strength = 0.0  # refused below, with the right words
    return catalogue.aimed(
        row,
        [places.link(each) for each in links],
        places.Place.parse(node) if node is not None else None,
        places.region(region) if region is not None else None,
        strength,
    )


def lasting(text: str | None) -> float | None:
    """Seconds of `--for`. Raises UsageError."""
    if text is None:
        return None
    seconds = quantity.wait(text, "--for")
    if seconds == 0:
        raise UsageError(f"--for {quoted(text)} is no time", "write more than 0 s, such as 30s")
    return seconds


def inject(chosen: Aimed, seconds: float | None, name: str | None, as_json: bool) -> None:
    """Break it; with a duration, wait and heal it whatever happens."""
    from lab.core.interrupts import ended
    from lab.faults import acting
    from lab.testbed import lifecycle
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    with (
        lifecycle.exclusive(lab_name, f"inject {chosen.name}"),
        told_when_interrupted(),
        Lab.attached(lab_name) as lab,
    ):
        effects = list[Effect]()

        def break_it() -> None:
            with say().step(f"{chosen}: until its effect is seen"):
                effects.append(acting.inject(lab, chosen))
            if seconds is not None:
                _last(chosen, seconds)

        def put_right() -> None:
            if effects and seconds is not None:
                with say().step(f"{chosen}: healing"):
                    effects.append(acting.heal(lab, chosen))

        ended(break_it, put_right, f"wait: {chosen} is being healed, and the command then ends")
    _tell(effects, as_json)
    if seconds is None and not as_json:
        say().note("end it with: lab fault heal --all")


def _last(chosen: Aimed, seconds: float) -> None:
    with say().step(f"{chosen}: in force for {seconds:g} s"):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            pause(min(left, _TICK_SECONDS))


def heal(chosen: Aimed | None, name: str | None, as_json: bool) -> None:
    """Heal one fault, or all that are in force."""
    from lab.faults import acting, aftercare
    from lab.host import engine
    from lab.infra import settings
    from lab.testbed import lifecycle
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    if not settings.settings_file(lab_name).exists():
        raise LabNotUp(lab_name)
    engine.ensure_host(say())  # a fault may have ended it
    with (
        lifecycle.exclusive(lab_name, "heal faults"),
        told_when_interrupted(),
        Lab.attached(lab_name, dark=True) as lab,
    ):
        with say().step("healing, until a probe has seen it work"):
            effects = [acting.heal(lab, chosen)] if chosen else [*acting.heal_all(lab)]
        rest = aftercare.rest(lab, [each.aimed for each in effects], acting.in_force(lab))
    _tell(effects, as_json)
    for line in rest:
        say().warn(line)


def _tell(effects: list[Effect], as_json: bool) -> None:
    if as_json:
        print_json([_effect(each) for each in effects])
        return
    for each in effects:
        out().print(str(each), markup=False)
    if not effects:
        out().print("no fault is in force")


def _effect(each: Effect) -> dict[str, object]:
    return {
        "fault": each.aimed.name,
        "target": str(each.aimed.aim),
        "amount": each.aimed.aim.amount,
        "already": each.already,
        "seconds": round(each.seconds, 3),
        "evidence": each.evidence,
    }
