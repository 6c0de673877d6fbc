"""`shipper release --target knative`: Knative's own webhooks and reconcilers, revisions and traffic by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.answer import Answer, asked
from tests.e2e.cluster.conftest import QUICK, Cluster, new_cluster
from tests.e2e.projects import write_service
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.e2e

CANARY = {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": "2s"}}


@pytest.fixture
def place(
    shipper: Path, rig: Rig, knative_rig: KubeRig, cluster_ledgers: RunningStore, tmp_path: Path
) -> Iterator[Cluster]:
    """A namespace of a cluster with Knative."""
    made = new_cluster("knative", shipper, rig, knative_rig, cluster_ledgers, tmp_path)
    yield made
    knative_rig.drop(made.namespace)


def service(place: Cluster) -> dict[str, Any]:
    """As Knative has it."""
    found: dict[str, Any] = json.loads(place.kubectl("get", "ksvc", "shop-dev", "-o", "json"))
    return found


def ask(place: Cluster) -> Answer:
    """By the host name that Knative gave it."""
    return asked(place.hands.edge_url, host=str(service(place)["status"]["url"]).partition("://")[2])


def serves(place: Cluster) -> dict[str, int]:
    """Revision to percent, as Knative says it."""
    return {one["revisionName"]: one["percent"] for one in service(place)["status"]["traffic"] if one.get("percent")}


@pytest.mark.timeout(600)
def test_a_canary_and_a_rollback_from_an_empty_directory_without_the_ledger(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    assert ask(place).json["version"] == "1"

    write_service(folder, version="2", settings=place.settings(**QUICK, **CANARY))
    second = place.release(folder)
    assert second.code == 0, second
    shares = [event["weights"] for event in second.events if event["event"] == "traffic-shifted"]
    one, two = (ended.finished["serves"]["revision"] for ended in (first, second))
    assert shares == [{one: 90, two: 10}, {one: 50, two: 50}, {two: 100}]
    assert serves(place) == {two: 100}
    assert ask(place).json["version"] == "2"

    back = place.from_nowhere("rollback")
    assert back.code == 0, back
    assert serves(place) == {one: 100}
    assert ask(place).json["version"] == "1"
    assert (back.finished["serves"]["number"], back.finished["serves"]["rollback_to"]) == (3, 1)
    assert one in place.kubectl("get", "revisions", "-o", "name")


def test_a_revision_that_crashes_leaves_the_traffic_and_is_told_with_its_log(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    write_service(folder, version="2", behaviour="crash", settings=place.settings(**QUICK))
    second = place.release(folder)
    assert second.code == 20, second
    assert "connecting to the feature store" in second.said, second
    assert serves(place) == {first.finished["serves"]["revision"]: 100}
    assert ask(place).json["version"] == "1"


def test_traffic_moved_by_hand_stops_a_release_and_a_rollback_takes_it_over(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    names = []
    for version in ("1", "2"):
        write_service(folder, version=version, settings=place.settings(**QUICK))
        ended = place.release(folder)
        assert ended.code == 0, ended
        names.append(ended.finished["serves"]["revision"])
    split = [{"revisionName": name, "percent": 50} for name in names]
    place.kubectl("patch", "ksvc", "shop-dev", "--type", "merge", "-p", json.dumps({"spec": {"traffic": split}}))
    write_service(folder, version="3", settings=place.settings(**QUICK))
    refused = place.release(folder)
    assert refused.code == 31, refused
    back = place.run("rollback", "--service", "shop", "--to", "#1", "--json")
    assert back.code == 0, back
    assert serves(place) == {names[0]: 100}
