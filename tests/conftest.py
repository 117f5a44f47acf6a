"""What all tests share."""

from __future__ import annotations

import os

# The reaper's image cannot be pulled everywhere; every fixture removes what it started.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
