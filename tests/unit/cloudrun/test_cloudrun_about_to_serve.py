"""What serves, or will without us, and somebody else's traffic on its way: which does not serve yet."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud import run_v2

from shipper_targets.cloudrun.traffic import about_to_serve, on_its_way, targets
from shipper_targets.cloudrun.written import WRITTEN, written

pytestmark = pytest.mark.unit

OLD, NEW, THEIRS = {"web-1": 100}, {"web-2": 100}, {"web-9": 100}


def service(
    routed: Mapping[str, int], asked: Mapping[str, int], wrote: Mapping[str, int] | None, *, reconciling: bool = True
) -> run_v2.Service:
    """As the platform shows it while it goes from one traffic to the other."""
    shown = run_v2.Service(reconciling=reconciling, traffic=targets(asked, {}), latest_created_revision="web-9")
    shown.traffic_statuses = [run_v2.TrafficTargetStatus(revision=name, percent=routed[name]) for name in routed]
    if wrote is not None:
        shown.annotations = {WRITTEN: written(shown, wrote)}
    return shown


def test_our_own_traffic_serves_when_it_is_routed() -> None:
    assert about_to_serve(service(OLD, NEW, wrote=NEW)) == OLD
    assert about_to_serve(service(NEW, NEW, wrote=NEW, reconciling=False)) == NEW


def test_somebody_elses_traffic_is_on_its_way_and_what_is_routed_serves() -> None:
    """It may never get there: what serves must not be retired, deleted or forgotten for it."""
    split = {"web-1": 50, "web-9": 50}
    for wanted in (THEIRS, split):
        shown = service(OLD, wanted, wrote=OLD)
        assert about_to_serve(shown) == OLD
        assert on_its_way(shown) == wanted


def test_somebody_who_asks_for_the_latest_means_the_newest() -> None:
    shown = service(OLD, OLD, wrote=OLD)
    shown.traffic = []
    assert on_its_way(shown) == THEIRS


def test_our_own_traffic_and_what_is_routed_or_given_up_is_not_on_its_way() -> None:
    assert on_its_way(service(OLD, NEW, wrote=NEW)) == {}
    assert on_its_way(service(THEIRS, THEIRS, wrote=OLD)) == {}
    assert on_its_way(service(OLD, THEIRS, wrote=OLD, reconciling=False)) == {}
    assert on_its_way(service(OLD, THEIRS, wrote=None)) == {}


def test_where_shipper_never_wrote_only_the_first_route_counts_before_it_is_there() -> None:
    assert about_to_serve(service(OLD, THEIRS, wrote=None)) == OLD
    assert about_to_serve(service({}, THEIRS, wrote=None)) == THEIRS
