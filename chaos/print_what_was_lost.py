"""Lose east while west is 3 s behind, and print each lost order by its key.

Run it with `.venv/bin/python chaos/print_what_was_lost.py`. An order is lost when a user was told
`ok` and the new primary does not have it.
"""

from lab.api import up

with up() as lab:
    lab.load(writes=10)
    lab.hold(seconds=3)
    lab.wait(4)
    lab.kill("east")
    lab.do("detect")
    lab.fence()
    lab.promote()
    lab.repoint()
    lab.wait(3)
    result = lab.measure()

for order in result.lost_writes:
    print(f"{order.key}  {order.location}")
print(f"{len(result.lost_writes)} acknowledged orders are lost; report: {lab.folder}/report.html")
