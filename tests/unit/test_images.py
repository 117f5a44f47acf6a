"""Which images are made, in which order, and from what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from lab.core.console import Say
from lab.core.errors import MachineError, UsageError
from lab.host import imagebuild, images
from lab.host.goprograms import choose, parse_version
from lab.host.images import IMAGES, Image, content_tags, make_all, missing


def no_maker(*_: object) -> None:
    raise AssertionError("nothing is to be built here")


ROWS = (
    Image("base", "test", no_maker, context="base", upstream="debian:1", only_to_build=True),
    Image("app", "test", no_maker, context="app", depends=(("BASE", "base"),)),
    Image("other", "test", no_maker, context="other"),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for row in ROWS:
        (tmp_path / row.context).mkdir()
        (tmp_path / row.context / "Dockerfile").write_text(f"FROM {row.role}\n")
    return tmp_path


def test_a_changed_file_changes_its_image_and_what_stands_on_it(project: Path) -> None:
    before = content_tags(ROWS, project)
    (project / "base" / "Dockerfile").write_text("FROM something else\n")
    after = content_tags(ROWS, project)
    assert {role for role in before if before[role] != after[role]} == {"base", "app"}


def test_a_file_that_becomes_executable_or_another_name_changes_the_tag(project: Path) -> None:
    tags = {content_tags(ROWS, project)["other"]}
    (project / "other" / "Dockerfile").chmod(0o755)
    tags.add(content_tags(ROWS, project)["other"])
    (project / "other" / "Dockerfile").rename(project / "other" / "dockerfile")
    tags.add(content_tags(ROWS, project)["other"])
    assert len(tags) == 3


def test_what_python_leaves_behind_does_not_change_the_tag(project: Path) -> None:
    before = content_tags(ROWS, project)
    (project / "app" / "__pycache__").mkdir()
    (project / "app" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert content_tags(ROWS, project) == before


def test_tags_say_the_role_and_nothing_of_upstream(project: Path) -> None:
    assert content_tags(ROWS, project)["base"].startswith("lab/base:")


def test_nothing_is_missing_when_all_that_runs_is_there() -> None:
    tags = {row.role: f"lab/{row.role}:1" for row in ROWS}
    # base is only there to build app: it is not missed.
    assert missing(tags, frozenset({"lab/app:1", "lab/other:1"}), ROWS) == ()


def test_what_an_absent_image_is_built_from_is_made_first() -> None:
    tags = {row.role: f"lab/{row.role}:1" for row in ROWS}
    todo = missing(tags, frozenset({"lab/other:1"}), ROWS)
    assert [image.role for image in todo] == ["base", "app"]


def test_an_old_tag_does_not_count_as_present() -> None:
    tags = {row.role: f"lab/{row.role}:2" for row in ROWS}
    todo = missing(tags, frozenset({"lab/app:1", "lab/other:2", "lab/base:2"}), ROWS)
    assert [image.role for image in todo] == ["app"]


def test_every_image_is_made_after_those_it_is_built_from() -> None:
    made: list[str] = []
    lock = threading.Lock()

    def make(image: Image, job: imagebuild.Job) -> None:
        with lock:
            made.append(image.role)

    tags = {row.role: f"lab/{row.role}:1" for row in IMAGES}
    make_all(IMAGES, tags, make)
    assert sorted(made) == sorted(tags)
    for image in IMAGES:
        assert all(made.index(need) < made.index(image.role) for need in image.needs)


def test_a_build_is_given_the_tags_of_what_it_stands_on() -> None:
    jobs: dict[str, imagebuild.Job] = {}
    tags = {row.role: f"lab/{row.role}:7" for row in ROWS}
    make_all(ROWS, tags, lambda image, job: jobs.update({image.role: job}))
    assert jobs["app"].arguments == {"BASE": "lab/base:7"}


def test_a_program_may_ask_for_the_base_while_it_is_built() -> None:
    tags = {row.role: f"lab/{row.role}:1" for row in IMAGES}
    asked: list[str] = []

    def make(image: Image, job: imagebuild.Job) -> None:
        if image.role.endswith("-program"):  # compiled in a container, for want of Go here
            asked.append(job.wait_for("base"))

    make_all(IMAGES, tags, make)
    assert asked == ["lab/base:1", "lab/base:1"]


def test_a_failed_build_is_reported_as_itself_and_stops_what_stands_on_it() -> None:
    made: list[str] = []

    def make(image: Image, job: imagebuild.Job) -> None:
        if image.role == "base":
            raise MachineError("the mirror is gone")
        made.append(image.role)

    with pytest.raises(MachineError, match="the mirror is gone"):
        make_all(ROWS, {row.role: "lab/x:1" for row in ROWS}, make)
    assert "app" not in made


class FakeEngine:
    """An engine that has some images, and a registry behind it or not."""

    def __init__(self, *present: str, registry: bool = True) -> None:
        self.present = list(present)
        self.registry = registry
        self.asked: list[str] = []
        self.api = self
        self.images = FakeImages(self)


class FakeImages:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def get(self, name: str) -> None:
        if name not in self.engine.present:
            raise NotFound("no such image")

    def pull(self, name: str, tag: str) -> FakePulled:
        self.engine.asked.append(f"{name}:{tag}")
        if not self.engine.registry:
            raise NotFound("no such host")
        return FakePulled(self.engine)


class FakePulled:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def tag(self, name: str, tag: str) -> None:
        self.engine.present.append(f"{name}:{tag}")


@pytest.fixture
def quiet() -> Say:
    return Say(quiet=True)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Roles that were built; the engine, the lock and the disk are out of the picture."""
    roles: list[str] = []
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.setattr(imagebuild, "check_disk", lambda client: None)
    monkeypatch.delenv("LAB_PULL", raising=False)
    monkeypatch.delenv("LAB_IMAGE_SHOP", raising=False)

    def make(client: Any, job: imagebuild.Job, say: Say) -> None:
        roles.append(job.role)
        client.present.append(job.tag)

    rows = tuple(
        Image(
            r.role, r.why, make, r.context, r.upstream, r.depends, r.also, r.only_to_build,
            plays=("shop",) if r.role == "other" else (),
        )
        for r in ROWS
    )  # fmt: skip
    tags = {row.role: f"lab/{row.role}:1" for row in rows}
    monkeypatch.setattr(images, "IMAGES", rows)
    monkeypatch.setattr(images, "content_tags", lambda: tags)
    monkeypatch.setattr(images, "missing", lambda tags, here: missing(tags, here, rows))
    monkeypatch.setattr(imagebuild, "present", lambda client: frozenset(client.present))
    yield roles


def use(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    monkeypatch.setattr("lab.host.engine.client", lambda timeout: engine)


def test_present_images_are_neither_pulled_nor_built(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine("lab/app:1", "lab/other:1")
    use(monkeypatch, engine)
    own = {"app": "lab/app:1", "other": "lab/other:1", "shop": "lab/other:1"}
    assert images.ensure_images(quiet) == own
    assert (built, engine.asked) == ([], [])


def test_an_image_of_the_users_own_takes_the_part_that_it_is_named_for(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeEngine("lab/app:1", "lab/other:1", "my-shop"))
    monkeypatch.setenv("LAB_IMAGE_SHOP", "my-shop")
    found = images.ensure_images(quiet)
    assert (found["shop"], found["other"]) == ("my-shop", "lab/other:1")


def test_an_image_of_the_users_own_that_is_not_there_is_refused_before_anything_is_made(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    use(monkeypatch, engine)
    monkeypatch.setenv("LAB_IMAGE_SHOP", "my-shop")
    with pytest.raises(UsageError, match=r"LAB_IMAGE_SHOP='my-shop': .* no image") as ended:
        images.ensure_images(quiet)
    assert "docker build" in ended.value.next_step
    assert (built, engine.asked) == ([], [])


def test_the_lab_has_a_shop_of_its_own() -> None:
    assert [image.role for image in IMAGES if "shop" in image.plays] == ["apps"]


def test_a_pulled_image_gets_the_labs_tag_and_is_not_built(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine("lab/other:1")
    use(monkeypatch, engine)
    images.ensure_images(quiet)
    assert engine.asked == ["debian:1"]
    assert built == ["app"]
    assert "lab/base:1" in engine.present


def test_an_image_that_no_registry_gives_is_built(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeEngine(registry=False))
    images.ensure_images(quiet)
    assert set(built) == {"base", "app", "other"}
    assert built.index("base") < built.index("app")


def test_pulling_can_be_switched_off(
    built: list[str], quiet: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    use(monkeypatch, engine)
    monkeypatch.setenv("LAB_PULL", "never")
    images.ensure_images(quiet)
    assert engine.asked == []


def test_the_context_has_the_same_bytes_each_time(project: Path) -> None:
    files = dict(imagebuild.files_of("app", root=project))
    with imagebuild.pack(files) as first, imagebuild.pack(files) as second:
        assert first.read() == second.read()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go 1.26.0", (1, 26, 0)),
        ("go version go1.27rc1 linux/arm64", (1, 27)),
        ("sh: go: not found", None),
    ],
)
def test_go_versions_are_read(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("here", "way"),
    [
        ((1, 26, 0), "as it is"),
        ((1, 27), "as it is"),
        ((1, 24, 4), "fetch"),
        ((1, 21), "fetch"),
        ((1, 19, 8), "container"),
        (None, "container"),
    ],
)
def test_a_go_that_is_too_old_to_fetch_a_newer_one_is_not_used(
    here: tuple[int, ...] | None, way: str
) -> None:
    assert choose(here, (1, 26, 0)) == way
