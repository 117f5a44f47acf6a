"""The command `lab route show`: the routing policy that each steering uses now."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lab.commands.parsing.options import Json, Name
from lab.commands.terminal import chosen_name, out, print_json

if TYPE_CHECKING:
    from lab.infra.clients import SteeringState


def show(name: Name = None, as_json: Json = False) -> None:
    """Show the policy that each steering uses, with all of its options, and what it answers."""
    from lab.core.errors import LabError
    from lab.core.topology import REGIONS
    from lab.testbed.lab import Lab

    found: dict[str, SteeringState | None] = {region.name: None for region in REGIONS}
    with Lab.attached(chosen_name(name), dark=True) as lab:
        for region in REGIONS:
            with suppress(LabError):
                found[region.name] = lab.steerings[region].state()
    if as_json:
        print_json({each: state and _plain(state) for each, state in found.items()})
        return
    for where, state in found.items():
        told = "its steering does not answer" if state is None else _told(state)
        out().print(f"{where}: {told}", markup=False)


def _plain(state: SteeringState) -> dict[str, object]:
    return {"route": state.route, "answer": state.answer, "pinned": state.pinned}


def _told(state: SteeringState) -> str:
    from lab.core.words import listed

    policy = state.other_route or f"{state.route.get('policy')} (the default)"
    pin = f"; pinned to {state.pinned}, which comes first" if state.pinned else ""
    return f"{policy}; its users are sent to {listed(state.answer) or 'no address'}{pin}"
