"""What the parser of the command line objects to, in the lab's words and with a next step.

The parser's own exceptions are known by what they carry: their names and places differ between
versions of Typer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer

from lab.commands.parsing.values import named
from lab.core.errors import LabError, UnknownName, UsageError

REFUSAL: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""What the parser raises for any wrong words; a bad parameter is one kind of them."""


@contextmanager
def told(context: Any) -> Iterator[None]:
    """Raise UsageError in place of what the parser raises about this command's words."""
    try:
        yield
    except REFUSAL as error:
        raise _in_our_words(error, context) from error


def see(context: Any) -> str:
    """The command whose help says what there is."""
    return f"see: {context.command_path} --help"


def left_over(word: str, context: Any) -> UsageError:
    """A word that no argument takes."""
    return UsageError(f"{word!r} is one word too many", f"leave it out; {see(context)}")


def _in_our_words(error: Any, context: Any) -> LabError:
    if hasattr(error, "possibilities"):
        return _unknown(error.option_name, context)
    if hasattr(error, "option_name"):
        return _misused(error.option_name, context)
    if hasattr(error, "param_type"):
        return UsageError(f"{named(error.param)} is missing", f"name it; {see(context)}")
    return UsageError(f"{context.command_path}: {error.format_message()}", see(context))


def _unknown(option: str, context: Any) -> UnknownName:
    known = (name for each in context.command.get_params(context) for name in each.opts)
    return UnknownName("option", option, (name for name in known if name.startswith("--")))


def _misused(option: str, context: Any) -> UsageError:
    """An option without the value that it takes, or with one and it takes none."""
    [param] = [each for each in context.command.get_params(context) if option in each.opts]
    if param.is_flag:
        return UsageError(f"{option} takes no value", f"write {option} alone")
    words = param.metavar or param.name.upper()
    return UsageError(
        f"{option} needs {'a value' if param.nargs == 1 else f'{param.nargs} values'}",
        f"write {option} {words}; {see(context)}",
    )
