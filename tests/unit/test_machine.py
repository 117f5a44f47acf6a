"""Finding, advising about and starting the container engine, and this machine's package mirror."""

from __future__ import annotations

import gc
import os
import signal
import socket
import warnings
from pathlib import Path

import pytest

from lab.core.console import Say
from lab.core.errors import EngineMissing, MachineError
from lab.host import composeplugin, dockerd, engine, installadvice, mirror
from lab.host.installadvice import System, to_get_an_engine


def system(kernel: str = "Linux", *families: str, wsl: bool = False, root: bool = False) -> System:
    return System(kernel, frozenset(families), wsl, root)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (system("Darwin"), "brew install --cask docker"),
        (system("Linux", "ubuntu", "debian", wsl=True), "winget install Docker.DockerDesktop"),
        (system("Linux", "debian"), "sudo apt-get install --no-install-recommends docker.io"),
        (system("Linux", "linuxmint", "ubuntu"), 'sudo usermod -aG docker "$USER"'),
        (system("Linux", "fedora"), "sudo dnf install moby-engine docker-compose"),
        (system("Linux", "void"), "install Docker"),
    ],
)
def test_each_system_gets_its_own_commands(where: System, expected: str) -> None:
    assert expected in to_get_an_engine(where)


def test_root_is_not_told_to_use_sudo() -> None:
    assert "sudo" not in to_get_an_engine(system("Linux", "debian", root=True))


def test_the_distribution_and_what_it_is_like_are_read(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(
        "# about it\n\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nHOME_URL='https://x.org/?a=b'\n"
    )
    found = installadvice.this_system(tmp_path / "os-release")
    assert found.families == {"linuxmint", "ubuntu", "debian"}
    assert found.debian_like
    assert not installadvice.this_system(tmp_path / "none").debian_like


@pytest.mark.parametrize(
    ("kernel", "user", "wsl", "root"),
    [
        ("5.15.90.1-Microsoft-standard-WSL2", 1000, True, False),
        ("6.1.0-18-amd64", 1, False, False),
        ("6.1.0-18-amd64", 0, False, True),
    ],
)
def test_windows_is_known_by_the_kernels_name_and_root_by_its_number(
    monkeypatch: pytest.MonkeyPatch, kernel: str, user: int, wsl: bool, root: bool
) -> None:
    monkeypatch.setattr("platform.release", lambda: kernel)
    monkeypatch.setattr("os.geteuid", lambda: user)
    found = installadvice.this_system()
    assert (found.wsl, found.root) == (wsl, root)


def test_asking_an_engine_that_is_not_there_leaves_no_socket_open(tmp_path: Path) -> None:
    left = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(left))
    gc.collect()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert not engine.answers(f"unix://{left}")
        gc.collect()
    assert [str(each.message) for each in seen] == []


@pytest.fixture
def nothing_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("LAB_ENGINE", raising=False)
    monkeypatch.setattr(engine, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr(engine, "answers", lambda host: False)


@pytest.mark.usefixtures("nothing_answers")
def test_a_manual_engine_is_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_ENGINE", "manual")
    monkeypatch.setattr(dockerd, "start", lambda *_: pytest.fail("started an engine"))
    with pytest.raises(EngineMissing, match="no container engine answers"):
        engine.ensure_engine(Say(quiet=True))


@pytest.mark.usefixtures("nothing_answers")
def test_an_engine_that_the_user_named_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2375")
    assert list(engine.candidates()) == ["tcp://192.0.2.7:2375"]
    with pytest.raises(EngineMissing, match=r"DOCKER_HOST=tcp://192\.0\.2\.7:2375"):
        engine.ensure_engine(Say(quiet=True))


@pytest.mark.usefixtures("nothing_answers")
def test_an_engine_that_is_installed_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(installadvice, "this_system", lambda: system("Linux", "debian", root=True))
    monkeypatch.setattr(dockerd, "installed", lambda: True)
    monkeypatch.setattr(dockerd, "start", lambda say, answers: started.append("dockerd"))
    monkeypatch.setattr(engine, "_context_host", lambda: engine.DEFAULT_HOST)
    monkeypatch.setattr(composeplugin, "ensure_compose", lambda say: started.append("compose"))
    engine.ensure_engine(Say(quiet=True))
    assert started == ["dockerd", "compose"]
    assert "DOCKER_HOST" not in os.environ


@pytest.mark.usefixtures("nothing_answers")
def test_without_root_the_commands_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(installadvice, "this_system", lambda: system("Linux", "debian"))
    with pytest.raises(EngineMissing) as caught:
        engine.ensure_engine(Say(quiet=True))
    assert "sudo apt-get install" in str(caught.value)
    assert caught.value.exit_code == 3


def test_the_context_of_the_docker_command_is_tried_before_the_usual_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_context_host", lambda: "unix:///home/me/desktop.sock")
    assert next(engine.candidates()) == "unix:///home/me/desktop.sock"


class Machine:
    """A /proc and a /var/run in which an engine was killed, or was not."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.run = folder / "proc", folder / "run"
        (self.run / "docker" / "containerd").mkdir(parents=True)
        self.proc.mkdir()
        self.pid_file = self.run / "docker.pid"
        self.containerd = self.run / "docker" / "containerd"

    def process(self, number: int, name: str, state: str = "S") -> None:
        folder = self.proc / str(number)
        folder.mkdir()
        (folder / "comm").write_text(f"{name}\n")
        (folder / "stat").write_text(f"{number} ({name}) {state} 1 1 1\n")

    def clear(self) -> bool:
        return dockerd.clear_leftovers(Say(quiet=True), self.run, self.proc)


@pytest.fixture
def killed(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.pid_file.write_text("2801")
    (found.containerd / "containerd.pid").write_text("2810")
    (found.containerd / "containerd.sock").touch()
    (found.containerd / "containerd.sock.ttrpc").touch()
    return found


def test_the_pid_file_of_an_engine_that_is_gone_is_removed(killed: Machine) -> None:
    assert not killed.clear()
    assert not killed.pid_file.exists()
    assert list(killed.containerd.iterdir()) == []


def test_the_number_may_belong_to_another_program_by_now(killed: Machine) -> None:
    killed.process(2801, "bash")
    assert not killed.clear()
    assert not killed.pid_file.exists()


def test_a_zombie_engine_counts_as_gone(killed: Machine) -> None:
    killed.process(2801, "dockerd", state="Z")
    assert not killed.clear()
    assert not killed.pid_file.exists()


def test_a_live_engine_keeps_everything(killed: Machine) -> None:
    killed.process(2801, "dockerd")
    assert killed.clear()
    assert killed.pid_file.exists()
    assert (killed.containerd / "containerd.sock").exists()


def test_a_containerd_that_outlived_its_engine_is_kept(killed: Machine) -> None:
    killed.process(2810, "containerd")
    assert not killed.clear()
    assert (killed.containerd / "containerd.sock").exists()
    assert not killed.pid_file.exists()


def test_a_pid_file_without_a_number_is_removed(killed: Machine) -> None:
    killed.pid_file.write_text("")
    assert not killed.clear()
    assert not killed.pid_file.exists()


def test_an_engine_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "dockerd.log"
    log.write_text("failed to start daemon: no space left\n")
    with pytest.raises(MachineError, match="no space left"):
        dockerd._await(lambda: False, lambda: True, log)


def test_a_started_engine_outlives_us_in_a_session_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, program = tmp_path / "ready", tmp_path / "dockerd"
    program.write_text(
        f"#!/bin/sh\necho starting\necho $$ > {ready}.new\nmv {ready}.new {ready}\nexec sleep 30\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    dockerd._launch(tmp_path / "log", ready.exists)
    number = int(ready.read_text())
    try:
        assert os.getsid(number) != os.getsid(0)
        assert (tmp_path / "log").read_text() == "starting\n"
    finally:
        os.kill(number, signal.SIGKILL)


def test_an_engine_that_cannot_be_started_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho no iptables here >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(MachineError, match="no iptables here"):
        dockerd._launch(tmp_path / "log", lambda: False)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.26.1-4\n", (2, 26, 1)),
        ("v2.32.4", (2, 32, 4)),
        ("1.29.2-3", (1, 29, 2)),
        ("", ()),
    ],
)
def test_compose_versions_are_read(text: str, version: tuple[int, ...]) -> None:
    assert composeplugin.parse_version(text) == version


def test_the_first_compose_is_not_taken_for_the_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.setattr(composeplugin, "_version", lambda way: (1, 29, 2))
    composeplugin._find.cache_clear()
    with pytest.raises(MachineError, match="no Compose v2"):
        composeplugin.compose_command()
    composeplugin._find.cache_clear()


# Package mirrors.

ONE_LINE = """
# deb http://old.example/debian buster main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/etc/keys/ours.gpg] https://mirror.example/debian bookworm main contrib
deb-src https://mirror.example/debian bookworm main
"""

DEB822 = """\
Types: deb deb-src
# a comment between the fields
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /etc/keys/ours.gpg

Types: deb
URIs: https://off.example/debian
Suites: trixie
Components: main
Enabled: no
"""


@pytest.mark.parametrize(
    ("parse", "text"), [(mirror.parse_list, ONE_LINE), (mirror.parse_deb822, DEB822)]
)
def test_both_styles_of_apt_sources_lead_to_the_mirror(parse, text) -> None:  # type: ignore[no-untyped-def]
    chosen = mirror.choose(tuple(parse(text)))
    assert chosen is not None
    assert chosen.uri == "https://mirror.example/debian"
    assert chosen.option("signed-by") == "/etc/keys/ours.gpg"


def test_a_key_inside_the_sources_is_unfolded() -> None:
    text = (
        "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    (source,) = mirror.parse_deb822(text)
    key = mirror.key_of(mirror.Mirror(source.uri, source.option("signed-by")))
    assert key is not None
    assert key[1].decode().splitlines()[:3] == [
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "",
        "mQINBF",
    ]


def test_sources_of_another_distribution_are_no_debian_mirror() -> None:
    ubuntu = "deb http://archive.example/ubuntu noble main\ndeb http://x.example/r nodistro main\n"
    assert mirror.choose(tuple(mirror.parse_list(ubuntu))) is None


def test_sources_are_read_from_all_files_in_both_styles(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian sid main\n")
    (parts / "two.list").write_text("deb http://two.example/debian sid main\n")
    (parts / "three.sources").write_text(DEB822)
    (parts / "four.list.disabled").write_text("deb http://four.example/debian sid main\n")
    uris = [source.uri for source in mirror.read_sources(tmp_path)]
    assert uris == [
        "http://one.example/debian",
        "http://two.example/debian",
        "https://mirror.example/debian",
    ]


def test_a_mirror_named_by_the_user_comes_before_the_machines_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_APT_MIRROR", "http://named.example/debian")
    found = mirror.find(tmp_path)
    assert found is not None
    assert found.uri == "http://named.example/debian"


def test_a_key_of_the_machine_goes_into_the_base_with_the_mirror(tmp_path: Path) -> None:
    key = tmp_path / "company.gpg"
    key.write_bytes(b"key")
    files = mirror.as_files(mirror.Mirror("http://m.example/debian", signed_by=str(key)))
    assert files["lab-mirror.gpg"] == b"key"
    assert b"Signed-By: /etc/apt/lab-mirror/lab-mirror.gpg" in files["lab.sources"]


def test_without_a_mirror_the_base_keeps_debians_own_sources() -> None:
    assert mirror.as_files(None) == {"lab.sources": b""}


def test_a_proxy_of_apt_goes_into_the_base() -> None:
    files = mirror.as_files(mirror.Mirror("http://m.example/debian", proxy="http://p.example:3142"))
    assert files["lab.conf"] == b'Acquire::http::Proxy "http://p.example:3142";\n'
