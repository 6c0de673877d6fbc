"""Canary and blue-green: steps, bake times and gates."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.errors import Interrupted, PutBack, RolloutFailed, ShipperError, Transient, UsageError
from shipper.targets.conformance.memory_splits import TRAITS
from tests.unit.rollout.world import World, failing, splitting_world

pytestmark = pytest.mark.unit


def asked(world: World, times: int, path: str = "/") -> Callable[[], None]:
    """Users ask so many times while the run waits."""

    def ask() -> None:
        for _ in range(times):
            world.place.ask(path)

    return ask


def canary(world: World, **gate: Any) -> World:
    world.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": 3, "gate": {"error_rate": None, **gate}})
    world.release("one")
    return world


def test_each_step_is_asked_for_exactly_and_then_all_of_it(world: World) -> None:
    canary(world).release("two")
    assert world.told.weights == [{"web-1": 90, "web-2": 10}, {"web-1": 50, "web-2": 50}, {"web-2": 100}]
    assert world.serves == {"two": 100}


def test_a_first_release_has_nothing_to_be_compared_with(world: World) -> None:
    canary(world)
    assert world.told.weights == [{"web-1": 100}]
    assert "nothing to try it against" in world.told.remarks[0]


def test_steps_are_rounded_up_to_what_the_target_can_set() -> None:
    world = splitting_world(TRAITS.model_copy(update={"weight_step": 25}))
    canary(world).release("two")
    assert world.told.weights == [{"web-1": 75, "web-2": 25}, {"web-1": 50, "web-2": 50}, {"web-2": 100}]
    assert "in steps of 25 %: 25 %, 50 %, 100 %" in world.told.remarks[0]


def test_more_failures_than_allowed_put_things_back_with_the_figures(world: World) -> None:
    canary(world, error_rate=0.05, min_requests=10, golden=False)
    cancel = world.cancelled_by()
    cancel.meanwhile = [asked(world, 200)]
    with pytest.raises(PutBack, match="gate error-rate failed on web-2 at 10 %: 20 of 20 requests failed") as caught:
        world.release("two", "failing")
    assert (caught.value.exit_code, caught.value.cause) == (21, "gate")
    assert "(100 %), allowed 5 %" in caught.value.message
    gate = world.told.gates[-1]
    assert (gate.gate, gate.ok, gate.weight, gate.measured["errors"]) == ("error-rate", False, 10, 20.0)
    assert (world.serves, world.there) == ({"one": 100}, ["one"])
    assert world.outcomes == ["verified", "put-back"]


def test_failures_of_the_old_revision_do_not_count(world: World) -> None:
    canary(world, error_rate=0.05, min_requests=5, golden=False)
    world.memory.held["web-1"].kind = "failing"
    world.cancelled_by().each_wait = asked(world, 100)
    assert world.release("two").changed
    assert all(gate.ok for gate in world.told.gates)


def test_what_failed_in_an_earlier_step_does_not_count_in_the_next_one(world: World) -> None:
    canary(world, error_rate=0.05, min_requests=20, golden=False)

    def heals() -> None:
        world.memory.held["web-2"].kind = "good"

    world.cancelled_by().meanwhile = [asked(world, 100), heals, lambda: None, asked(world, 100)]
    assert world.release("two", "failing").changed
    assert [(gate.weight, gate.measured["requests"]) for gate in world.told.gates] == [(50, 50.0)]


def test_too_few_requests_say_nothing_and_the_golden_requests_decide(world: World) -> None:
    canary(world, error_rate=0.0, min_requests=50)
    world.cancelled_by().each_wait = asked(world, 10)
    assert world.release("two").changed
    assert "and 50 are needed to judge; our own golden requests decide" in world.told.remarks[0]
    assert {gate.gate for gate in world.told.gates} == {"golden"}


def test_a_golden_request_that_is_answered_wrongly_during_the_bake_time_puts_things_back(world: World) -> None:
    canary(world)

    def gets_stuck() -> None:
        world.memory.held["web-2"].kind = "never-ready"

    world.cancelled_by().meanwhile = [gets_stuck]
    with pytest.raises(PutBack, match="gate golden failed on web-2 at 10 %: ready at /healthz: answered 503") as caught:
        world.release("two")
    assert world.serves == {"one": 100}
    assert caught.value.details == ("it answered: not ready",)
    assert caught.value.hint.startswith("mend the service, or [health] path and status")


def test_one_lost_golden_answer_is_no_reason_to_go_back(world: World) -> None:
    canary(world)
    cancel = world.cancelled_by()
    cancel.meanwhile = [lambda: setattr(world, "around", failing("probe", Transient("lost")))]
    assert world.release("two").changed


def test_latency_is_judged_by_the_histogram(world: World) -> None:
    canary(world, latency=0.05, min_requests=5, golden=False)
    world.cancelled_by().meanwhile = [asked(world, 100)]
    with pytest.raises(PutBack, match=r"p95 is about 0.095 s \(at most 0.1 s\), allowed 0.05 s"):
        world.release("two")


NAMES = ("SERVICE", "ENVIRONMENT", "REVISION", "NUMBER", "WEIGHT", "ADDRESS")


def command(status: int) -> list[str]:
    script = f"import os, sys; print(*(os.environ['SHIPPER_' + name] for name in {NAMES})); sys.exit({status})"
    return [sys.executable, "-c", script]


def test_the_command_has_the_last_word_at_each_step(world: World) -> None:
    canary(world, golden=False, command=command(0))
    assert world.release("two").changed
    assert world.told.lines == ["web test web-2 2 10 memory://web", "web test web-2 2 50 memory://web"]
    assert [(gate.gate, gate.ok, gate.weight) for gate in world.told.gates] == [
        ("command", True, 10),
        ("command", True, 50),
    ]


def test_any_other_status_of_the_command_fails_the_gate(world: World) -> None:
    canary(world, golden=False, command=command(3))
    with pytest.raises(PutBack, match=r"gate command failed on web-2 at 10 %: python.* ended with status 3"):
        world.release("two")
    assert world.serves == {"one": 100}


def test_a_gate_command_that_is_not_there_fails_the_gate(world: World) -> None:
    canary(world, golden=False, command=["no-such-program"])
    with pytest.raises(PutBack, match="gate command failed"):
        world.release("two")


def test_counters_that_cannot_be_read_fail_the_gate(world: World) -> None:
    canary(world, error_rate=0.1)
    world.around = failing("measure", *[Transient("no answer")] * 99)
    with pytest.raises(PutBack, match="the counters could not be read: no answer"):
        world.release("two")


def test_a_look_that_is_missed_is_no_reason(world: World) -> None:
    canary(world, error_rate=0.1, min_requests=1, golden=False)
    world.cancelled_by().each_wait = asked(world, 50)
    world.around = failing("measure", Transient("no answer"))
    assert world.release("two").changed


def test_blue_green_bakes_with_all_traffic_and_goes_back_in_one_write(world: World) -> None:
    world.sets(rollout={"strategy": "blue-green", "bake": 3})
    world.release("one")

    def breaks() -> None:
        world.memory.held["web-2"].kind = "never-ready"

    world.cancelled_by().meanwhile = [breaks]
    with pytest.raises(PutBack):
        world.release("two")
    assert world.told.weights == [{"web-2": 100}, {"web-1": 100}]
    assert world.there == ["one"]


def test_interrupted_in_a_bake_time_traffic_is_back_in_one_write(world: World) -> None:
    canary(world)
    cancel = world.cancelled_by()
    cancel.meanwhile = [cancel.interrupt]
    with pytest.raises(Interrupted):
        world.release("two")
    assert world.told.weights == [{"web-1": 90, "web-2": 10}, {"web-1": 100}]


def test_a_strategy_that_the_target_cannot_do_is_refused_before_anything_is_written() -> None:
    world = splitting_world(TRAITS.model_copy(update={"strategies": ("all-at-once",)}))
    world.sets(rollout={"strategy": "canary"})
    with pytest.raises(UsageError, match='cannot roll out "canary"'):
        world.release("one")
    assert world.outcomes == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(1, 99), max_size=4),
    step=st.sampled_from([1, 5, 10, 25, 50]),
    broken=st.sampled_from(["create", "shift", "progress", "probe", "measure", "retire", "write_stamp", "ask", ""]),
    at=st.integers(1, 6),
    error=st.sampled_from([Transient("lost"), RolloutFailed("gate"), Interrupted("signal")]),
)
def test_whatever_breaks_wherever_one_verified_revision_serves_all(
    steps: list[int], step: int, broken: str, at: int, error: Exception
) -> None:
    world = splitting_world(TRAITS.model_copy(update={"weight_step": step}))
    world.sets(rollout={"strategy": "canary", "steps": sorted(set(steps)), "bake": 2})
    world.release("one")
    calls = 0

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += name == broken
        if name == broken and calls == at:
            raise error
        return call()

    world.around = around
    code = ending_of(world)
    assert (code, world.serves) in [(0, {"two": 100}), (24, {"two": 100})] or (
        code in (20, 21, 130) and world.serves == {"one": 100}
    )
    assert all(sum(weights.values()) == 100 for weights in world.told.weights)
    assert all(weight % step == 0 for weights in world.told.weights for weight in weights.values())


def ending_of(world: World) -> int:
    """The exit code. An adapter's own error is never shown as it is, and fails the test."""
    try:
        world.release("two")
    except ShipperError as error:
        return error.exit_code
    return 0
