"""Positions in the WAL: bytes from its start, and how PostgreSQL writes them. Pure."""

from __future__ import annotations

import re
from typing import Final

from lab.core.errors import UsageError, brief

_LSN: Final = re.compile("([0-9A-F]{1,8})/([0-9A-F]{1,8})")


def parse_lsn(text: str) -> int:
    """Byte position of an LSN such as 16/B374D848 (PostgreSQL manual, "pg_lsn Type")."""
    found = _LSN.fullmatch(text)
    if found is None:
        raise UsageError(f"{brief(repr(text))} is no LSN", "one looks like 16/B374D848")
    return (int(found[1], 16) << 32) + int(found[2], 16)


def format_lsn(lsn: int) -> str:
    """Bytes from the start of WAL as `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
