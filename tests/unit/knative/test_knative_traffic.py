"""Traffic by name: what is routed, what was asked for, and what is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper_targets.knative import traffic
from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.rules import violations
from tests.unit.knative.knative_objects import manifest_of, release_of, serving

pytestmark = pytest.mark.unit

NAME = "shop-7-wmrerd"

_names = st.sampled_from(["shop-1-aaaaaa", "shop-2-bbbbbb", "shop-3-cccccc"])
_tags = st.sampled_from(["n1", "n2", "blue", "qa"])


@given(st.dictionaries(_tags, _names), st.lists(_tags, unique=True), st.integers(0, 100), _names, _names)
def test_what_is_written_always_sums_to_100_and_goes_by_name(
    tagged: dict[str, str], latest: list[str], percent: int, first: str, second: str
) -> None:
    weights = {first: 100} if first == second else {first: percent, second: 100 - percent}
    made = traffic.targets(weights, tagged, latest)
    service = manifest_of(release_of())
    service["spec"]["traffic"] = made

    assert violations(service, Cluster()) == []
    assert traffic.asked_for(service) == {name: share for name, share in weights.items() if share}
    assert {one["tag"] for one in made if "tag" in one} == {*tagged, *latest}


def test_who_follows_the_newest_is_seen_and_named() -> None:
    service = serving(release_of(), traffic=[{"latestRevision": True, "percent": 100}])
    assert traffic.follows_latest(service)
    assert traffic.asked_for(service) == {traffic.LATEST: 100}
    assert traffic.about_to_serve(service) == {NAME: 100}


def test_no_traffic_at_all_follows_the_newest() -> None:
    service = serving(release_of())
    del service["spec"]["traffic"]
    assert traffic.follows_latest(service)


def test_a_first_route_is_about_to_serve_until_it_is_given_up() -> None:
    service = serving(release_of())
    service["status"] = {"observedGeneration": 1}
    assert traffic.about_to_serve(service) == {NAME: 100}

    service["status"] = {
        "observedGeneration": 2,
        "conditions": [
            {"type": "RoutesReady", "status": "False", "reason": "RevisionMissing"},
            {"type": "ConfigurationsReady", "status": "False", "reason": "RevisionFailed"},
        ],
    }
    assert traffic.about_to_serve(service) == {}


def test_what_somebody_else_has_asked_for_is_on_its_way_while_it_is_worked_on() -> None:
    theirs: list[dict[str, Any]] = [{"revisionName": "shop-6-old", "percent": 100}]
    service = serving(release_of(), traffic=theirs)
    service["metadata"]["generation"] = 3
    assert traffic.on_its_way(service) == {"shop-6-old": 100}

    service["metadata"]["generation"] = 2  # the platform has done what it could
    assert traffic.on_its_way(service) == {}


def test_our_own_tags_go_and_others_stay() -> None:
    targets = [
        {"revisionName": NAME, "percent": 100, "tag": "n7"},
        {"revisionName": "shop-6-old", "percent": 0, "tag": "n6"},
        {"revisionName": "shop-5-old", "percent": 0, "tag": "demo"},
        {"latestRevision": True, "percent": 0, "tag": "newest"},
    ]
    service = serving(release_of(), traffic=targets)
    assert traffic.kept_tags(service, {NAME}) == {"n7": NAME, "demo": "shop-5-old", "newest": NAME}
    assert traffic.following(service) == ["newest"]
