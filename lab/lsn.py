"""Positions in the WAL: bytes from its start, and how PostgreSQL writes them. Pure."""

from __future__ import annotations

from lab.errors import UsageError


def parse_lsn(text: str) -> int:
    """Byte position of an LSN such as 16/B374D848 (PostgreSQL manual, "pg_lsn Type")."""
    high, _, low = text.partition("/")
    try:
        return (int(high, 16) << 32) + int(low, 16)
    except ValueError as error:
        raise UsageError(f"{text!r} is no LSN; one looks like 16/B374D848") from error


def format_lsn(lsn: int) -> str:
    """Bytes from the start of WAL as `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
