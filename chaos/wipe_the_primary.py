"""Delete the primary's data directory: a command for the standby, given to the wrong machine.

Run it with `.venv/bin/python chaos/wipe_the_primary.py`. docs/incidents.md tells the story.
"""

from lab.api import up

WRONG_MACHINE = "east.db1"
WIPE = "COPY (SELECT) TO PROGRAM 'rm -rf /var/lib/postgresql/data/*'"

with up(old="east.db1", new="east.db2") as lab:
    lab.load(writes=20)
    lab.wait(3)
    lab.ask(WRONG_MACHINE, WIPE)
    print("wiped    ", lab.inject("crash", node=WRONG_MACHINE))
    print("noticed  ", lab.do("detect"))
    print("fenced   ", lab.fence())
    print("promoted ", lab.promote())
    print("re-point ", lab.repoint())
    print("verified ", lab.do("verify"))
    lab.wait(8)
    result = lab.measure()

print(f"lost      {result.lost} of {result.acknowledged} acknowledged orders")
for users, seconds in result.rto_seconds.items():
    print(f"{users:9} {'not back' if seconds is None else f'back after {seconds:.2f} s'}")
