"""What takes an hour: the same thing done again and again, to see the one time that it goes wrong.

    python tests/endurance kills 200         the command line killed at random moments
    python tests/endurance runner [BOOK …]   runbooks killed between and inside their steps
    python tests/endurance alarms 30         minutes of jitter and blips: nobody may be promoted
    python tests/endurance checks FILE 1     what both steerings see in noise and in losses
    python tests/endurance blips FILE 1      the same in each blip that `lab tune` predicts from
    python tests/endurance tune [SEED]       `lab tune`: the lab must do what it predicts, in time
    python tests/endurance incidents 20 7    incidents in a row under orders: none may be missing
    python tests/endurance switchovers 20    planned ones, under load
    python tests/endurance cycles 10         a loss and the way back, in a row under one load
    python tests/endurance failovers 10      from the decision to the first acknowledged order
    python tests/endurance drills 20 [NAME]  a drill again and again: how far its figures lie apart
    python tests/endurance busy 20 [NAME]    the same beside six busy loops and unit tests
    python tests/endurance agreement 1 30    what checks predict of runbooks, and what users see
    python tests/endurance watched 20 [NAME] a drill, while an operator logs in the whole time
    python tests/endurance reference 3000    figures of random runs, computed a second way (no lab)
    python tests/endurance damage 600        damaged run folders, and what is said of them (no lab)
    python tests/endurance mutants MODULE …  small changes to pure modules that no unit test notices

On the lab that LAB_NAME names, which is made if it is not there. A line of JSON for each time, and
one with the sum; exit code 1 if anything went wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from agreement import agreement
from alarms import alarms
from blips import record as record_blips
from blips import tuned
from checks import record
from cuts import runner
from cycles import cycles
from damage import damage
from drills import busy, drills
from incidents import incidents
from kills import kills
from mutants import tried
from planned import failovers, switchovers
from second import reference
from watched import watched


def main(arguments: list[str]) -> int:
    kinds: dict[str, Callable[..., bool]] = {
        "kills": kills, "runner": runner, "alarms": alarms, "checks": record,
        "blips": record_blips, "tune": tuned,
        "switchovers": switchovers, "failovers": failovers, "cycles": cycles, "drills": drills,
        "busy": busy, "reference": reference, "damage": damage, "agreement": agreement,
        "mutants": tried, "incidents": incidents, "watched": watched,
    }  # fmt: skip
    if not arguments or arguments[0] not in kinds:
        raise SystemExit(__doc__)
    chosen, *rest = arguments
    return 0 if kinds[chosen](*(int(each) if each.isdecimal() else each for each in rest)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
