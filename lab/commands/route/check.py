"""The command `lab route check`: what a policy does with users in each situation; needs no lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lab.commands.parsing.options import Json
from lab.commands.route.words import Options, any_policy, policies
from lab.commands.terminal import print_json, print_list

if TYPE_CHECKING:
    from apps.steering.decide import Answer


def check(
    policy: Annotated[
        str | None, any_policy("Only this one; if left out, each with its defaults.")
    ] = None,
    option: Options = None,
    as_json: Json = False,
) -> None:
    """Predict where each policy sends the users of both regions. Needs no lab, changes nothing.

    The prediction is for health checks that have settled, and for an own region that answers in
    10 ms and another one that answers in 90 ms. No steering is pinned.
    """
    from lab.patience import routes

    given = [policy] if policy is not None else policies()
    found = [*routes.table([routes.read(each, option or ()) for each in given])]
    if as_json:
        print_json(
            [
                {"route": route.document(), "situation": case.name,
                 **{viewer: _plain(each) for viewer, each in sent.items()}}
                for route, case, sent in found
            ]
        )  # fmt: skip
        return
    columns = ("policy", "situation", "east's users", "west's users")
    print_list(
        columns,
        (
            (str(route), case.name, _told(sent["east"]), _told(sent["west"]))
            for route, case, sent in found
        ),
    )


def _told(answer: Answer) -> str:
    return str(answer) or "no address"


def _plain(answer: Answer) -> dict[str, object]:
    return {"shares": dict(answer.weights), "why": answer.why}
