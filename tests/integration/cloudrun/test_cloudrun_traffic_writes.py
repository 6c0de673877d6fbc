"""Traffic: one write each, by name, with the stamp in it, and only over what was seen."""

from __future__ import annotations

import threading

import pytest
from google.cloud import run_v2

from shipper.errors import Conflict, Interrupted, Invalid, Transient
from shipper.model import TargetSpec
from shipper.pipeline.cancellation import RunCancellation
from shipper_targets.cloudrun.marks import STAMP
from tests.integration.cloudrun.conftest import Place, over_both

pytestmark = pytest.mark.integration


@over_both
def test_a_first_release_serves_at_once(place: Place) -> None:
    revision = place.created(place.release(1))
    assert place.serves() == {revision.name: 100}
    assert [write["method"] for write in place.writes()] == ["CreateService"]
    now = place.target().observe()
    assert (now.highest, now.stamp.epoch, now.drift) == (1, 1, ())
    assert now.address is not None
    assert now.address.reach == "authenticated"


def test_a_new_revision_has_a_tag_and_no_traffic(place: Place) -> None:
    old = place.released(1)
    new = place.created(place.release(2))
    assert place.serves() == {old.name: 100}
    assert {each.tag: each.revision for each in place.service().traffic_statuses if each.tag} == {"n2": new.name}


@over_both
def test_traffic_and_stamp_move_in_one_write(place: Place) -> None:
    old, new = place.released(1), place.created(place.release(2))
    before = len(place.writes())
    place.epoch = 5
    place.shift({old.name: 90, new.name: 10})
    (write,) = place.writes()[before:]
    assert set(write["mask"]) == {"traffic", "annotations"}
    assert write["etag"]
    assert place.serves() == {old.name: 90, new.name: 10}
    assert place.target().observe().stamp.epoch == 5
    place.shift({new.name: 100})
    assert not [each.tag for each in place.service().traffic if each.tag], "a tag is billed for its minimum"


def test_latest_is_never_asked_for(place: Place) -> None:
    old, new = place.released(1), place.created(place.release(2))
    place.shift({old.name: 50, new.name: 50})
    kinds = {each.type_ for each in place.service().traffic}
    assert kinds == {run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION}


@over_both
def test_every_write_names_its_fields_and_its_etag(place: Place) -> None:
    place.released(1)
    place.shift({place.created(place.release(2)).name: 100})
    place.retire(1, "stopped")
    updates = [write for write in place.writes() if write["method"] == "UpdateService"]
    assert len(updates) >= 5
    assert all(write["mask"] and write["etag"] for write in updates)


@over_both
@pytest.mark.parametrize("write", ["create", "shift", "retire", "stamp", "remove"])
def test_what_somebody_wrote_in_between_is_not_overwritten(place: Place, write: str) -> None:
    """Between our read and our write: their change stays, and we are told."""
    old, new = place.released(1), place.created(place.release(2))
    place.settled()
    target = place.target()
    now = target.observe()
    stamp = place.stamp(now)
    calls = {
        "create": lambda: target.create(place.release(3), stamp, now.seen),
        "shift": lambda: target.shift({new.name: 100}, stamp, now.seen),
        "retire": lambda: target.retire([new], "stopped", stamp, now.seen),
        "stamp": lambda: target.write_stamp(stamp, now.seen),
        "remove": lambda: target.remove(stamp, now.seen),
    }
    place.google.hands.edit(place.project, traffic={old.name: 60, new.name: 40})
    with pytest.raises(Conflict):
        calls[write]()  # type: ignore[no-untyped-call]
    place.google.state.nudge()
    assert {each.revision: each.percent for each in place.service().traffic} == {old.name: 60, new.name: 40}


def test_an_older_observation_is_refused_before_anything_is_sent(place: Place) -> None:
    place.released(1)
    place.settled()
    seen = place.target().observe()
    place.verified(1)
    before = len(place.writes())
    with pytest.raises(Conflict, match="was seen"):
        place.target().write_stamp(place.stamp(seen), seen.seen)
    assert len(place.writes()) == before


def test_what_was_seen_a_moment_ago_is_refused_by_the_platform(place: Place) -> None:
    """Then nobody reads it again: the etag of the write is what was seen."""
    place.released(1)
    place.settled()
    target = place.target()
    seen = target.observe()
    place.verified(1)
    kept = place.service().annotations[STAMP]
    with pytest.raises(Conflict, match="current version is"):
        target.write_stamp(place.stamp(seen), seen.seen)
    assert place.service().annotations[STAMP] == kept


def test_a_lower_epoch_is_refused(place: Place) -> None:
    place.epoch = 9
    place.released(1)
    place.epoch = 8
    with pytest.raises(Conflict, match="epoch 8 was overtaken by epoch 9"):
        place.verified(1)


@over_both
def test_two_first_creates_have_one_winner(place: Place) -> None:
    first, second = place.target(), place.target()
    now, same = first.observe(), second.observe()
    revision = first.create(place.release(1), place.stamp(now), now.seen)
    with pytest.raises(Conflict):
        second.create(place.release(1), place.stamp(same), same.seen)
    assert place.names() == [revision.name]


def test_the_same_release_twice_is_one_revision(place: Place) -> None:
    place.released(1)
    release = place.release(2)
    first = place.created(release)
    assert place.created(release).name == first.name
    place.retire(2, "stopped")
    assert "n2" not in {each.tag for each in place.service().traffic}
    assert place.created(release).name == first.name
    assert "n2" in {each.tag for each in place.service().traffic}
    assert len(place.names()) == 2


def test_what_is_not_ready_gets_no_traffic_and_nothing_is_sent(place: Place) -> None:
    place.released(1)
    bad = place.create(place.release(2, "crash"))
    assert place.last_step(bad).state == "failed"
    before = len(place.writes())
    for weights in ({bad.name: 100}, {"shop-dev-9-nobody": 100}):
        with pytest.raises(Invalid, match="not ready here"):
            place.shift(weights)
    with pytest.raises(Invalid, match="sum to 90"):
        place.shift({bad.name: 90})
    assert len(place.writes()) == before


def test_routing_is_right_although_the_newest_revision_is_not(place: Place) -> None:
    """The operation ends in an error, since the service as a whole is not ready; what is routed is what counts."""
    one = place.released(1)
    two = place.released(2)
    place.last_step(place.create(place.release(3, "missing")))
    place.shift({one.name: 100})
    assert place.serves() == {one.name: 100}
    place.shift({two.name: 100})
    assert place.serves() == {two.name: 100}


def test_a_route_that_is_not_programmed_is_waited_for(place: Place) -> None:
    """And left when the run is cancelled: what was accepted may still come about."""
    one = place.released(1)
    two = place.created(place.release(2))
    place.settled()
    place.google.hands.set_stuck(place.project, "reconcile")
    cancelled = RunCancellation()
    place.cancel = cancelled
    threading.Timer(0.3, cancelled.cancel, [Interrupted("stopped")]).start()
    with pytest.raises(Transient, match="was not waited for"):
        place.shift({two.name: 100})
    assert place.serves() == {one.name: 100}
    place.google.hands.set_stuck(place.project, "")
    place.google.state.nudge()


def test_an_operation_that_never_ends_is_nobodys_business(place: Place) -> None:
    """What serves is read from the service."""
    one, two = place.released(1), place.created(place.release(2))
    place.google.hands.set_stuck(place.project, "operation")
    place.shift({one.name: 50, two.name: 50})
    assert place.serves() == {one.name: 50, two.name: 50}
    place.google.hands.set_stuck(place.project, "")


@over_both
def test_a_lost_answer_leaves_the_write_to_be_recognised(place: Place) -> None:
    one, two = place.released(1), place.created(place.release(2))
    place.settled()
    place.google.hands.fail(place.project, "UpdateService", "UNAVAILABLE", after=True)
    with pytest.raises(Transient):
        place.shift({one.name: 50, two.name: 50})
    place.until(lambda: place.serves() == {one.name: 50, two.name: 50})
    assert place.target().observe().drift == ()


@over_both
def test_a_write_is_never_made_again_by_the_library(place: Place) -> None:
    one, two = place.released(1), place.created(place.release(2))
    place.settled()
    before = place.google.hands.calls(place.project).get("UpdateService", 0)
    place.google.hands.fail(place.project, "UpdateService", "UNAVAILABLE")
    with pytest.raises(Transient):
        place.shift({one.name: 50, two.name: 50})
    assert place.google.hands.calls(place.project)["UpdateService"] == before + 1


@over_both
def test_a_read_is_made_again(place: Place) -> None:
    one = place.released(1)
    place.google.hands.fail(place.project, "GetService", "UNAVAILABLE", times=2)
    assert place.serves() == {one.name: 100}


def test_somebody_elses_tags_stay(place: Place) -> None:
    old = place.released(1)
    place.settled()
    service = place.service()
    service.traffic = [*service.traffic, run_v2.TrafficTarget(type_=2, revision=old.name, tag="preview")]
    place.google.state.update_service(service, ["traffic"])
    new = place.created(place.release(2))
    place.shift({new.name: 100})
    assert {each.tag: each.revision for each in place.service().traffic if each.tag} == {"preview": old.name}
    assert place.target().observe().drift == ()


@over_both
def test_a_rehearsal_changes_nothing(place: Place) -> None:
    place.released(1)
    place.settled()
    target = place.target()
    before = target.observe()
    assert target.preflight(TargetSpec(settings=place.settings(), target="run")) == []
    plan = target.plan(place.release(2, run={"env": {"MODE": "fast"}}), before)
    assert "template.containers.0.env.MODE" in [change.subject for change in plan.changes]
    assert len(plan.remarks) == 1
    assert target.observe() == before
