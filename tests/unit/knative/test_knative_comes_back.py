"""A release that comes back and has to be made again: with the target's settings of then, and a record that is true."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Release, ServiceSettings, Stamp
from shipper.targets import Invalid
from shipper_targets.knative.content import content_of
from shipper_targets.knative.drift import own_settings
from shipper_targets.knative.marks import read_record
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.observing import seen_of
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.returning import own_of, with_place_of
from shipper_targets.knative.writing import Writing
from tests.unit.knative.knative_calls import FakeCalls, serves
from tests.unit.knative.knative_objects import ID, own, release_of, revision_of

pytestmark = pytest.mark.unit

THEN, NOW = own(timeout=60.0), own(timeout=5.0, http2=True, address="http://127.0.0.1:8080")
GOOD = release_of(number=1, place={"timeout": 60.0}).model_copy(update={"content": content_of(THEN)})
BAD = release_of(number=2, release_id=ID[:-1] + "B", place={"timeout": 5.0, "http2": True}).model_copy(
    update={"content": content_of(NOW)}
)


def coming_back() -> Release:
    """#3: #1 again, from a place that is configured as #2 was."""
    return GOOD.model_copy(update={"number": 3, "id": ID[:-1] + "C", "rollback_to": 1, "place": BAD.place})


def create(calls: FakeCalls, release: Release) -> dict[str, Any]:
    owner = ServiceSettings(service="shop", environment="production", root="/srv/shop")
    writing = Writing(calls, Reading(calls, NOW), NOW, owner, None, None)  # type: ignore[arg-type]
    writing.create(release, Stamp(epoch=9, highest=3), seen_of(calls.now))
    assert calls.now is not None
    template: dict[str, Any] = calls.now["spec"]["template"]
    return template


def test_it_is_made_with_the_settings_of_then() -> None:
    template = create(serves(BAD, revision_of(GOOD), revision_of(BAD)), coming_back())

    assert template["spec"]["timeoutSeconds"] == 60
    assert "name" not in template["spec"]["containers"][0]["ports"][0]  # not h2c


def test_its_record_says_so() -> None:
    release = coming_back()
    template = create(serves(BAD, revision_of(GOOD), revision_of(BAD)), release)

    recorded = read_record(template["metadata"]["annotations"])
    assert recorded is not None
    applied = own_settings(recorded)
    assert applied is not None
    assert content_of(applied) == release.content == recorded.content
    assert (recorded.id, recorded.number) == (release.id, 3)


def test_how_this_machine_gets_there_is_that_of_now() -> None:
    made_with = own_of(coming_back(), NOW, [GOOD, BAD])
    assert (made_with.timeout, made_with.http2, made_with.address) == (60.0, False, "http://127.0.0.1:8080")


def test_a_rollback_of_then_knows_as_well() -> None:
    """#1 itself is cleared away; #3 brought it back."""
    again = coming_back().model_copy(update={"number": 5, "id": ID[:-1] + "D"})
    third = with_place_of(coming_back(), THEN)
    assert own_of(again, NOW, [BAD, third]).timeout == 60.0


def test_settings_that_nobody_has_any_more_are_not_made_up() -> None:
    with pytest.raises(Invalid, match="the settings of the target that #1 had are not here any more"):
        own_of(coming_back(), NOW, [BAD])


def test_where_nothing_has_changed_no_record_is_needed() -> None:
    assert own_of(coming_back(), THEN, []) is THEN


def test_a_release_is_made_with_the_settings_of_now() -> None:
    new = release_of(number=4, release_id=ID[:-1] + "E")
    assert own_of(new, NOW, [GOOD, BAD]) is NOW
    template = create(serves(BAD, revision_of(BAD)), new)
    assert template["metadata"]["name"] == name_of_release("shop", new)
    assert template["spec"]["timeoutSeconds"] == 5


def test_waiting_longer_for_a_node_is_no_new_content() -> None:
    assert content_of(own(unschedulable_window=300.0)) == content_of(own())
