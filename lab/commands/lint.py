"""The command `lab lint`: addresses in configuration files that cannot follow a failover."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Json
from lab.commands.terminal import out, print_json
from lab.core.errors import UsageError, quoted

if TYPE_CHECKING:
    from lab.infra.fixedaddresses import Judged


def lint(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", show_default=False,
            help="Configuration files, or patterns in quotes: 'config/**/*.env'.",
        ),
    ],
    moves: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST", show_default=False,
            help="A name that your runbooks move, or a pattern: '*.moves.example'. May be"
            " repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Count addresses that cannot follow a failover.

    It reads configuration files. Clients with the address of one machine or of one region stay
    there when a runbook moves the others. The exit code is 1 if there is such an address.
    Passwords are not printed.
    """
    from lab.infra import fixedaddresses

    moving = (*fixedaddresses.MOVING, *map(_pattern, moves or ()))
    found = {
        path: fixedaddresses.judge(fixedaddresses.addresses(_text(path)), moving)
        for path in _named(files)
    }
    fixed = sum(map(_fixed, found.values()))
    if as_json:
        print_json(_data(found, fixed))
    else:
        _print(found, fixed)
    raise typer.Exit(1 if fixed else 0)


def _fixed(judged: tuple[Judged, ...]) -> int:
    from lab.infra.fixedaddresses import Follows

    return sum(each.rule.follows is Follows.NO for each in judged)


def _named(files: list[str]) -> dict[Path, None]:
    from lab.core.paths import fitting, is_pattern

    found = (fitting(each) if is_pattern(each) else [Path(each)] for each in files)
    return dict.fromkeys(path for some in found for path in some)


def _text(path: Path) -> str:
    from lab.core.paths import is_file

    if not is_file(path):  # a pipe would be waited for
        raise UsageError(f"{quoted(str(path))} is no file", "name configuration files")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"{quoted(str(path))} cannot be read: {reason}", "name configuration files"
        ) from error


def _pattern(host: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_*?.-]{1,255}", host):
        raise UsageError(f"--moves {quoted(host)} is no host", "like: writer.example.com")
    return host


def _print(found: dict[Path, tuple[Judged, ...]], fixed: int) -> None:
    from lab.core.plaintable import plain_table
    from lab.core.words import count

    table = plain_table("", "where", "host*", "follows", "why*", between=2)
    for path, judged in found.items():
        for each in judged:
            where = f"{path}:{each.address.line}"
            hosts = ", ".join(each.address.hosts)
            table.add_row(where, hosts, each.rule.follows.value, each.rule.why)
    total = sum(map(len, found.values()))
    if total:
        out().print(table)
    share = f" ({fixed / total:.0%})" if total else ""
    read = count(len(found), "file")
    out().print(
        f"  {fixed} of {count(total, 'address', 'addresses')} in {read} cannot follow a"
        f" failover{share}",
        highlight=False,
    )


def _data(found: dict[Path, tuple[Judged, ...]], fixed: int) -> dict[str, object]:
    return {
        "fixed": fixed,
        "addresses": [
            {
                "file": str(path), "line": each.address.line, "hosts": list(each.address.hosts),
                "follows": each.rule.follows.value, "rule": each.rule.name, "why": each.rule.why,
            }
            for path, judged in found.items()
            for each in judged
        ],
    }  # fmt: skip
