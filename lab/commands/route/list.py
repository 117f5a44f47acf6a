"""The command `lab route list`: the routing policies, or one of them with its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lab.commands.parsing.options import Json
from lab.commands.route.words import any_policy
from lab.commands.terminal import print_json, print_list

if TYPE_CHECKING:
    from apps.steering.policies.row import Option


def list_policies(
    policy: Annotated[str | None, any_policy("The options of this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the routing policies, or the options of one: what each sets, its limits and default."""
    from apps.steering.policies import POLICIES
    from lab.patience import routes

    if policy is not None:
        rows = routes.options(policy)
        if as_json:
            print_json([_plain(name, row) for name, row in rows.items()])
        else:
            columns = ("option", "default", "takes", "what it sets")
            told = ((name, str(r.default), _takes(r), r.what) for name, r in rows.items())
            print_list(columns, told)
    elif as_json:
        print_json([{"name": row.name, "does": row.does} for row in POLICIES.values()])
    else:
        print_list(("policy", "what it does"), ((r.name, r.does) for r in POLICIES.values()))


def _plain(name: str, row: Option) -> dict[str, object]:
    return {"name": name, "what": row.what, "takes": _takes(row), "default": row.default}


def _takes(row: Option) -> str:
    if row.words:
        return " or ".join(row.words)
    limits = f", {row.least:g} to {row.most:g}" if row.most else ""
    return f"{row.kind}{limits}"
