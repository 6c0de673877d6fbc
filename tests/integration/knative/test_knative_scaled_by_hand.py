"""Scaling of what serves, changed with `kubectl annotate revision`: found whatever became of the template since."""

from __future__ import annotations

import pytest

from shipper_targets.knative.kinds import REVISION
from shipper_targets.knative.scaling import MAX, MIN
from tests.integration.knative.knative_place import KnativePlace, image_of

pytestmark = pytest.mark.integration


def annotate(place: KnativePlace, revision: str, **annotations: str | None) -> None:
    """As kubectl does it."""
    found = {f"autoscaling.knative.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    place.api.merge(REVISION, revision, {"metadata": {"annotations": found}})


def drift(place: KnativePlace) -> dict[str, tuple[str, str]]:
    return {one.field: (one.ours, one.found) for one in place.target().observe().drift}


def test_after_a_release_that_failed(place: KnativePlace) -> None:
    place.sections = {"scale": {"max": 10}}
    serves = place.goes_out(place.release()).name
    place.rig.nodes.behave("missing", namespace=place.namespace, image=image_of("gone").reference)
    assert place.follows(place.creates(place.release("gone"))).state == "failed"
    assert drift(place) == {}

    annotate(place, serves, min_scale="2", max_scale="3")

    assert drift(place) == {f"{serves}.{MAX}": ("10", "3"), f"{serves}.{MIN}": ("(nothing)", "2")}
    annotate(place, serves, min_scale=None, max_scale="10")
    assert drift(place) == {}


def test_after_a_rollback_to_one_before_the_last(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    for text in ("better", "best"):
        place.goes_out(place.release(text))
    place.shifts(first)
    assert drift(place) == {}

    annotate(place, first.name, min_scale="2")

    assert drift(place) == {f"{first.name}.{MIN}": ("(nothing)", "2")}
