"""An intruder with a session of its own, which may be older than the fence."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from appkit import intrude
from fake_postgres import CANCELLED_WAIT, FakePostgres, Script, Session

APPS = Path(__file__).parents[2] / "apps"
ACCOUNT = {
    "DB_NAME": "shop",
    "DB_USER": "shop",
    "DB_PASSWORD": "secret",
    "PGSSLMODE": "disable",
    "PGGSSENCMODE": "disable",
}
PATIENCE = 30.0  # seconds for a program to start on a busy machine


async def commit(session: Session) -> None:
    session.row((25, "done"))
    session.ready()


async def refuse(session: Session) -> None:
    if session.statement.startswith("INSERT"):
        session.error("25006", "cannot execute INSERT in a read-only transaction")
        session.ready()
    else:
        await commit(session)


async def warn(session: Session) -> None:
    session.warning(CANCELLED_WAIT)
    await commit(session)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (commit, "committed"),
        (warn, "waits"),
        (refuse, "cannot execute INSERT in a read-only transaction"),
    ],
)
def test_an_intruder_says_how_its_order_went(
    script: Script, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)

    async def scenario() -> str:
        async with FakePostgres(script).serve() as server:
            return await asyncio.to_thread(intrude.intrude, "127.0.0.1", str(server.port))

    assert asyncio.run(scenario()) == said


async def held(server: FakePostgres, file: Path) -> asyncio.subprocess.Process:
    """An intruder that has said that its session is open."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "appkit.intrude", "127.0.0.1", str(server.port), "--held", str(file)),
        env={**ACCOUNT, "PYTHONPATH": str(APPS)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert await line_of(program) == "open"
    return program


async def line_of(program: asyncio.subprocess.Process) -> str:
    assert program.stdout
    return (await asyncio.wait_for(program.stdout.readline(), PATIENCE)).decode().rstrip("\n")


def test_a_held_session_is_open_before_it_is_told_to_commit_in_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with FakePostgres(commit).serve() as server:
            program = await held(server, tmp_path / "now")
            [session] = server.sessions
            assert session.statement == "", "nothing was tried yet"
            (tmp_path / "now").touch()
            assert await line_of(program) == "committed"
            assert await asyncio.wait_for(program.wait(), PATIENCE) == 0
            assert server.sessions == [session]
            assert session.statement.startswith("INSERT")

    asyncio.run(scenario())


def test_a_held_session_that_a_fence_ended_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with FakePostgres(commit).serve() as server:
            program = await held(server, tmp_path / "now")
            server.drop_all()
            (tmp_path / "now").touch()
            assert "server closed the connection" in await line_of(program)
            await asyncio.wait_for(program.wait(), PATIENCE)
            assert len(server.sessions) == 1, "it never comes back by another one"

    asyncio.run(scenario())


def test_a_held_session_without_a_call_commits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(intrude, "_HELD_SECONDS", 0.1)
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)

    async def scenario() -> str:
        async with FakePostgres(commit).serve() as server:
            port, file = str(server.port), tmp_path / "never"
            said = await asyncio.to_thread(intrude.intrude, "127.0.0.1", port, file)
            assert server.sessions[0].statement == ""
            return said

    assert asyncio.run(scenario()).endswith("never did not come within 0.1 s")
    assert capsys.readouterr().out == "open\n"
