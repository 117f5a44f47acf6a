"""The command `lab reconcile`: carry orders over that only a lost machine had."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Json, Name, completing, runs
from lab.commands.terminal import chosen_name, out, print_json

if TYPE_CHECKING:
    from lab.drills.reconcile import Reconciliation

_SHOWN = 20


def reconcile(
    run: Annotated[
        str,
        typer.Argument(help="A run's folder, or a file of orphans.",
                       autocompletion=completing(runs)),
    ],
    apply: Annotated[
        bool, typer.Option("--apply", help="Replay what has no conflict, in one transaction.")
    ] = False,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show the orders that only a lost machine had; replay them."""
    from lab.drills import reconcile
    from lab.testbed.lab import Lab
    from lab.testbed.turns import exclusive

    name_of_run, found = reconcile.told_by(run)
    chosen = chosen_name(name)
    with (
        exclusive(chosen, "replay orphans") if apply else nullcontext(),
        Lab.attached(chosen) as lab,
    ):
        act = reconcile.apply if apply else reconcile.look
        done = act(lab, name_of_run, found)
    if as_json:
        print_json(_document(done))
    else:
        _show(done)


def _document(done: Reconciliation) -> dict[str, object]:
    return {
        "run": done.run,
        "writer": str(done.writer),
        "counts": {state.value: count for state, count in done.counts.items()},
        "replayed": done.replayed,
        "accounts": done.accounts,
        "standby": done.standby,
        "orphans": [
            {
                "key": each.orphan.order.key,
                "customer": each.orphan.order.customer,
                "outcome": each.orphan.outcome,
                "loser": each.orphan.loser,
                "state": each.state.value,
                "why": each.why,
                "new_customer": each.new_customer,
            }
            for each in done.decisions
        ],
    }


def _show(done: Reconciliation) -> None:
    from rich.markup import escape

    from lab.core.plaintable import plain_table

    table = plain_table("", "order*", "told", "on", "state", "why*", between=2)
    for each in done.decisions[:_SHOWN]:
        orphan = each.orphan
        row = (orphan.order.key, orphan.outcome, orphan.loser, each.state.value, each.why)
        table.add_row(*map(escape, row))  # a key may hold brackets
    out().print(table)
    if len(done.decisions) > _SHOWN:
        out().print(f"… and {len(done.decisions) - _SHOWN} more; all of them with --json")
    counts = ", ".join(f"{count} {state.value}" for state, count in done.counts.items())
    out().print(f"{len(done.decisions)} orphans against {done.writer}: {counts}")
    out().print(_ending(done))


def _ending(done: Reconciliation) -> str:
    if done.replayed is None:
        ready = any(each.state == "ready" for each in done.decisions)
        return "nothing was changed; replay them with --apply" if ready else "nothing to replay"
    if not done.replayed:
        return "nothing was left to replay"
    accounts = len(done.accounts or ())
    along = f", and {accounts} accounts were created without a password" if accounts else ""
    return f"{len(done.replayed)} orders were replayed{along}; {done.standby}"
