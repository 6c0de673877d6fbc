"""What serves, or will without us: the routes, somebody else's traffic on its way, never our own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud import run_v2

from shipper_targets.cloudrun.traffic import about_to_serve, targets
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


def test_somebody_elses_traffic_serves_as_soon_as_the_platform_has_accepted_it() -> None:
    assert about_to_serve(service(OLD, THEIRS, wrote=OLD)) == THEIRS
    split = {"web-1": 50, "web-9": 50}
    assert about_to_serve(service(OLD, split, wrote=OLD)) == split


def test_somebody_who_asks_for_the_latest_means_the_newest() -> None:
    shown = service(OLD, OLD, wrote=OLD)
    shown.traffic = []
    assert about_to_serve(shown) == THEIRS


def test_what_the_platform_has_given_up_serves_not() -> None:
    assert about_to_serve(service(OLD, THEIRS, wrote=OLD, reconciling=False)) == OLD


def test_where_shipper_never_wrote_only_the_first_route_counts_before_it_is_there() -> None:
    assert about_to_serve(service(OLD, THEIRS, wrote=None)) == OLD
    assert about_to_serve(service({}, THEIRS, wrote=None)) == THEIRS
