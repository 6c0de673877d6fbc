"""`shipper plan` as somebody who may do exactly what its Role says, before a release and after one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from shipper_targets.knative import permissions as of_knative
from shipper_targets.kubernetes import permissions as of_kubernetes
from shipper_targets.kubernetes.permissions import Need, required
from shipper_targets.kubernetes.plan_parts import SAME
from tests.e2e.cluster.conftest import Cluster, FreshCluster, Kind
from tests.e2e.projects import QUICK, merged, write_service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NEEDS: dict[str, Callable[[], Sequence[Need]]] = {
    "kubernetes": lambda: of_kubernetes.needs("plan", of_kubernetes.Uses(ingress=True, account=True, variables=True)),
    "knative": lambda: of_knative.needs("plan", of_knative.Uses()),
}


def planner(place: Cluster) -> Cluster:
    """The same namespace for who may only plan."""
    rules = of_kubernetes.rules(required(NEEDS[place.kind]()))
    return replace(place, kubeconfig=place.hands.kubeconfig_for(place.namespace, rules))


@pytest.mark.usefixtures("knative_rig")
@pytest.mark.parametrize("kind", NEEDS)
def test_it_says_what_a_release_would_do_whoever_may_make_one(
    fresh_cluster: FreshCluster, tmp_path: Path, kind: Kind
) -> None:
    place, folder = fresh_cluster(kind), tmp_path / "shop"
    may_plan = planner(place)
    settings = place.settings(**QUICK)
    write_service(folder, version="1", settings=settings)

    first = may_plan.run("plan", "-C", folder, "--exit-code")
    assert first.code == 3, first
    assert "a first release" in first.stdout
    assert "a release would be refused (32), without the permission to" in first.stderr + first.stdout, first
    assert "would not take" not in first.stdout, first

    released = place.release(folder)
    assert released.code == 0, released
    for who in (may_plan, place):
        same = who.run("plan", "-C", folder, "--exit-code")
        assert (same.code, SAME in same.stdout) == (0, True), same

    write_service(folder, version="1", settings=merged(settings, {"run": {"env": {"MODE": "other"}}}))
    other = may_plan.run("plan", "-C", folder, "--exit-code")
    assert other.code == 3, other
    changed = "ConfigMap/shop-dev-" if kind == "kubernetes" else "template.env.MODE"
    assert changed in other.stdout, other
    notes = [line for line in other.stdout.splitlines() if "note:" in line]
    assert not [line for line in notes if "cannot create" in line], other
