"""`lab route`: policies are listed, predicted by the steering's own code, and set on both."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from apps.steering.policies import POLICIES
from lab.core.errors import LabError, UnknownName, UsageError
from lab.patience import routes
from lab.patience.routes import CASES, predicted, read


def sent(policy: str, *options: str) -> list[tuple[str, str]]:
    route = read(policy, options)
    found = [predicted(route, case) for case in CASES]
    return [(str(each["east"]), str(each["west"])) for each in found]


EAST, WEST, HALF = "east", "west", "east 50 %, west 50 %"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("own-first",), [(EAST, WEST), (WEST, WEST), (EAST, EAST), (EAST, WEST), (EAST, WEST),
                          (EAST, WEST)]),
        (("failover",), [(EAST, EAST), (WEST, WEST), (EAST, EAST), (EAST, WEST), (EAST, EAST),
                         (EAST, EAST)]),
        (("weighted",), [(HALF, HALF), (WEST, WEST), (EAST, EAST), (HALF, WEST), (EAST, HALF),
                         (HALF, HALF)]),
        (("latency",), [(EAST, WEST), (WEST, WEST), (EAST, EAST), (EAST, WEST), (EAST, WEST),
                        (EAST, WEST)]),
        (("failover", "primary=west", "when-all-red=closed"),
         [(WEST, WEST), (WEST, WEST), (EAST, EAST), (WEST, WEST), (EAST, WEST), ("", "")]),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)  # fmt: skip
def test_each_policy_is_predicted_in_each_situation(
    words: tuple[str, ...], told: list[tuple[str, str]]
) -> None:
    assert sent(*words) == told


@pytest.mark.parametrize("policy", POLICIES)
def test_the_prediction_says_what_both_populations_get(policy: str) -> None:
    assert all([*each] == ["east", "west"] for _, _, each in routes.table([read(policy, ())]))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("weighted", "east=0", "west=0"), "add to nothing"),
        (("weighted", "north=3"), "'north=3' is no option of weighted"),
        (("weighted", "east=much"), "east must be a whole number, 0 to 100"),
        (("weighted", "east=1", "east=2"), "east is given twice"),
        (("failover", "primary=north"), "primary must be east or west"),
        (("failover", "west"), "'west' is no option"),
        (("own-first", "fall=0"), "fall must be a whole number, 1 to 100"),
        (("own-first", "path=/health"), "path must be /readyz or /livez"),
    ],
)
def test_bad_options_are_refused_before_any_lab_is_asked(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read(words[0], words[1:])


def test_an_unknown_policy_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownName, match="fail-over"):
        read("fail-over", ())


class Attached:
    """A lab with two steerings, of which one may be silent."""

    def __init__(self, *, silent: bool = False) -> None:
        self.told = list[dict[str, object]]()
        east = SimpleNamespace(follow=self._follow)
        west = SimpleNamespace(follow=self._silent if silent else self._follow)
        from lab.core.topology import REGIONS

        self.steerings = dict(zip(REGIONS, (east, west), strict=True))

    def _follow(self, route: dict[str, object]) -> bool:
        self.told.append(route)
        return self.told.count(route) <= 2

    def _silent(self, _route: dict[str, object]) -> bool:
        raise LabError("west.steering does not answer /route")

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def use(monkeypatch: pytest.MonkeyPatch, lab: Attached) -> None:
    from contextlib import nullcontext

    from lab.testbed import turns
    from lab.testbed.lab import Lab

    attached: Any = lambda *_, **__: lab  # noqa: E731
    monkeypatch.setattr(Lab, "attached", attached)
    monkeypatch.setattr(turns, "exclusive", lambda *_: nullcontext())


def test_a_policy_is_set_on_both_steerings_and_a_second_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lab.commands.route.set import set_policy

    lab = Attached()
    use(monkeypatch, lab)
    set_policy("failover", ["primary=west"])
    told = "".join(capsys.readouterr())
    assert "east's steering: failover primary=west: took it" in told
    assert "west's steering: failover primary=west: took it" in told
    set_policy("failover", ["primary=west"])
    assert "".join(capsys.readouterr()).count("no change was needed") == 2


def test_a_steering_that_does_not_take_it_is_an_error_after_the_other_one_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lab.commands.route.set import set_policy

    lab = Attached(silent=True)
    use(monkeypatch, lab)
    with pytest.raises(LabError, match=r"west\.steering does not answer"):
        set_policy("weighted", ["east=80", "west=20"])
    assert len(lab.told) == 1
