"""Damaged run folders, and what the commands that read them say."""

from __future__ import annotations

import faulthandler
import resource
import sys
from collections import Counter
from pathlib import Path

from tool import last_words, tell

TESTS = Path(__file__).parent.parent
MEMORY = 8 << 30
"""Bytes. A damaged number must not make the lab ask for more."""

HANGS = 900
"""Seconds without a result after which the campaign ends, and says where it stood."""


def damage(times: int, first: int = 0) -> bool:
    """Folders of the seeds from `first` on: a line for each command that says what it may not."""
    sys.path += [str(TESTS), str(TESTS / "unit"), str(TESTS / "corpus")]
    from damaged.held import looked_at
    from damaged.shelf import damaged

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    bad: Counter[str] = Counter()
    for seed in range(first, first + times):
        faulthandler.dump_traceback_later(HANGS, exit=True)
        with damaged(seed) as case:
            for found in looked_at(case):
                bad[found.what.partition(":")[0]] += 1
                said = last_words(found.told.err or found.told.out)
                tell(**case.told, command=found.command, wrong=found.what, said=said)
    faulthandler.cancel_dump_traceback_later()
    tell(damaged=times, wrong=dict(bad))
    return not bad
