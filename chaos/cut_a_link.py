"""Cut the link that carries WAL to west, by Toxiproxy, and see what that does.

Run it with `.venv/bin/python chaos/cut_a_link.py`. No user notices the cut: east waits only
for its standby in the other zone. West falls behind, and catches up once the link is open again.
"""

from lab.api import up

BEHIND = "SELECT pg_last_wal_receive_lsn()::text, pg_last_xact_replay_timestamp()::text"

with up() as lab:
    lab.load(writes=20)
    print("cut      ", lab.cut("west:east:replication"))
    before = lab.ask("west.db1", BEHIND)
    lab.wait(5)
    print("5 s later", "west received nothing" if lab.ask("west.db1", BEHIND) == before else "?")
    print("healed   ", lab.heal("refused"))
    result = lab.measure()

print(f"lost      {len(result.lost_writes)} orders")
print(f"report    {lab.folder}/report.html")
