"""The sampler is a witness: it says what was seen, else None, and never hangs."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trustme

from lab.core.errors import MachineDown
from lab.core.topology import DATABASES, EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2, Place
from lab.infra.doors import RememberedDoors
from lab.infra.logins import machine_name
from lab.infra.settings import Settings
from lab.metrics.compute import since
from lab.postgres import rolewatch
from lab.postgres.rolewatch import GONE, PRIMARY, SILENT, STANDBY, STARTING, Gauge, Reading
from lab.records.journalfile import Mark, MarkName
from lab.records.samples import NodeSample, Sampled
from lab.testbed import sampler
from lab.testbed.journalwriter import EngineClock
from lab.testbed.sampler import Sampler, as_sample, behind

OLD = Reading(PRIMARY, timeline=1, received=1000, replayed=1000)
NEW = Reading(PRIMARY, timeline=2, received=5000, replayed=5000)


def standby(
    timeline: int | None, received: int, replayed: int | None = None, age: float = 0.3
) -> Reading:
    return Reading(STANDBY, timeline, received, received if replayed is None else replayed, age)


# --- What readings mean ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "primaries", "expected"),
    [
        (standby(1, 900), [OLD], 100),
        (standby(1, 1200), [OLD], 0),  # asked a moment later than the primary
        (standby(1, 900), [OLD, NEW], 100),  # the primary of its own timeline
        (standby(2, 900), [OLD, NEW], 4100),
        (standby(1, 900), [NEW], None),  # its own is gone
        (standby(1, 900), [], None),
        (standby(1, 900), [OLD, OLD], None),  # it is not known which
        (standby(None, 900), [OLD], None),
    ],
)
def test_lag_is_measured_against_the_primary_of_the_own_timeline(
    reading: Reading, primaries: list[Reading], expected: int | None
) -> None:
    assert behind(reading, primaries) == expected


def test_a_sample_holds_every_node_and_every_resolver() -> None:
    found = as_sample(
        5.0,
        {
            EAST_DB1: OLD,
            EAST_DB2: standby(1, 1000, age=9.0),
            WEST_DB1: standby(1, 990, 980),
            WEST_DB2: Reading(GONE),
        },
        {"east": ("10.91.0.11",), "west": None},
    )
    assert found == Sampled(
        at=5.0,
        nodes=(
            NodeSample(node="east.db1", role="primary", timeline=1),
            # It has all there is: that its last commit is 9 s old says nothing.
            NodeSample(node="east.db2", role="standby", timeline=1, lag_bytes=0, lag_seconds=0.0),
            NodeSample(node="west.db1", role="standby", timeline=1, lag_bytes=10, lag_seconds=0.3),
            NodeSample(node="west.db2", role="gone"),
        ),
        answers={"east": ("10.91.0.11",), "west": None},
    )


def test_what_is_received_and_not_yet_replayed_is_still_old() -> None:
    found = as_sample(0.0, {EAST_DB1: OLD, EAST_DB2: standby(1, 1000, 900, 0.2)}, {})
    assert (found.nodes[1].lag_bytes, found.nodes[1].lag_seconds) == (0, 0.2)


def test_a_machine_that_has_been_up_for_a_year_is_sampled() -> None:
    year = 366 * 86_400.0
    [found] = since(year - 2.0, [as_sample(year, {}, {})])
    assert found.at == 2.0


def test_a_copy_whose_last_commit_is_a_year_old_is_sampled() -> None:
    year = 366 * 86_400.0
    found = as_sample(0.0, {EAST_DB1: OLD, EAST_DB2: standby(1, 990, 980, year)}, {})
    assert found.nodes[1].lag_seconds == year


def test_samples_are_moved_to_the_time_axis_of_the_result() -> None:
    samples = tuple(as_sample(at, {}, {}) for at in (99.5, 100.0, 100.5))
    assert [each.at for each in since(100.0, samples)] == [-0.5, 0.0, 0.5]
    assert since(100.0, ()) == ()


# --- Asking one node ---------------------------------------------------------------------------


class Doors:
    """Ports by machine; one without is not running."""

    def __init__(self, **ports: int) -> None:
        self.ports = ports
        self.asked = 0

    def port(self, place: Place, inside: int) -> int:
        self.asked += 1
        if place.server_name not in self.ports:
            raise MachineDown(place, "exited")
        return self.ports[place.server_name]


AUTHORITY = trustme.CA()
GaugeOf = Callable[[Doors], Gauge]


@pytest.fixture
def authority_file(tmp_path: Path) -> Path:
    """The certificate that vouches for the servers in here."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def a_gauge(authority_file: Path) -> GaugeOf:
    """Makes gauges of east.db1 that know the authority."""
    known = SimpleNamespace(superuser_password="secret", authority_file=authority_file)
    return lambda doors: Gauge(EAST_DB1, RememberedDoors(doors), cast("Settings", known))


@contextmanager
def server(
    behave: Callable[[socket.socket], None], name: str = machine_name(EAST_DB1)
) -> Iterator[int]:
    """A port where each connection, encrypted, is handed to `behave` by the machine `name`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(tls)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(ssl.SSLError, ConnectionError):
                    connection.recv(8)  # may we encrypt?
                    connection.sendall(b"S")
                    with tls.wrap_socket(connection, server_side=True) as encrypted:
                        behave(encrypted)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def packet(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


READY = packet(b"Z", b"I")
WELCOME = packet(b"R", (0).to_bytes(4, "big")) + READY


def row(*values: str | None) -> bytes:
    count = len(values).to_bytes(2, "big")
    described = b"".join(
        b"c\0" + bytes(6) + (25).to_bytes(4, "big") + b"\xff\xff" + bytes(6) for _ in values
    )
    data = b"".join(
        b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value.encode()
        for value in values
    )
    ended = packet(b"C", b"SELECT 1\0")
    return packet(b"T", count + described) + packet(b"D", count + data) + ended + READY


def postgres(*answers: bytes) -> Callable[[socket.socket], None]:
    """Lets all clients in, and answers one statement after the other; then says nothing more."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)  # who wants to log in
        connection.sendall(WELCOME)
        for answer in answers:
            if not connection.recv(65536):
                return
            connection.sendall(answer)
        while connection.recv(65536):
            pass

    return behave


def test_one_connection_serves_all_readings(a_gauge: GaugeOf) -> None:
    told = row("east_db1", "t", "2", "100", "90", "0.25")
    with server(postgres(told, told)) as port:
        doors = Doors(east_db1=port)
        found = a_gauge(doors)
        with closing(found):
            assert [found.read(2.0), found.read(2.0)] == [Reading(STANDBY, 2, 100, 90, 0.25)] * 2
        assert doors.asked == 1


def test_a_primary_has_no_age(a_gauge: GaugeOf) -> None:
    with (
        server(postgres(row("east_db1", "f", "1", "100", "100", None))) as port,
        closing(a_gauge(Doors(east_db1=port))) as found,
    ):
        assert found.read(2.0) == Reading(PRIMARY, 1, 100, 100, None)


def test_a_frozen_node_is_silent_and_asked_for_no_longer_than_allowed(
    monkeypatch: pytest.MonkeyPatch, a_gauge: GaugeOf
) -> None:
    waits = list[float]()

    def waited(read: list[int], write: list[int], failed: list[int], seconds: float) -> Any:
        waits.append(seconds)
        return select.select(read, write, failed, seconds)

    monkeypatch.setattr(rolewatch, "select", SimpleNamespace(select=waited))
    with server(postgres()) as port, closing(a_gauge(Doors(east_db1=port))) as found:
        began = time.monotonic()
        assert found.read(0.3) == Reading(SILENT)
        assert time.monotonic() - began > 0.25
    assert 0.25 < max(waits) <= 0.3


def test_a_machine_that_does_not_run_is_gone(a_gauge: GaugeOf) -> None:
    assert a_gauge(Doors()).read(0.3) == Reading(GONE)


def test_the_engine_is_not_asked_about_a_dead_machine_all_the_time(
    monkeypatch: pytest.MonkeyPatch, a_gauge: GaugeOf
) -> None:
    doors = Doors()
    found = a_gauge(doors)
    assert [found.read(0.3), found.read(0.3)] == [Reading(GONE)] * 2
    assert doors.asked == 1
    monkeypatch.setattr("lab.infra.doors._PATIENCE_SECONDS", 0.0)
    again = a_gauge(doors)
    assert [again.read(0.3), again.read(0.3)] == [Reading(GONE)] * 2
    assert doors.asked == 3


def test_a_port_that_refuses_is_gone_and_asked_for_again(a_gauge: GaugeOf) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as busy:
        port = busy.getsockname()[1]
    doors = Doors(east_db1=port)
    found = a_gauge(doors)
    assert [found.read(0.3), found.read(0.3)] == [Reading(GONE)] * 2
    assert doors.asked == 2


def test_a_node_that_starts_up_says_so(a_gauge: GaugeOf) -> None:
    body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)  # who wants to log in
        connection.sendall(packet(b"E", body))

    with server(behave) as port:
        assert a_gauge(Doors(east_db1=port)).read(0.5) == Reading(STARTING)


def test_another_machine_behind_the_remembered_port_is_not_taken_for_this_one(
    a_gauge: GaugeOf,
) -> None:
    told = row("west_db2", "t", "1", "100", "90", "0.25")
    with server(postgres(told)) as port:
        assert a_gauge(Doors(east_db1=port)).read(2.0) == Reading(GONE)


def test_a_server_with_another_machines_certificate_is_not_even_asked(a_gauge: GaugeOf) -> None:
    told = row("east_db1", "t", "1", "100", "90", "0.25")
    with server(postgres(told), machine_name(WEST_DB2)) as port:
        assert a_gauge(Doors(east_db1=port)).read(2.0) == Reading(GONE)


# --- The thread --------------------------------------------------------------------------------


class FakeLab:
    """As much of a lab as a sampler needs."""

    def __init__(self) -> None:
        self.engine = Doors()
        self.settings = SimpleNamespace(
            superuser_password="secret",
            addresses=None,
            tsig_key="c2VjcmV0",
        )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(sampler, "ANSWER_SECONDS", 0.1)


def a_sampler() -> Sampler:
    return Sampler(cast("Any", FakeLab()), EngineClock("boot", 1000.0, 0.0))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        select.select([], [], [], 0.01)


def mark(name: MarkName) -> Mark:
    return Mark(name, 0.0)


@pytest.mark.usefixtures("quick")
def test_it_watches_from_the_loads_start_to_its_end_on_the_engines_clock() -> None:
    found = a_sampler()
    found.marked(mark(MarkName.DRILL_STARTED))
    assert found.samples == ()
    before = time.monotonic() + 1000
    found.marked(mark(MarkName.LOAD_STARTED))
    # On a busy machine the first questions may not be answered in time.
    wait_for(lambda: any({n.role for n in each.nodes} == {GONE} for each in found.samples[2:]))
    found.marked(mark(MarkName.LOAD_STOPPED))
    wait_for(lambda: bool(found._thread) and not found._thread.is_alive())
    seen = len(found.samples)
    times = [each.at for each in found.samples]
    assert times == sorted(times)
    assert before <= times[0] <= time.monotonic() + 1000
    assert found.samples[0].answers == {"east": None, "west": None}
    found.stop()
    assert len(found.samples) == seen


@pytest.mark.usefixtures("quick")
def test_one_that_hangs_delays_no_other_and_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    asked: list[Place] = []

    def read(self: Gauge, timeout: float) -> Reading:
        asked.append(self.place)
        if self.place == WEST_DB1:
            let_go.wait(10)
        return OLD

    monkeypatch.setattr(rolewatch.Gauge, "read", read)
    found = a_sampler()
    found.marked(mark(MarkName.LOAD_STARTED))
    wait_for(lambda: len(found.samples) > 3)
    assert asked.count(WEST_DB1) == 1
    roles = {node.node: node.role for node in found.samples[3].nodes}
    assert roles == {str(p): SILENT if p == WEST_DB1 else PRIMARY for p in DATABASES}
    let_go.set()
    found.stop()


@pytest.mark.usefixtures("quick")
def test_a_dead_node_stays_gone_while_the_engine_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    asked: list[Place] = []

    def read(self: Gauge, timeout: float) -> Reading:
        asked.append(self.place)
        if asked.count(self.place) > 1:
            let_go.wait(10)
        return Reading(GONE)

    monkeypatch.setattr(rolewatch.Gauge, "read", read)
    found = a_sampler()
    found.marked(mark(MarkName.LOAD_STARTED))
    wait_for(lambda: len(found.samples) > 3)
    let_go.set()
    found.stop()
    assert {node.role for each in found.samples for node in each.nodes} == {GONE}


@pytest.mark.usefixtures("quick")
def test_a_probe_that_breaks_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: Gauge, timeout: float) -> Reading:
        if self.place == EAST_DB1:
            raise RuntimeError("a bug")
        return OLD

    monkeypatch.setattr(rolewatch.Gauge, "read", read)
    found = a_sampler()
    found.marked(mark(MarkName.LOAD_STARTED))
    wait_for(lambda: len(found.samples) > 1)
    found.stop()
    assert [node.role for node in found.samples[1].nodes] == [SILENT, PRIMARY, PRIMARY, PRIMARY]


def test_a_sampler_that_never_began_is_stopped_all_the_same() -> None:
    found = a_sampler()
    found.stop()
    found.stop()
    assert found.samples == ()
