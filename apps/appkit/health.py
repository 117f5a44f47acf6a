"""A machine's own look at its shop, which may answer by TLS alone."""

from __future__ import annotations

import sys
import urllib.request

from appkit.env import Env
from appkit.tls import CERTIFICATE, client_context

PATIENCE = 3  # seconds


def main() -> None:
    """Ask this machine's shop whether it lives; code 1 if it does not say so."""
    env = Env()
    context = client_context(env) if env.text(CERTIFICATE, "") else None
    scheme = "https" if context else "http"
    url = f"{scheme}://127.0.0.1:{env.whole('PORT', 8080)}/livez"
    try:
        urllib.request.urlopen(url, timeout=PATIENCE, context=context).close()  # noqa: S310
    except OSError as problem:
        sys.exit(f"{url}: {problem}")
