"""`--target knative` over an ingress layer that does not take the new routes: nothing is told that is not so.

Silent, as one that is away or slow, or with a failure that it reports. What it has, it routes on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.cluster.conftest import Cluster, FreshCluster
from tests.e2e.cluster.knative_service import ask, serves
from tests.e2e.killing.signalled import Run
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service

if TYPE_CHECKING:
    from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.sample(1, of="module")]

REFUSED = "no certificate for shop.example.com"
SAYS = {"silent": ("", "Ingress has not yet been reconciled"), "failed": (REFUSED, REFUSED)}
"""What the layer reports, and what Knative then says of its routes."""
THE_TRAFFIC = 2
"""Of a release's writes: the revision comes before it."""
WARM = {"scale": {"min": 1}}
"""Knative takes the instances of what has no traffic in its eyes, although users are routed there, and gives them back
with the traffic: the rig has no activator that would wake them meanwhile.
"""
NOBODY = ""
"""Who answers where there are no instances."""


@pytest.fixture
def place(fresh_cluster: FreshCluster, knative_rig: KubeRig) -> Cluster:
    """A namespace of a cluster with Knative, whose writes can be held."""
    return fresh_cluster("knative", gate=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.mark.parametrize("how", SAYS)
def test_a_revision_whose_route_never_comes_gets_no_traffic(place: Cluster, folder: Path, how: str) -> None:
    failure, told = SAYS[how]
    stable = goes_out(place, folder, "1")
    place.hands.router.hold(place.namespace, failure)
    written(place, folder, "2", rollout={"timeout": "20s"})

    ended = place.release(folder)

    assert ended.code == 20, ended
    assert told in ended.said, ended
    assert serves(place) == {stable: 100}
    assert answers(place) == {"1"}
    place.hands.router.release(place.namespace)
    again = place.release(folder)
    assert again.code == 0, (ended, again)
    assert answers(place) == {"2"}


@pytest.mark.parametrize("how", SAYS)
def test_traffic_that_was_written_and_is_never_routed_is_put_back(place: Cluster, folder: Path, how: str) -> None:
    failure, told = SAYS[how]
    stable = goes_out(place, folder, "1", **WARM)
    written(place, folder, "2", **WARM)

    run = held_at_the_traffic(place, folder, failure)
    run.until(lambda: serves(place) != {stable: 100})  # so Knative says, before it has asked the layer
    assert answers(place) == {"1"}
    run.until(lambda: "putting traffic back" in run.said, seconds=120)
    run.until(lambda: serves(place) == {stable: 100})
    assert answers(place) <= {"1", NOBODY}
    place.hands.router.release(place.namespace)  # else nobody could tell that it is back
    ended = run.end(120)

    assert ended.code == 21, ended
    assert told in ended.said, ended
    assert serves(place) == {stable: 100}
    until_answered(place, "1")
    again = place.release(folder)
    assert again.code == 0, (ended, again)
    assert answers(place) == {"2"}


@pytest.mark.sweep
def test_a_rollback_that_is_never_routed_says_that_a_person_is_needed(place: Cluster, folder: Path) -> None:
    """Nor is the way back ever routed: what serves is what served, and nothing on the platform proves it."""
    goes_out(place, folder, "1", **WARM)
    stable = goes_out(place, folder, "2", **WARM)
    place.hands.router.hold(place.namespace, REFUSED)

    ended = rollback(place)

    assert ended.code == 22, ended
    assert REFUSED in ended.said, ended
    assert serves(place) == {stable: 100}
    until_answered(place, "2")
    place.hands.router.release(place.namespace)
    again = rollback(place)
    assert again.code == 0, (ended, again)
    assert answers(place) == {"1"}


def written(place: Cluster, folder: Path, version: str, **settings: Any) -> None:
    write_service(folder, version=version, settings=place.settings(**QUICK, **settings))


def goes_out(place: Cluster, folder: Path, version: str, **settings: Any) -> str:
    """Its revision, which serves."""
    written(place, folder, version, **settings)
    ended = place.release(folder)
    assert ended.code == 0, ended
    assert answers(place) == {version}
    return str(ended.finished["serves"]["revision"])


def rollback(place: Cluster) -> Ended:
    return place.run("rollback", "--service", "shop", "--to", "#1", "--json")


def answers(place: Cluster) -> set[str]:
    """The versions that answer."""
    found = [ask(place) for _ in range(5)]
    return {str(one.json["version"]) if one.status == 200 else NOBODY for one in found}


def until_answered(place: Cluster, version: str) -> None:
    """Once its instances are back, by nobody else."""
    deadline = time.monotonic() + 60
    while (found := answers(place)) != {version}:
        assert found <= {version, NOBODY}
        assert time.monotonic() < deadline, f"version {version} never came"
        time.sleep(0.1)


def held_at_the_traffic(place: Cluster, folder: Path, failure: str) -> Run:
    """A release under way: its revision is ready and has its tag routed; its traffic is written, and held."""
    gate, namespace = place.hands.gate, place.namespace
    gate.hold(namespace, THE_TRAFFIC)
    run = Run(place.start("release", "--target", "knative", "--json", "-C", folder))
    try:
        assert gate.held(namespace, 120) is not None, run.said
        place.hands.router.hold(namespace, failure)
    finally:
        gate.release(namespace)
    return run
