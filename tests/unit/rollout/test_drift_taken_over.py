"""A rollback to what serves, when somebody has changed that by hand: it is applied again, as it was released."""

from __future__ import annotations

import pytest

from shipper.errors import NotPutBack, RolloutFailed
from shipper.model import Wanted
from shipper.stages.select import look_back
from shipper.targets.conformance.memory_replaces import Rolling
from tests.unit.rollout.world import Told, World, replacing_world, splitting_world

pytestmark = pytest.mark.unit

BOTH = {"splits": splitting_world, "replaces": replacing_world}


@pytest.fixture(params=BOTH)
def changed(request: pytest.FixtureRequest) -> World:
    """#2 serves, and is not any more as it was released."""
    world: World = BOTH[request.param]()
    world.release("one")
    world.release("two")
    world.place.drift()
    assert world.observation.drift
    return world


def test_it_is_applied_again_under_a_number_of_its_own(changed: World) -> None:
    deployment = changed.rollback("#2")
    assert (deployment.changed, deployment.number, deployment.rollback_to) == (True, 3, 2)
    assert deployment.revision == changed.name(3)
    assert changed.serves == {"two": 100}
    assert changed.observation.drift == ()
    assert changed.outcomes == ["verified", "verified", "verified"]
    assert changed.state.quarantined == ()
    assert any("changed by hand" in remark for remark in changed.told.remarks)
    assert any("it is applied again" in remark for remark in changed.told.remarks)


def test_then_it_is_as_it_was_released_and_there_is_nothing_to_do(changed: World) -> None:
    changed.rollback("#2")
    again = changed.rollback("#2")
    assert (again.changed, again.number) == (False, 3)


def test_the_dry_run_says_so(changed: World) -> None:
    found = look_back(Wanted(to="#2"), changed.target(), changed.ledger, Told(), changed.clock.now())
    assert (found.choice.serves_already, found.nothing_to_do, found.warm) == (True, False, False)
    changed.rollback("#2")
    found = look_back(Wanted(to="#2"), changed.target(), changed.ledger, Told(), changed.clock.now())
    assert found.nothing_to_do


def test_what_cannot_be_applied_again_is_said_and_what_serves_stays() -> None:
    world = splitting_world()
    world.release("one")
    world.release("two")
    world.place.drift()
    image = world.place.image("good", "two")
    world.memory.images[image.config_digest] = ("crash-loop", "two")  # its image was overwritten
    with pytest.raises(RolloutFailed) as caught:
        world.rollback("#2")
    assert (caught.value.exit_code, caught.value.cause) == (20, "crashed")
    assert not isinstance(caught.value, NotPutBack)
    assert world.serves == {"two": 100}


def test_in_the_middle_of_an_operation_that_a_change_by_hand_has_begun_it_is_ended_and_not_followed() -> None:
    world = replacing_world()
    world.release("one")
    world.release("two")
    world.place.drift()
    assert isinstance(world.memory, Rolling)
    world.memory.in_flight, world.memory.before = "pods of an edited template", (("web-2", 100),)
    deployment = world.rollback("#2")
    assert (deployment.revision, world.serves) == ("web-3", {"two": 100})
    assert [call for call in world.calls if call in ("abort", "replace")] == ["abort", "replace"]
    assert world.observation.drift == ()
