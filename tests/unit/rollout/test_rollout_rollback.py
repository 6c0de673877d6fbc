"""A rollback, through the same rollout as everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import NotRecorded, PutBack, RollbackImpossible, RolloutFailed
from shipper.model import short
from shipper.targets.conformance.rig import Answer
from tests.unit.rollout.world import Unreachable, World, afterwards

pytestmark = pytest.mark.unit


def test_a_warm_one_needs_one_write_of_traffic_and_nothing_new(world: World) -> None:
    world.release("one")
    bad = world.release("two")
    deployment = world.rollback()
    assert (deployment.number, deployment.rollback_to, deployment.revision) == (3, 1, "web-1")
    assert deployment.verdict.proof == "identity"
    assert "create" not in world.calls
    assert world.serves == {"one": 100}
    assert world.memory.stamp.quarantined == (short(bad.fingerprint),)
    assert world.state.quarantined == (short(bad.fingerprint),)


def test_its_quarantine_goes_along_with_the_traffic(world: World) -> None:
    world.release("one")
    world.release("two")

    class Killed(BaseException):
        pass

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "ask":
            raise Killed
        return call()

    world.around = around
    with pytest.raises(Killed):
        world.rollback()
    assert world.serves == {"one": 100}
    assert world.memory.stamp.quarantined
    again = world.rollback()
    assert (again.changed, again.number, world.serves) == (False, 3, {"one": 100})
    assert world.state.quarantined == world.memory.stamp.quarantined
    assert world.outcomes == ["verified", "verified", "verified"]


def test_one_that_does_not_answer_any_more_is_put_back_and_nothing_stays_quarantined(world: World) -> None:
    world.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]})
    world.release("one")
    world.release("two")
    world.memory.held["web-1"].kind = "failing"
    with pytest.raises(PutBack, match="predict: answered 500"):
        world.rollback()
    assert world.serves == {"two": 100}
    assert world.memory.stamp.quarantined == ()
    assert world.state.quarantined == ()
    assert world.there == ["one", "two"]


def test_a_stopped_one_is_started_and_one_that_is_gone_is_applied_again(world: World) -> None:
    for keep, revision in (("stopped", "web-1"), ("none", "web-6")):
        world.sets(rollback={"keep": keep})
        world.release(f"old {keep}")
        world.release(f"new {keep}")
        deployment = world.rollback()
        assert deployment.revision == revision
        assert world.serves == {f"old {keep}": 100}


def test_one_that_serves_and_is_not_well_is_applied_anew(world: World) -> None:
    world.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]})
    world.release("one")
    world.memory.held["web-1"].kind = "failing"
    deployment = world.rollback("#1")
    assert (deployment.changed, deployment.revision) == (True, "web-2")
    assert any("serves but is not well" in remark for remark in world.told.remarks)


def test_image_environment_and_secret_values_come_back_together(world: World) -> None:
    world.secrets = {"TOKEN": "old secret"}
    world.sets(run={"env": {"MODE": "old"}, "secrets": {"TOKEN": "env:TOKEN"}}, rollback={"keep": "none"})
    world.release("one")
    world.secrets = {"TOKEN": "new secret"}
    world.sets(run={"env": {"MODE": "new"}, "secrets": {"TOKEN": "env:TOKEN"}})
    world.release("two")
    world.secrets = {}
    world.rollback()
    answers = [world.place.ask(path).body for path in ("/", "/env/MODE", "/secrets/TOKEN")]
    assert answers == [b"one", b"old", b"old secret"]


def test_what_serves_already_is_nothing_to_do_and_says_so(world: World) -> None:
    world.release("one")
    deployment = world.rollback("#1")
    assert (deployment.changed, deployment.number, deployment.rollback_to) == (False, 1, 1)
    assert world.outcomes == ["verified"]


def test_drift_is_shown_and_taken_over(world: World) -> None:
    world.release("one")
    world.release("two")
    world.place.drift()
    assert world.rollback().changed
    assert any("run.memory: none -> 64 MB" in remark for remark in world.told.remarks)


def test_traffic_that_was_moved_by_hand_is_taken_over(world: World) -> None:
    world.release("one")
    world.release("two")

    def by_hand() -> None:
        world.memory.set_weights({"web-1": 50, "web-2": 50})
        world.memory.version += 1

    world.around = afterwards("progress", by_hand)
    world.rollback()
    assert world.serves == {"one": 100}


def test_without_the_ledger_it_serves_ends_in_24_and_says_where(world: World) -> None:
    world.release("one")
    world.release("two")
    world.ledger = Unreachable(world.ledger)
    with pytest.raises(NotRecorded, match="#3 serves at memory://web, proved by identity"):
        world.rollback()
    assert world.serves == {"one": 100}
    assert world.memory.stamp.verified == (2, 1, 3)


def test_a_ledger_that_is_lost_on_the_way_does_not_stop_it(world: World) -> None:
    for lost_after in range(1, 6):
        world.release(f"old {lost_after}")
        world.release(f"new {lost_after}")
        ledger = world.ledger
        world.ledger = Unreachable(ledger, after=3 + lost_after)
        try:
            world.rollback()
        except NotRecorded as error:
            ended = error.exit_code
        else:
            ended = 0
        world.ledger = ledger
        assert ended in (0, 24), lost_after
        assert world.serves == {f"old {lost_after}": 100}


def test_a_rollback_skips_the_canarys_steps(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10, 50]})
    world.release("one")
    world.release("two")
    world.rollback()
    assert world.told.weights == [{"web-1": 100}]


def test_five_failed_releases_in_a_row_and_then_the_last_verified_one(world: World) -> None:
    world.release("one")
    world.release("two")
    for number in range(5):
        with pytest.raises(RolloutFailed):
            world.release(f"bad {number}", "crash-loop")
    assert world.rollback().rollback_to == 1


def test_back_and_back_again_ends_where_nothing_is_left(world: World) -> None:
    for text in ("one", "two", "three"):
        world.release(text)
    assert world.rollback().rollback_to == 2
    deployment = world.rollback()
    assert deployment.rollback_to == 1
    with pytest.raises(RollbackImpossible) as caught:
        world.rollback()
    assert len(caught.value.details) == 3
    assert world.place.ask() == Answer(status=200, body=b"one", revision=deployment.revision)


def test_forward_again_by_name_lifts_the_quarantine(world: World) -> None:
    world.release("one")
    world.release("two")
    world.rollback()
    assert world.rollback("#2").rollback_to == 2
    assert (world.memory.stamp.quarantined, world.state.quarantined) == ((), ())
    assert world.serves == {"two": 100}


def test_at_least_as_many_instances_as_serve_now_come_back(world: World) -> None:
    world.sets(rollback={"keep": "none"}, scale={"min": 1, "max": 1})
    world.release("one")
    world.release("two")
    inner = world.around

    def around(name: str, call: Callable[[], Any]) -> Any:
        found = call() if inner is None else inner(name, call)
        return found.model_copy(update={"capacity": 4}) if name == "observe" else found

    world.around = around
    deployment = world.rollback()
    record = world.target().records()[-1]
    assert (record.number, record.settings.scale.min, record.settings.scale.max) == (3, 4, 4)
    assert record.fingerprint == deployment.fingerprint == world.target().records()[0].fingerprint


def test_where_traffic_comes_back_to_what_served_the_way_back_before_it_stays(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5})
    world.release("one")
    world.release("two")
    other = World(place=world.place, settings=world.settings, ledger=world.ledger, clock=world.clock)
    world.cancelled_by().meanwhile = [other.rollback]
    with pytest.raises(PutBack):
        world.release("three")
    assert (world.serves, world.there) == ({"two": 100}, ["one", "two"])
