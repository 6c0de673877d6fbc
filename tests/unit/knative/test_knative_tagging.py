"""Tags in writes: what may have to come back keeps its instances, and nothing keeps traffic from moving."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Release, ServiceSettings, Stamp
from shipper.model.release import short
from shipper.targets import Invalid
from shipper_targets.knative.conditions import state_of
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.observing import Found, seen_of
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.traffic import asked_for, tags, targets
from shipper_targets.knative.writing import Writing
from tests.unit.knative.knative_calls import FakeCalls, serves
from tests.unit.knative.knative_objects import ID, own, release_of, revision, revision_of, settings_of

pytestmark = pytest.mark.unit

STAMP = Stamp(epoch=9, highest=5)


def with_min(number: int, letter: str) -> Release:
    return release_of(settings_of(scale={"min": 2, "max": 4}), number=number, release_id=ID[:-1] + letter)


OLD, NEW = with_min(4, "A"), with_min(5, "B")
OLD_NAME, NEW_NAME = name_of_release("shop", OLD), name_of_release("shop", NEW)


class Remarks:
    """What is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def remark(self, text: str) -> None:
        self.texts.append(text)


def writing(calls: FakeCalls, remarks: Remarks | None = None) -> Writing:
    owner = ServiceSettings(service="shop", environment="production", root="/srv/shop")
    return Writing(calls, Reading(calls, own()), own(), owner, remarks, None)  # type: ignore[arg-type]


def alive(release: Release, instances: int = 2) -> dict[str, Any]:
    found = revision_of(release)
    found["status"] |= {"desiredReplicas": instances, "actualReplicas": instances}
    return found


def shift(calls: FakeCalls, weights: dict[str, int], stamp: Stamp = STAMP) -> None:
    writing(calls).shift(weights, stamp, seen_of(calls.now))


def test_what_gives_way_to_a_newer_release_stands_by() -> None:
    calls = serves(OLD, alive(OLD), alive(NEW))
    shift(calls, {NEW_NAME: 100})
    assert asked_for(calls.needed()) == {NEW_NAME: 100}
    assert tags(calls.needed()) == {"n4": OLD_NAME}

    shift(calls, {NEW_NAME: 100})  # written again
    assert tags(calls.needed()) == {"n4": OLD_NAME}


@pytest.mark.parametrize(("to", "left"), [("warm", {"n4": OLD_NAME}), ("stopped", {})])
def test_kept_running_it_keeps_its_tag_and_stopped_it_does_not(to: Any, left: dict[str, str]) -> None:
    calls = serves(OLD, alive(OLD), alive(NEW))
    shift(calls, {NEW_NAME: 100})
    writing(calls).retire({OLD_NAME}, to, STAMP, seen_of(calls.now))
    assert tags(calls.needed()) == left


def test_without_a_smallest_number_of_instances_a_tag_keeps_nothing() -> None:
    old, new = release_of(number=4, release_id=ID[:-1] + "A"), release_of(number=5)
    calls = serves(old, revision_of(old), revision_of(new))
    shift(calls, {name_of_release("shop", new): 100})
    assert tags(calls.needed()) == {}


def test_what_is_gone_back_from_has_no_tag() -> None:
    """Crashing a moment later, it would keep the traffic from going back."""
    calls = serves(NEW, alive(OLD), alive(NEW))
    shift(calls, {OLD_NAME: 100})
    assert tags(calls.needed()) == {}


def test_nor_has_what_is_quarantined_or_not_ready() -> None:
    calls = serves(OLD, alive(OLD), alive(NEW))
    shift(calls, {NEW_NAME: 100}, STAMP.model_copy(update={"quarantined": (short(OLD.fingerprint),)}))
    assert tags(calls.needed()) == {}

    calls = serves(OLD, revision_of(OLD, Ready="False"), alive(NEW))
    shift(calls, {NEW_NAME: 100})
    assert tags(calls.needed()) == {}


def test_the_next_release_lets_it_go() -> None:
    calls = serves(OLD, alive(OLD), alive(NEW))
    shift(calls, {NEW_NAME: 100})
    writing(calls).create(with_min(6, "C"), STAMP, seen_of(calls.now))
    assert [*tags(calls.needed())] == ["n6"]


def test_garbage_has_no_tag_when_it_is_deleted() -> None:
    calls = serves(OLD, alive(OLD), alive(NEW))
    shift(calls, {NEW_NAME: 100})
    writing(calls).untag({OLD_NAME, NEW_NAME}, STAMP, seen_of(calls.now))
    assert tags(calls.needed()) == {}
    assert asked_for(calls.needed()) == {NEW_NAME: 100}


def test_one_that_lost_its_instances_has_to_get_them_back_first() -> None:
    idle = alive(OLD, instances=0)
    now = Found("shop", own(), serves(NEW).now, [idle, alive(NEW)]).observation()
    assert {one.name: one.state for one in now.revisions} == {OLD_NAME: "stopped", NEW_NAME: "running"}
    assert state_of(idle) == "running"

    calls = serves(NEW, idle, alive(NEW))
    writing(calls).create(OLD, STAMP, seen_of(calls.now))
    assert tags(calls.needed())["n4"] == OLD_NAME
    assert "template" not in calls.patches[-1]["spec"]


def test_what_is_not_ready_cannot_share_and_can_have_all_of_it_back() -> None:
    calls = serves(OLD, revision_of(OLD, Ready="False"), alive(NEW))
    with pytest.raises(Invalid, match="cannot share traffic"):
        shift(calls, {OLD_NAME: 90, NEW_NAME: 10})

    shift(calls, {NEW_NAME: 100})
    assert asked_for(calls.needed()) == {NEW_NAME: 100}


@pytest.mark.parametrize(("ready", "stays"), [("Unknown", True), ("False", False)])
def test_a_colleagues_tag_of_what_is_starting_stays(ready: str, stays: bool) -> None:
    calls = serves(OLD, alive(OLD))
    calls.there["shop-00009"] = revision("shop-00009", Ready=ready)
    assert calls.now is not None
    calls.now["spec"]["traffic"] = targets({OLD_NAME: 100}, {"qa": "shop-00009"})
    remarks = Remarks()
    writing(calls, remarks).create(NEW, STAMP, seen_of(calls.now))
    assert ("qa" in tags(calls.needed())) is stays
    assert len(remarks.texts) == (0 if stays else 1)


def test_a_colleagues_tag_of_a_revision_that_served_and_was_deleted_goes() -> None:
    """Knative's status says that it is routed for as long as nothing else can be."""
    calls = serves(OLD, alive(NEW))
    assert calls.now is not None
    calls.now["spec"]["traffic"] = targets({OLD_NAME: 100}, {"qa": OLD_NAME})
    remarks = Remarks()
    writing(calls, remarks).shift({NEW_NAME: 100}, STAMP, seen_of(calls.now))
    assert (asked_for(calls.needed()), tags(calls.needed())) == ({NEW_NAME: 100}, {})
    assert "the tag qa" in remarks.texts[0]
