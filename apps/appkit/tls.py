"""Who this program is and whom it trusts, from the environment, in the forms that libraries want.

Certificates and keys come as base64 of PEM: a variable of one line passes through every tool.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from appkit.env import Env, SettingError

AUTHORITY, CERTIFICATE, KEY = "TLS_AUTHORITY", "TLS_CERTIFICATE", "TLS_KEY"
CACHE_AUTHORITY = "CACHE_AUTHORITY"


@dataclass(frozen=True)
class Identity:
    """What a server proves itself by: paths of its certificate and its key."""

    certificate: str
    key: str


def authority_file(env: Env, name: str = AUTHORITY) -> str | None:
    """Path of the certificate in the variable `name`; None when it is empty.

    Raises `appkit.env.SettingError` for what is no certificate, like all that is in here.
    """
    return _written("authority.pem", _pem(env, name))


def client_context(env: Env) -> ssl.SSLContext | None:
    """For connections to servers that the lab's authority vouches for, and to no others.

    None when the environment names no authority.
    """
    pem = _pem(env, AUTHORITY)
    if pem is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError:
        raise SettingError(f"{AUTHORITY} holds no certificate") from None
    return context


def identity(env: Env) -> Identity | None:
    """What this server proves itself by; None when the environment says nothing of it."""
    certificate = _written("server.pem", _pem(env, CERTIFICATE))
    key = _written("server.key", _pem(env, KEY))
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingError(f"{CERTIFICATE} and {KEY} belong together")
    return Identity(certificate, key)


def _pem(env: Env, name: str) -> str | None:
    given = env.text(name, "")
    if not given:
        return None
    try:
        text = base64.b64decode(given, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text.startswith("-----BEGIN "):
        raise SettingError(f"{name} must be a PEM text in base64")
    return text


def _written(name: str, text: str | None) -> str | None:
    """A private file in a private folder, gone with the container."""
    if text is None:
        return None
    path = Path(tempfile.mkdtemp(prefix="tls-")) / name
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)
