"""plan where somebody changed the platform by hand: it shows that, beside what the target has against a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import Invalid
from shipper.model import Deployment, Problem
from shipper.stages import preflight
from tests.unit.operations.imaginary import Ended, Laptop

pytestmark = pytest.mark.unit

PORT = Problem(code=2, key="service_port", message="spec.ports[1].name: duplicate value", hint="another name")
REGISTRY = {"image": {"repository": "registry.example.com/shop"}}
DRIFT = "  drift: run.memory: expected none, found 64 MB"
REFUSED = "  note: a release is refused (31): somebody changed by hand what shipper owns on this target"
RUNS_INTO_IT = (
    "  note: as it is now, here could not take this release: service_port: spec.ports[1].name: duplicate value"
)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SECOND_LOOK", 0.0)


@pytest.fixture
def released(laptop: Laptop) -> Laptop:
    """One serves."""
    assert isinstance(laptop.release("one", REGISTRY), Deployment)
    return laptop


def by_hand(laptop: Laptop) -> None:
    """Somebody limits the memory of what serves."""
    laptop.memory.drifted = "shop-1"
    laptop.memory.version += 1


def rehearsal(*problems: Problem) -> Callable[[str, Callable[[], Any]], Any]:
    """The target's own preflight runs into these."""
    return lambda name, call: problems if name == "preflight" else call()


def plan(laptop: Laptop, *words: str) -> Ended:
    return laptop.run("plan", "-C", str(laptop.project), *words)


def test_as_shipper_left_it_nothing_is_said_of_drift(released: Laptop) -> None:
    ended = plan(released)
    assert ended.code == 0, ended
    assert "drift" not in ended.out
    assert "note" not in ended.out


def test_a_change_by_hand_is_shown_with_what_a_release_would_say(released: Laptop) -> None:
    by_hand(released)
    ended = plan(released)
    assert ended.code == 0, ended
    assert DRIFT in ended.out.splitlines()
    assert REFUSED in ended.out.splitlines()


def test_a_change_by_hand_that_a_rehearsal_runs_into_is_the_cause_and_no_mistake(released: Laptop) -> None:
    released.kind.around = rehearsal(PORT)
    assert plan(released).code == 2, "nobody changed anything"
    by_hand(released)
    ended = plan(released)
    assert ended.code == 0, ended
    assert "shop in dev on here: shop-1 -> shop-2" in ended.out
    lines = ended.out.splitlines()
    assert DRIFT in lines
    assert REFUSED in lines
    assert f"{RUNS_INTO_IT} (another name)" in lines


def test_there_are_changes_all_the_same(released: Laptop) -> None:
    by_hand(released)
    released.kind.around = rehearsal(PORT)
    assert plan(released, "--exit-code").code == 3


def test_a_reader_of_json_has_it_too(released: Laptop) -> None:
    by_hand(released)
    released.kind.around = rehearsal(PORT)
    shown = plan(released, "--json").shown
    assert [drift["field"] for drift in shown["drift"]] == ["run.memory"]
    assert any("duplicate value" in remark for remark in shown["remarks"])


def test_a_mistake_in_the_configuration_itself_stays_one(released: Laptop) -> None:
    by_hand(released)
    released.configure({**REGISTRY, "rollout": {"strategy": "rolling"}})
    ended = plan(released)
    assert ended.code == 2, ended
    assert "rollout.strategy" in ended.err


def test_what_may_not_be_asked_is_no_drift(released: Laptop) -> None:
    by_hand(released)
    released.kind.around = rehearsal(Problem(code=32, message="may not get services"))
    assert plan(released).code == 32


def test_what_another_run_at_work_leaves_halfway_is_no_drift(released: Laptop) -> None:
    by_hand(released)
    released.memory.in_flight = "an operation of another run"
    assert "drift" not in plan(released).out
    released.kind.around = rehearsal(PORT)
    assert plan(released).code == 2


def test_a_target_that_cannot_say_what_would_change_leaves_the_drift_to_be_told(released: Laptop) -> None:
    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "plan":
            raise Invalid("spec.ports[1].name: duplicate value")
        return call()

    released.kind.around = around
    assert plan(released).code == 2, "nobody changed anything"
    by_hand(released)
    ended = plan(released)
    assert ended.code == 31, ended
    assert "run.memory: none -> 64 MB" in ended.err
    assert "as it is now, here could not take this release: spec.ports[1].name: duplicate value" in ended.err


def test_what_the_target_remarks_of_a_release_is_told_once(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is asked for: a preflight that goes on, and a plan that says the same."""
    connect, lacks = laptop.kind.connect, "a release would be refused (32), without the permission to create pods"

    def connected(context: Any) -> Any:
        def around(name: str, call: Callable[[], Any]) -> Any:
            if name == "preflight" and context.report is not None:
                context.report.remark(lacks)
                context.report.remark("pays about nothing")
            found = call()
            return found.model_copy(update={"remarks": ("pays about nothing",)}) if name == "plan" else found

        laptop.kind.around = around
        return connect(context)

    monkeypatch.setattr(laptop.kind, "connect", connected)
    laptop.configure(REGISTRY)
    ended = plan(laptop)
    assert ended.code == 0, ended
    assert [line for line in ended.out.splitlines() if "note:" in line] == [
        f"  note: {lacks}",
        "  note: pays about nothing",
    ]
