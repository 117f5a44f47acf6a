"""Small programs that run inside a region, where its addresses and UDP can be reached."""

from __future__ import annotations

import json
from typing import Any

from lab.core.topology import Place, Region
from lab.testbed.lab import Lab

_ROUND_TRIPS = """
import json, socket, statistics, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
took = []
for _ in range(count):
    with socket.create_connection((host, port), 5) as link:
        link.settimeout(5)
        time.sleep(0.05)  # the gateway makes its own connection first
        start = time.monotonic()
        link.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))  # PostgreSQL's SSLRequest
        assert link.recv(1) == b"S"
        took.append(time.monotonic() - start)
print(json.dumps(statistics.median(took)))
"""

_CONNECT = """
import json, socket, sys, time
start = time.monotonic()
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as link:
        link.settimeout(float(sys.argv[3]))
        link.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        result = "answered" if link.recv(1) == b"S" else "closed"
except ConnectionRefusedError:
    result = "refused"
except ConnectionError:
    result = "closed"
except TimeoutError:
    result = "silent"
print(json.dumps(result))
"""

_UDP_QUERIES = """
import json, sys
import dns.message, dns.query, dns.rdatatype
server, name, times = sys.argv[1:]
found = []
for _ in range(int(times)):
    answer = dns.query.udp(dns.message.make_query(name, "A"), server, timeout=2)
    found.append([str(r) for s in answer.answer for r in s if s.rdtype == dns.rdatatype.A])
print(json.dumps(found))
"""

_LOG_IN = """
import json, sys
import psycopg
from appkit.env import Env
from appkit.tls import authority_file
host, user, password, replication = sys.argv[1:]
name, more = ("postgres", {"replication": "true"}) if replication == "True" else ("shop", {})
try:
    psycopg.connect(
        host=host, user=user, password=password, dbname=name, connect_timeout=5,
        sslmode="verify-full", sslrootcert=authority_file(Env()), **more,
    ).close()
    result = "in"
except psycopg.OperationalError as problem:
    result = str(problem)
print(json.dumps(result))
"""


def _python(lab: Lab, region: Region, program: str, *arguments: object) -> Any:
    argv = ["python3", "-c", program, *(str(each) for each in arguments)]
    return json.loads(lab.engine.run(Place(region.name, "app"), argv))


def round_trip(lab: Lab, region: Region, host: str, port: int, count: int = 5) -> float:
    """Seconds that one question and its answer take to PostgreSQL: the median of several."""
    return float(_python(lab, region, _ROUND_TRIPS, host, port, count))


def connect(lab: Lab, region: Region, host: str, port: int, patience: float = 2.0) -> str:
    """What becomes of a connection to PostgreSQL: answered, refused, closed or silent."""
    return str(_python(lab, region, _CONNECT, host, port, patience))


def ask_udp(lab: Lab, region: Region, name: str) -> list[str]:
    """Addresses that the region's resolver gives its own machines, as programs ask it."""
    return ask_udp_times(lab, region, name, 1)[0]


def ask_udp_times(lab: Lab, region: Region, name: str, times: int) -> list[list[str]]:
    """The same, asked so many times, one question after the other."""
    resolver = lab.settings.addresses.inside(Place(region.name, "dns"))
    return list(_python(lab, region, _UDP_QUERIES, resolver, name, times))


def log_in_from_app(
    lab: Lab, region: Region, host: str, user: str, password: str, *, replication: bool = False
) -> str:
    """What becomes of an encrypted login from the region's shop: `in`, or what was said."""
    return str(_python(lab, region, _LOG_IN, host, user, password, replication))
