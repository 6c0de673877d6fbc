"""A service's traffic: what is routed, what was asked for, and what is asked for next."""

from __future__ import annotations

import pytest
from google.cloud import run_v2
from hypothesis import given
from hypothesis import strategies as st

from shipper_targets.cloudrun.traffic import (
    LATEST,
    about_to_serve,
    asked_for,
    foreign_tags,
    routed,
    show,
    tags,
    targets,
)

pytestmark = pytest.mark.unit

Type = run_v2.TrafficTargetAllocationType
NEWEST = "projects/p/locations/r/services/s/revisions/s-2"


def status(revision: str, percent: int, tag: str = "") -> run_v2.TrafficTargetStatus:
    kind = Type.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION if revision else Type.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    return run_v2.TrafficTargetStatus(type_=kind, revision=revision, percent=percent, tag=tag)


@given(
    st.dictionaries(st.sampled_from(["s-1", "s-2", "s-3", "s-4"]), st.integers(0, 100)),
    st.dictionaries(st.sampled_from(["n1", "n2", "preview", "x"]), st.sampled_from(["s-1", "s-2", "s-9"])),
)
def test_what_is_asked_for_is_by_name_and_nothing_is_lost(weights: dict[str, int], tagged: dict[str, str]) -> None:
    service = run_v2.Service(traffic=targets(weights, tagged))
    assert all(each.type_ == Type.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION for each in service.traffic)
    assert tags(service) == tagged
    named = {name: weight for name, weight in weights.items() if weight}
    assert asked_for(service) == (named or {LATEST: 100})
    assert sum(each.percent for each in service.traffic) == sum(weights.values())


def test_a_revision_in_several_entries_has_their_sum() -> None:
    service = run_v2.Service(traffic_statuses=[status("s-1", 40), status("s-1", 20, "a"), status("s-2", 40)])
    assert routed(service) == {"s-1": 60, "s-2": 40}


def test_latest_means_the_newest_ready_one() -> None:
    service = run_v2.Service(traffic_statuses=[status("", 100)], latest_ready_revision=NEWEST)
    assert routed(service) == {"s-2": 100}
    assert asked_for(run_v2.Service()) == {LATEST: 100}


def test_a_first_route_on_its_way_counts_as_one() -> None:
    first = run_v2.Service(traffic=targets({"s-2": 100}, {}), reconciling=True, latest_created_revision=NEWEST)
    assert routed(first) == {}
    assert about_to_serve(first) == {"s-2": 100}
    first.reconciling = False
    assert about_to_serve(first) == {}, "it was given up"
    first.traffic = []
    first.reconciling = True
    assert about_to_serve(first) == {"s-2": 100}, "the platform's own default"


def test_tags_of_others_are_known_by_their_form() -> None:
    service = run_v2.Service(traffic=targets({"s-1": 100}, {"n1": "s-1", "preview": "s-1", "n2x": "s-2"}))
    assert foreign_tags(service) == {"preview": "s-1", "n2x": "s-2"}


def test_weights_for_people() -> None:
    assert show({"b": 10, "a": 90}) == "a 90 %, b 10 %"
    assert show({}) == "nothing"
