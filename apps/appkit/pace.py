"""`python -m appkit.pace SECONDS`: how many orders a second this machine turns to JSON.

That is the kind of work that shops and users do. The number is small on a slow processor, and on
one that other programs keep busy.
"""

from __future__ import annotations

import json
import sys
import time

_ORDER = {"key": "0" * 32, "product_id": 7, "quantity": 2, "outcome": "ok", "lsn": "0/1A2B3C4D"}


def pace(seconds: float) -> float:
    """Orders a second, counted for so long."""
    began, done = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        for _ in range(100):
            json.loads(json.dumps(_ORDER))
        done += 100
    return done / (now - began)


if __name__ == "__main__":
    sys.stdout.write(f"{pace(float(sys.argv[1])):.0f}\n")
