"""The pair that the pytest plugin offers: it streams, may be broken, is put back, and goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from lab.core.console import Say
from lab.core.errors import LabError
from lab.infra import settings
from lab.infra.machines import Engine
from lab.testbed.throwaway import Pair, pair

pytestmark = pytest.mark.docker
NAME = f"t{uuid.uuid4().hex[:10]}-pair"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(NAME, tmp_path_factory.mktemp("pair"), Say(quiet=True)) as found:
        yield found
    engine = Engine(NAME)
    left = engine.leftovers()
    engine.close()
    assert (left, settings.load(NAME)) == ((), None)


@pytest.fixture
def lab_pair(made: Pair) -> Pair:
    made.put_back()
    return made


def test_an_order_survives_the_loss_of_the_primary(lab_pair: Pair) -> None:
    with lab_pair.client(lab_pair.primary) as session:
        session.execute("CREATE TABLE ours (id int)")
        session.execute("INSERT INTO ours VALUES (1)")
    lab_pair.primary.kill9()
    lab_pair.standby.promote()
    assert lab_pair.standby.query("SELECT id FROM ours", database="shop") == [(1,)]


def test_the_next_test_finds_both_as_they_were(lab_pair: Pair) -> None:
    assert (lab_pair.primary.state().role, lab_pair.standby.state().role) == ("primary", "standby")
    with pytest.raises(LabError, match="does not exist"):
        lab_pair.primary.query("SELECT id FROM ours", database="shop")
    assert lab_pair.primary.query("SELECT sync_state FROM pg_stat_replication") == [("quorum",)]
