"""A run without the ledger may take a number that the ledger had given already: both stay, and neither misleads."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.errors import Denied, NotRecorded, RollbackImpossible, RolloutFailed, ShipperError, UsageError
from shipper.model import Recorded, Release
from shipper.rollout.known import merged
from tests.unit.rollout.world import Unreachable, World, failing

pytestmark = pytest.mark.unit


def third_fails_and_a_rollback_takes_its_number(world: World, keep: str = "running") -> World:
    """one, two verified; #3 fails before it is on the platform; without the ledger a rollback to one is #3 as well."""
    world.sets(rollback={"keep": keep})
    world.release("one")
    world.release("two")
    world.around = failing("create", Denied("no permission"))
    with pytest.raises(ShipperError):
        world.release("three")
    ledger, world.ledger = world.ledger, Unreachable(world.ledger)
    with pytest.raises(NotRecorded, match="#3 serves"):
        world.rollback()
    world.ledger = ledger
    return world


@pytest.mark.parametrize("keep", ["running", "none"])
def test_a_failed_release_is_not_verified_by_the_number_of_a_rollback(world: World, keep: str) -> None:
    third_fails_and_a_rollback_takes_its_number(world, keep)
    failed = [release for release in world.known.releases if release.outcome == "failed"]
    assert [(release.number, release.verified) for release in failed] == [(3, False)]
    world.release("four")
    assert world.rollback().rollback_to == 1
    assert world.serves == {"one": 100}


def test_a_rollback_that_was_applied_again_stands_beside_the_failed_release(world: World) -> None:
    known = third_fails_and_a_rollback_takes_its_number(world, keep="none").known
    both = [(release.name, release.outcome, release.verified) for release in known.numbered(3)]
    assert sorted(both) == [("#3", "failed", False), ("#3 (rollback to #1)", None, True)]
    assert known[3] in known.numbered(3)
    assert known[3] is not None
    assert known[3].verified
    record = known.release(3)
    assert record is not None
    assert (record.rollback_to, record.fingerprint) == (1, known[3].fingerprint)


def test_the_failed_one_never_gets_the_others_record(world: World) -> None:
    known = third_fails_and_a_rollback_takes_its_number(world, keep="none").known
    failed = next(release for release in known.numbered(3) if not release.verified)
    record = known.record(failed)
    assert record is not None
    assert record.fingerprint == failed.fingerprint


def test_a_number_that_could_be_two_releases_is_asked_for_by_fingerprint(world: World) -> None:
    third_fails_and_a_rollback_takes_its_number(world, keep="none")
    with pytest.raises(UsageError, match="could be 2 releases") as caught:
        world.rollback("#3")
    assert "name one by its fingerprint" in caught.value.hint
    assert len(caught.value.details) == 2


def test_a_release_that_failed_for_lack_of_its_image_is_never_a_way_back(world: World) -> None:
    world.release("one")
    world.release("two")
    with pytest.raises(RolloutFailed):
        world.release("three", "missing")
    ledger, world.ledger = world.ledger, Unreachable(world.ledger)
    with pytest.raises(NotRecorded):
        world.rollback()
    world.ledger = ledger
    with pytest.raises(RollbackImpossible, match="no earlier verified release"):
        world.rollback()


# Whose number it is: pure.


def line(release: Release, outcome: Any, **more: Any) -> Recorded:
    values = {"number": release.number, "id": release.id, "fingerprint": release.fingerprint, "image": "", **more}
    return Recorded(outcome=outcome, started=release.created, position=1, **values)


def of_number(world: World, number: int) -> Release:
    records: list[Release] = world.target().records()
    return next(record for record in records if record.number == number)


def test_a_run_that_did_not_live_to_say_so_is_verified_by_the_stamp_when_the_number_is_its_own(world: World) -> None:
    world.release("one")
    own = of_number(world, 1)
    other = own.model_copy(update={"id": "01OTHER"})
    assert merged([line(own, "started")], [own], [1])[0].verified
    assert not merged([line(own, "started")], [], [1])[0].verified
    assert merged([line(own, "started", rollback_to=1)], [], [1])[0].verified
    for started in (line(own, "started"), line(own, "abandoned", rollback_to=1)):
        found = {release.id: release.verified for release in merged([started], [other], [1])}
        assert found == {own.id: False, other.id: True}


@pytest.mark.parametrize("outcome", ["failed", "put-back", "not-put-back", "interrupted", "overtaken"])
def test_what_the_ledger_knows_to_have_ended_otherwise_no_stamp_makes_verified(world: World, outcome: str) -> None:
    world.release("one")
    own = of_number(world, 1)
    assert [found.verified for found in merged([line(own, outcome)], [own], [1])] == [False]
