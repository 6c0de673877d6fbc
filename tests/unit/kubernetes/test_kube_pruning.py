"""What is not rendered any more goes by whichever version the cluster serves, and stays where it says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.manifest import Manifest, Rendered, rendered
from shipper_targets.kubernetes.observing import observation_of
from shipper_targets.kubernetes.planning import Planning
from shipper_targets.kubernetes.retiring import Retiring
from tests.unit.kubernetes.kube_found import LABELS, deployment, found, record, service
from tests.unit.kubernetes.kube_rendering import own, release_of

pytestmark = pytest.mark.unit

NOW = Kind("example.com", "v1", "things", "Thing")
OWN = own(manifests=["a.yaml"])


def thing(version: str) -> Manifest:
    metadata = {"name": "t", "namespace": "shops", "labels": LABELS}
    return Manifest({"apiVersion": f"example.com/{version}", "kind": "Thing", "metadata": metadata})


def web(**members: Any) -> Manifest:
    spec = {"template": {"spec": {"containers": [{"name": "a", "image": "x"}]}}}
    return Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})


def of(*more: Manifest) -> Rendered:
    return rendered([web(), *more], web().key)


class Cluster:
    """One Thing is there, served as v1 only; what is applied is as it was sent."""

    def __init__(self, **annotations: str) -> None:
        self.deleted: list[str] = []
        self._thing = {**thing("v1").body, "metadata": {**thing("v1").metadata, "annotations": annotations}}

    def find_kind(self, api_version: str, kind: str) -> Kind | None:
        return NOW if api_version == NOW.api_version else None

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        return self._thing

    def delete(self, kind: Kind, name: str, **_: Any) -> None:
        self.deleted.append(f"{kind.api_version} {name}")

    def apply(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return body


class Records:
    """What was applied, by number of the release."""

    def __init__(self, applied: dict[int, Rendered]) -> None:
        self._applied = applied

    def manifests(self, one: Any) -> Rendered | None:
        return self._applied.get(one.number)

    def release(self, one: Any) -> None:
        return None


def writing(api: Cluster, applied: dict[int, Rendered], told: list[str], **more: Any) -> Any:
    reading = SimpleNamespace(records=Records(applied), **more.pop("reading", {}))
    return SimpleNamespace(api=api, reading=reading, dropped=(), report=SimpleNamespace(remark=told.append), **more)


HERE = found(deployments=[deployment(3, name="web")], records=[record(number, "web") for number in (1, 2, 3)])


def pruned(api: Cluster, told: list[str]) -> list[str]:
    applied = {1: of(thing("v1alpha1")), 2: of(thing("v1")), 3: of()}
    return [str(key) for key in Retiring(writing(api, applied, told)).delete(HERE, [thing("v1").key])]


def test_an_object_of_a_version_that_is_not_served_any_more_is_found_by_a_later_one() -> None:
    api, told = Cluster(), list[str]()
    assert pruned(api, told) == ["Thing/t"]
    assert (api.deleted, told) == (["example.com/v1 t"], [])


def test_what_helm_would_keep_is_kept_and_that_is_told() -> None:
    api, told = Cluster(**{"helm.sh/resource-policy": "keep"}), list[str]()
    assert pruned(api, told) == []
    assert api.deleted == []
    assert told == ["Thing/t is not needed any more, and stays: its helm.sh/resource-policy is keep"]


def planned(api: Cluster, now: Rendered, before: Rendered | None, there: Any) -> tuple[list[str], list[str]]:
    """The changes, and what is remarked."""
    made = writing(
        api,
        {},
        [],
        reading={"now": lambda: there, "live": lambda one: api.find(NOW, "t") if one.kind == "Thing" else one.body},
        manifests=SimpleNamespace(of=lambda *_: now),
        before=lambda _: before,
    )
    plan = Planning(made, OWN).plan(release_of(), observation_of(there, OWN))
    shown = [f"{one.action} {one.subject}: {one.before} -> {one.after}" for one in plan.changes]
    return [one for one in shown if "/" in one.split(":")[0]], list(plan.remarks)


def test_a_plan_does_not_say_that_it_goes() -> None:
    there = found(deployments=[deployment(3, name="web")])
    assert planned(Cluster(), of(), of(thing("v1")), there) == (["remove Thing/t:  -> will be removed"], [])
    kept = planned(Cluster(**{"helm.sh/resource-policy": "keep"}), of(), of(thing("v1")), there)
    assert kept == ([], ["Thing/t is not rendered any more, and is left alone: its helm.sh/resource-policy is keep"])


def test_a_plan_says_that_a_worker_beside_the_workload_goes() -> None:
    worker = {"kind": "Deployment", "metadata": {"name": "worker", "namespace": "shops", "labels": LABELS}}
    there = found(deployments=[deployment(3, name="web"), worker])
    before = Manifest({"apiVersion": "apps/v1", **worker})
    assert planned(Cluster(), of(), of(before), there) == (["remove Deployment/worker:  -> will be removed"], [])


def test_a_plan_says_what_becomes_of_the_route_of_a_gateway_of_before() -> None:
    route = {"kind": "HTTPRoute", "metadata": {"name": "shop"}}
    told = ["HTTPRoute shop is from a Gateway of before: it leads to what serves until it is removed"]
    for gateway, remarks in ((False, told), (True, [])):
        there = found(deployments=[deployment(3, name="web")], route=route, routes=gateway)
        assert planned(Cluster(), of(), of(), there) == ([], remarks)


def test_a_plan_shows_whom_a_service_of_own_manifests_is_to_ask() -> None:
    metadata = {"name": "shop", "namespace": "shops", "labels": LABELS}
    front = Manifest(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "new"}}}
    )
    live = service("web")
    live["spec"]["selector"] = {"app": "old"}
    there = found(deployments=[deployment(3, name="web")], service=live, services=[live])
    changes, _ = planned(Cluster(), of(front), of(front), there)
    assert "change Service/shop spec.selector.app: old -> new" in changes
