"""Words with colons, completed in bash.

Bash takes `west:east:sql` apart at its colons, hands the parts over as words, and puts what it is
answered behind the last colon. So the parts are joined before a completion is looked for, and what
stands already is left out of the answer.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_APART = frozenset(":=")
"""Where bash takes words apart, as far as the lab's words have it."""


@contextmanager
def in_whole_words() -> Iterator[None]:
    """Let a completion see whole words; other commands are left alone."""
    if os.environ.get("_LAB_COMPLETE") != "complete_bash":
        yield
        return
    parts = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
    whole = joined(parts)
    if len(whole) == len(parts):
        yield
        return
    os.environ |= {"COMP_WORDS": "\n".join(whole), "COMP_CWORD": str(len(whole) - 1)}
    answer = io.StringIO()
    try:
        with redirect_stdout(answer):
            yield
    finally:
        value = whole[-1].rpartition("=")[2]
        there = value[: value.rfind(":") + 1]
        sys.stdout.writelines(
            line.removeprefix(there) for line in answer.getvalue().splitlines(keepends=True)
        )


def joined(parts: list[str]) -> list[str]:
    """Words, from what bash took apart: a part of colons belongs to both its neighbours."""
    whole = list[str]()
    joins = False
    for part in parts:
        apart = bool(part) and _APART.issuperset(part)
        if whole and (apart or joins):
            whole[-1] += part
        else:
            whole.append(part)
        joins = apart
    return whole
