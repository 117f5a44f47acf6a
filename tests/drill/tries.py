"""Connections tried from inside machines of every kind, by what each of them has."""

from __future__ import annotations

from collections.abc import Iterable

from lab.core.topology import Place
from lab.testbed.lab import Lab

_PYTHON = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor

def tried(target):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except OSError:
        return ""
    return target

with ThreadPoolExecutor(len(sys.argv)) as pool:
    print(*pool.map(tried, sys.argv[1:]))
"""
_BASH = """
for target; do
  { timeout 5 bash -c ": < /dev/tcp/${target/://}" 2>/dev/null && echo $target; } &
done
wait
"""
_BUSYBOX = """
for target; do
  {
    /bin/busybox nc -w 5 ${target%:*} ${target#*:} -e /bin/busybox true 2>/dev/null && echo $target
  } &
done
wait
"""
_TOOLS = {
    "gateway": ["/bin/busybox", "sh", "-c", _BUSYBOX, "try"],
    "dns": ["/bin/busybox", "sh", "-c", _BUSYBOX, "try"],
    "db1": ["bash", "-c", _BASH, "try"],
    "db2": ["bash", "-c", _BASH, "try"],
    "cache": ["bash", "-c", _BASH, "try"],
}


def taken(lab: Lab, origin: Place, targets: Iterable[str]) -> list[str]:
    """Those `host:port` that take a TCP connection from inside a machine."""
    tool = _TOOLS.get(origin.service, ["python3", "-c", _PYTHON])
    return lab.engine.run(origin, [*tool, *targets]).split()
