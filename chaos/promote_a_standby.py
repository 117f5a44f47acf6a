"""Lose east, promote west's standby with `pg_ctl promote`, and lead the writer's name to it.

Run it with `.venv/bin/python chaos/promote_a_standby.py`. Each line says what was seen. Take a line
out, and see what the other lines then do: without the fence, the promotion is refused.
"""

from lab.api import up

with up(old="east.db1", new="west.db1") as lab:
    lab.load(writes=20)
    print("killed   ", lab.kill("east"))
    print("noticed  ", lab.do("detect"))
    print("fenced   ", lab.fence())
    print("promoted ", lab.promote())
    print("re-point ", lab.repoint())
    print("verified ", lab.do("verify"))
    lab.wait(5)
    result = lab.measure()

for users, seconds in result.rto_seconds.items():
    print(f"{users:9} {'not back' if seconds is None else f'back after {seconds:.2f} s'}")
print(f"report    {lab.folder}/report.html")
