"""The lab's images as one file: what is in it, and when it is refused."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.core.console import Say
from lab.core.errors import EngineGone, UsageError
from lab.host import engine, imagearchive, imagebuild, images

WANTED = {"apps": "lab/apps:1", "postgres": "lab/postgres:2"}


def archive(
    path: Path, tags: Mapping[str, str] = WANTED, machine: str = "amd64", **documents: object
) -> Path:
    """A file as the engine writes it, with more or other documents in it."""
    files: dict[str, object] = {f"{role}.json": {"architecture": machine} for role in tags}
    files["manifest.json"] = [
        {"Config": f"{role}.json", "RepoTags": [tag], "Layers": []} for role, tag in tags.items()
    ]
    with tarfile.open(path, "w") as tar:
        for name, document in {**files, **documents}.items():
            content = json.dumps(document).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


class Engine:
    """An engine that gives and takes archives."""

    def __init__(self, *present: str, machine: str = "amd64") -> None:
        self.has, self.machine = {*present}, machine
        self.asked: list[list[str]] = []
        self.taken: list[bytes] = []
        self.images = SimpleNamespace(load=lambda file: self.taken.append(file.read()))
        self.api = SimpleNamespace(
            base_url="http+docker://engine", api_version="1.41", get=self.get
        )

    def version(self) -> dict[str, str]:
        return {"Arch": self.machine}

    def get(self, address: str, params: dict[str, list[str]], stream: bool) -> Any:
        assert address == "http+docker://engine/v1.41/images/get"
        assert stream
        self.asked.append(params["names"])
        return Answer()


class Answer:
    """What an engine answers, in pieces."""

    pieces: tuple[bytes, ...] = (b"one", b"two")

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def raise_for_status(self) -> None:
        pass

    def iter_content(self, _size: int) -> tuple[bytes, ...]:
        return self.pieces


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    found = Engine()
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(engine, "client", lambda timeout: found)
    monkeypatch.setattr(images, "that_run", lambda: WANTED)
    monkeypatch.setattr(images, "ensure_images", lambda _say: WANTED)
    monkeypatch.setattr(imagebuild, "present", lambda _client: frozenset(found.has))
    monkeypatch.setattr(imagebuild, "check_disk", lambda _client: None)
    return found


QUIET = Say(quiet=True)


def test_an_archive_says_its_tags_and_its_machine(tmp_path: Path) -> None:
    found = imagearchive.look_into(archive(tmp_path / "images.tar", machine="arm64"))
    assert found.tags == {"lab/apps:1", "lab/postgres:2"}
    assert found.machines == {"arm64"}


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing of the kind", b"\0" * 2048],
    ids=["empty", "text", "a tar without anything"],
)
def test_what_holds_no_images_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.tar").write_bytes(content)
    with pytest.raises(UsageError, match="is no archive of images"):
        imagearchive.look_into(tmp_path / "images.tar")


@pytest.mark.parametrize(
    "manifest", [1, [1], [{}], [{"RepoTags": ["x"], "Config": "gone.json"}], {"a": "b"}], ids=str
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, manifest: object) -> None:
    path = archive(tmp_path / "images.tar", **{"manifest.json": manifest})
    with pytest.raises(UsageError, match="is no archive of images"):
        imagearchive.look_into(path)


def test_an_archive_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "images.tar")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UsageError, match="is no archive of images"):
        imagearchive.look_into(path)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nothing.tar", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="there is no file"):
            imagearchive.look_into(path)


def test_images_of_these_sources_are_loaded(tmp_path: Path, here: Engine) -> None:
    path = archive(tmp_path / "images.tar")
    assert imagearchive.load(path, QUIET)
    assert here.taken == [path.read_bytes()]


def test_images_that_are_here_are_not_loaded_again(tmp_path: Path, here: Engine) -> None:
    here.has = {*WANTED.values()}
    assert not imagearchive.load(archive(tmp_path / "images.tar"), QUIET)
    assert here.taken == []


def test_images_of_other_sources_are_refused_and_named(tmp_path: Path, here: Engine) -> None:
    path = archive(tmp_path / "images.tar", {**WANTED, "apps": "lab/apps:0"})
    with pytest.raises(UsageError, match="was saved from other sources: apps changed") as told:
        imagearchive.load(path, QUIET)
    assert "lab images save" in told.value.next_step
    assert here.taken == []


def test_images_for_another_machine_are_refused(tmp_path: Path, here: Engine) -> None:
    path = archive(tmp_path / "images.tar", machine="arm64")
    with pytest.raises(UsageError, match="has images for arm64, and the engine runs amd64"):
        imagearchive.load(path, QUIET)
    assert here.taken == []


def test_all_images_are_asked_for_at_once_and_nothing_is_left_beside_the_file(
    tmp_path: Path, here: Engine
) -> None:
    path = tmp_path / "images.tar"
    assert imagearchive.save(path, QUIET) == 6
    assert here.asked == [["lab/apps:1", "lab/postgres:2"]]
    assert path.read_bytes() == b"onetwo"
    assert [each.name for each in tmp_path.iterdir() if each.name != "state"] == ["images.tar"]


def test_a_file_that_is_there_stays_if_the_engine_stops_in_the_middle(
    tmp_path: Path, here: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def stops(_self: Answer, _size: int) -> Any:
        yield b"one"
        raise requests.ConnectionError("gone")

    monkeypatch.setattr(Answer, "iter_content", stops)
    path = tmp_path / "images.tar"
    path.write_text("before")
    with pytest.raises(EngineGone, match="did not give its images"):
        imagearchive.save(path, QUIET)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir() if each.name != "state"] == ["images.tar"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path, here: Engine) -> None:
    with pytest.raises(UsageError, match="is there and no file"):
        imagearchive.save(Path("/dev/null"), QUIET)
    assert here.asked == []
