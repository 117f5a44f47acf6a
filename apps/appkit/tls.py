"""Whom this program trusts, from the environment, as the files that libraries want."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path

from appkit.env import Env, SettingError

AUTHORITY = "TLS_AUTHORITY"  # base64 of PEM: a variable of one line passes through every tool


def authority_file(env: Env) -> str | None:
    """Path of the certificate of the lab's authority; None when the environment names none.

    Raises `appkit.env.SettingError` for what is no certificate.
    """
    given = env.text(AUTHORITY, "")
    return _written("authority.pem", _pem(AUTHORITY, given)) if given else None


def _pem(name: str, given: str) -> str:
    try:
        text = base64.b64decode(given, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text.startswith("-----BEGIN "):
        raise SettingError(f"{name} must be a PEM text in base64")
    return text


def _written(name: str, text: str) -> str:
    """A private file in a private folder, gone with the container."""
    path = Path(tempfile.mkdtemp(prefix="tls-")) / name
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)
