"""The command `lab shop check`: what a shop of one's own lacks to take the place of the lab's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Json, Name, completing, regions
from lab.commands.terminal import chosen_name, out, print_json, say
from lab.core.errors import LabError, Refused, UsageError

if TYPE_CHECKING:
    from lab.core.topology import Place
    from lab.infra.shopcontract import Finding
    from lab.infra.shoptrial import Beside, Trial
    from lab.testbed.lab import Lab

_WORDS = {"kept": "kept", "missing": "left out", "untried": "not tried"}


def check(
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL", show_default=False,
            help="Where a shop answers; if left out, the shop of a lab that is up.",
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            metavar="REGION", help="Whose shop, of a lab that is up.",
            autocompletion=completing(regions),
        ),
    ] = "east",
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Try what the lab asks of a shop, and name what is missing.

    The exit code is 1 if the shop cannot take the place of the lab's. Without a URL the command
    places orders in a lab that is up, and twice freezes the synchronous standby for 2 s. With a
    URL it takes the operators' key from JWT_KEY.
    """
    from lab.infra import shopcontract
    from lab.infra.shoptrial import Trial

    if url is None:
        findings = _of_lab(chosen_name(name), region)
    else:
        findings = _examined(Trial(url, os.environ.get("JWT_KEY", "")))
    broken, untried = shopcontract.broken(findings), shopcontract.untried(findings)
    if as_json:
        clauses = [_row(each) for each in findings]
        print_json({"conforms": not broken, "untried": untried, "clauses": clauses})
    else:
        _print(findings)
    if broken:
        raise Refused(
            f"the shop does not do what the lab asks of it: {', '.join(broken)}",
            "what each clause asks for: docs/shop.md",
        )
    left = f"; not tried: {', '.join(untried)}" if untried else ""
    say().note(f"nothing that a drill needs is missing{left}")


def _examined(trial: Trial) -> tuple[Finding, ...]:
    """Try all of the contract. Raises LabError when nothing answers at all."""
    import requests

    from lab.infra import shopcontract

    try:
        trial.ask("GET", "/livez")
    except (requests.ConnectionError, requests.Timeout) as error:
        raise LabError(
            f"no shop answers at {trial.url}: {type(error).__name__}", "see whether it runs"
        ) from error
    except requests.RequestException as error:
        raise UsageError(f"{trial.url} is not the address of a shop: {error}") from error
    with say().step(f"{trial.url}: trying the {len(shopcontract.CLAUSES)} clauses (about 10 s)"):
        return shopcontract.examine(trial)


def _of_lab(lab_name: str, region_name: str) -> tuple[Finding, ...]:
    from lab.core.topology import Place, port_of, region
    from lab.infra.shoptrial import Trial
    from lab.testbed import turns
    from lab.testbed.lab import Lab

    gateway = Place(region(region_name).name, "gateway")
    with turns.exclusive(lab_name, "check a shop"), Lab.attached(lab_name) as lab:
        scheme = "https" if lab.settings.https else "http"
        url = f"{scheme}://127.0.0.1:{lab.engine.port(gateway, port_of('guest'))}"
        authority = str(lab.settings.authority_file) if lab.settings.https else None
        return _examined(Trial(url, lab.settings.jwt_key, authority, beside(lab)))


def beside(lab: Lab) -> Beside | None:
    """The database behind a lab's shops; None while there is no one primary."""
    from lab.infra.logins import SHOP_ROLE
    from lab.infra.shoptrial import Beside

    primaries = lab.databases.primaries()
    if len(primaries) != 1:
        return None
    [primary] = primaries

    def rows(key: str) -> int:
        counted = lab.databases[primary].query(
            "SELECT count(*) FROM orders WHERE key = %s", (key,), database="shop"
        )
        return int(counted[0][0])

    def end_waiting() -> int:
        ended = lab.databases[primary].query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = %s AND wait_event = 'SyncRep'",
            (SHOP_ROLE,),
        )
        return len(ended)

    return Beside(primary.server_name, rows, lambda: _alone(lab, primary), end_waiting)


@contextmanager
def _alone(lab: Lab, primary: Place) -> Iterator[None]:
    """A frozen standby, which `lab status` shows and `lab fault heal` heals if this is killed."""
    from lab.infra.shoptrial import Untried

    names = lab.databases[primary].query("SHOW synchronous_standby_names")[0][0]
    if primary.twin.server_name not in names:
        raise Untried(f"{primary} waits for no standby beside it: lab reset makes it wait")
    try:
        lab.engine.freeze([primary.twin])
        yield
    finally:
        lab.engine.thaw([primary.twin])


def _row(found: Finding) -> dict[str, object]:
    return {
        "name": found.clause.name,
        "must": found.clause.must,
        "state": found.state.value,
        "reasons": found.reasons,
    }


def _print(findings: Iterable[Finding]) -> None:
    """A line for each clause, and under those that are not kept why, in full."""
    for each in findings:
        word = "MISSING" if each.breaks else _WORDS[each.state.value]
        out().print(f"{each.clause.name:<12} {word}")
        costs = [] if each.clause.must or not each.reasons else [each.clause.why]
        for text in (*each.reasons, *costs):
            out().print(f"    {text}", soft_wrap=not out().is_terminal)
