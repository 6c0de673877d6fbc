"""How what serves scales is noted when another template takes its place: by hand it can be changed ever after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from shipper.model import Release, ServiceSettings, Stamp
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.observing import Found, seen_of
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.scaling import MIN
from shipper_targets.knative.writing import Writing
from shipper_targets.knative.written import read_written
from tests.unit.knative.knative_calls import FakeCalls, serves
from tests.unit.knative.knative_objects import ID, own, release_of, revision, revision_of, serving, settings_of

pytestmark = pytest.mark.unit

OLDEST, OLD, NEW = (
    release_of(settings_of(scale={"min": 2}), number=number, release_id=ID[:-1] + last)
    for number, last in ((4, "A"), (5, "B"), (6, "C"))
)
STAMP = Stamp(epoch=9, highest=6)


def name(release: Release) -> str:
    return name_of_release("shop", release)


def writes(calls: FakeCalls, write: Callable[[Writing, str], object]) -> None:
    owner = ServiceSettings(service="shop", environment="production", root="/srv/shop")
    there = cast("Calls", calls)
    write(Writing(there, Reading(there, own()), own(), owner, None, None), seen_of(calls.now))


def creates(calls: FakeCalls, release: Release) -> None:
    writes(calls, lambda writing, seen: writing.create(release, STAMP, seen))
    calls.there[name(release)] = revision_of(release)
    calls.reconcile()


def shifts(calls: FakeCalls, release: Release, stamp: Stamp = STAMP) -> None:
    writes(calls, lambda writing, seen: writing.shift({name(release): 100}, stamp, seen))


def noted(calls: FakeCalls) -> dict[str, dict[str, str]]:
    assert calls.now is not None
    note = read_written(calls.now)
    assert note is not None
    return note.scaling


def drift(calls: FakeCalls) -> list[tuple[str, str, str]]:
    seen = Found("shop", own(), calls.now, list(calls.there.values())).observation()
    return [(one.field, one.ours, one.found) for one in seen.drift]


def by_hand(calls: FakeCalls, release: Release, least: str) -> None:
    calls.there[name(release)]["metadata"]["annotations"][MIN] = least


def test_what_serves_beside_a_release_that_failed_is_still_known() -> None:
    calls = serves(OLD, revision_of(OLD))
    creates(calls, NEW)
    assert drift(calls) == []

    by_hand(calls, OLD, "9")

    assert drift(calls) == [(f"{name(OLD)}.{MIN}", "2", "9")]


def test_a_policy_of_the_cluster_is_noted_as_it_admitted() -> None:
    """The record says 2: nobody could put that back."""
    calls = serves(OLD, revision_of(OLD))
    assert calls.now is not None
    calls.now["spec"]["template"]["metadata"]["annotations"][MIN] = "1"
    by_hand(calls, OLD, "1")
    creates(calls, NEW)
    assert drift(calls) == []


def test_what_comes_back_is_known_when_it_served_just_before() -> None:
    calls = serves(OLD, revision_of(OLD))
    creates(calls, NEW)
    shifts(calls, NEW)
    shifts(calls, OLD, Stamp(epoch=10, highest=6))
    assert drift(calls) == []

    by_hand(calls, OLD, "9")

    assert drift(calls) == [(f"{name(OLD)}.{MIN}", "2", "9")]


def test_what_comes_back_from_long_ago_is_taken_as_it_is() -> None:
    calls = serves(NEW, revision_of(OLDEST), revision_of(NEW))
    by_hand(calls, OLDEST, "7")
    shifts(calls, OLDEST)
    assert drift(calls) == []

    by_hand(calls, OLDEST, "9")

    assert drift(calls) == [(f"{name(OLDEST)}.{MIN}", "7", "9")]


def test_a_note_is_of_what_the_service_names_alone() -> None:
    calls = serves(OLDEST, revision_of(OLDEST))
    for release in (OLD, NEW):
        creates(calls, release)
        shifts(calls, release)
    assert [*noted(calls)] == [name(OLD), name(NEW)]


def test_what_was_there_before_shipper_scales_as_others_want() -> None:
    service: dict[str, Any] = serving(OLD, traffic=[{"revisionName": "shop-00003", "percent": 100}])
    service["metadata"]["annotations"] = {}
    service["spec"]["template"] = {"metadata": {}, "spec": {}}
    service["status"]["traffic"] = [{"revisionName": "shop-00003", "percent": 100}]
    calls = FakeCalls(service, revision("shop-00003", {"metadata": {"annotations": {MIN: "1"}}}))
    creates(calls, NEW)
    calls.there["shop-00003"]["metadata"]["annotations"][MIN] = "9"
    assert drift(calls) == []
