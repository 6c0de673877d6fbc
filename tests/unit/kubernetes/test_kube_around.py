"""What is around a release's pods: which objects that are, whom they ask and at which port, and whose they may be."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Invalid, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.carriers import is_half_made, of_both_shapes
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered, identified, rendered
from shipper_targets.kubernetes.names import Shape
from shipper_targets.kubernetes.prune import obsolete
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.switching import also_at, as_routed, ports_there
from shipper_targets.kubernetes.taking_over import mind_owner
from shipper_targets.kubernetes.writing import differs_from_any, is_around, is_carrier
from shipper_targets.kubernetes.writing_rolling import refuse_other_name
from tests.unit.kubernetes.kube_found import deployment, found, revision, service
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

SCALED = settings_of(scale={"min": 2, "max": 4}, run={"env": {"MODE": "a"}})


@pytest.mark.parametrize(
    ("shape", "around"),
    [
        ("rolling", {"HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget", "Service"}),
        ("weighted", {"Ingress", "Service"}),
    ],
)
def test_what_changes_only_with_the_traffic(shape: Shape, around: set[str]) -> None:
    whole = render(release_of(SCALED), own(ingress={"host": "a.example.com"}), shape)
    assert {one.kind for one in whole.others if is_around(one, found(shape=shape))} == around


def test_a_route_is_moved_with_the_traffic_unless_it_is_of_own_manifests() -> None:
    route = Manifest({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"}})
    assert is_carrier(route, found(routes=True))
    assert is_carrier(route, found()), "a Gateway of before, or that comes back"
    assert not is_carrier(route, found(own_manifests=True))


def test_whom_an_object_asks_makes_it_no_other_object() -> None:
    settings, gateway = settings_of(rollout={"strategy": "canary"}), {"name": "edge", "hosts": ["a.example.com"]}
    one = render(release_of(settings, number=1), own(gateway=gateway), "weighted")
    two = render(release_of(settings, number=2), own(gateway=gateway), "weighted")
    other = render(release_of(settings, number=3), own(gateway=gateway, service_port=8080), "weighted")
    for manifest in (one.of_kind("HTTPRoute")[0], next(m for m in one.of_kind("Service") if m.name == "shop")):
        assert not differs_from_any(manifest, [two])
    assert differs_from_any(next(m for m in one.of_kind("Service") if m.name == "shop"), [two, other])
    assert differs_from_any(one.of_kind("HTTPRoute")[0], [None])


def test_each_service_behind_a_route_is_asked_at_the_port_that_it_has() -> None:
    gateway = {"name": "edge", "hosts": ["a.example.com"]}
    route = render(release_of(), own(gateway=gateway, service_port=8080), "weighted").of_kind("HTTPRoute")[0]
    old, new = (listening(revision(number), port) for number, port in ((1, 80), (2, 8080)))
    ports = ports_there(found(services=[old]), new)
    assert backends(as_routed(route, {revision(1): 90, revision(2): 10}, 8080, ports)) == [
        (revision(1), 80, 90),
        (revision(2), 8080, 10),
    ]
    for listens, asked in (([8000], 8000), ([9, 8000], 80)):
        named = [{"name": f"p{port}", "port": port} for port in listens]
        adopted = {"metadata": {"name": "shop"}, "spec": {"ports": named}}
        assert backends(as_routed(route, {"shop": 100}, 80, ports_there(found(service=adopted)))) == [
            ("shop", asked, 100)
        ]
    assert backends(as_routed(route, {"later": 100}, 80, {})) == [("later", 80, 100)]


def listening(name: str, port: int) -> dict[str, Any]:
    ports = [{"name": "metrics", "port": 9}, {"name": "http", "port": port}]
    return {"metadata": {"name": name}, "spec": {"ports": ports}}


def backends(route: Manifest) -> list[tuple[str, int, int]]:
    (rule,) = route.body["spec"]["rules"]
    return [(one["name"], one["port"], one["weight"]) for one in rule["backendRefs"]]


def test_who_asks_at_our_port_is_answered_by_what_was_there_before_us_too() -> None:
    one = [{"port": 8000, "targetPort": 9000, "protocol": "TCP"}]
    assert also_at(one, 8000) == one
    assert also_at(one, 80) == [
        {"name": "adopted", "port": 8000, "targetPort": 9000, "protocol": "TCP"},
        {"name": "http", "port": 80, "targetPort": 9000, "protocol": "TCP"},
    ]
    assert also_at([{"port": 8000}], 80)[1]["targetPort"] == 8000
    assert [one["name"] for one in also_at([{"name": "http", "port": 8000}], 80)] == ["http", "shipper"]
    several = [{"name": "web", "port": 8000}, {"name": "metrics", "port": 9}]
    assert also_at(several, 80) == several, "nobody can say which of them it is"


# What stays although it is not rendered any more


def test_what_pods_still_refer_to_is_not_pruned() -> None:
    before = render(release_of(SCALED), own(), "rolling")
    now = render(release_of(SCALED), own(service_account="shop"), "rolling")
    assert now.of_kind("ServiceAccount") == ()
    assert obsolete([before], now) == ()
    assert [
        str(key) for key in obsolete([before], render(release_of(SCALED), own(service_account="x"), "rolling"))
    ] == ["ServiceAccount/shop"]


# Kinds that the cluster serves no more


def test_a_kind_that_the_cluster_serves_no_more_stops_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(own())

    def not_there(doing: str, method: str, path: str, *_: object, **__: object) -> dict[str, Any]:
        raise NotFound(f"404 {path}")

    monkeypatch.setattr(api, "_object", not_there)
    gone = Manifest(
        {"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    )
    reading = Reading(api, settings_of(), own(), "rolling")
    assert reading._read_others("seen", [gone]) == {}
    with pytest.raises(Invalid, match="does not know autoscaling/v2beta2"):
        reading.live(gone)


# Names and owners


def test_own_manifests_keep_the_name_of_their_deployment() -> None:
    there = found(deployments=[deployment(1, name="web")])
    refuse_other_name(there, workload("web"))
    refuse_other_name(found(), workload("web-api"))
    refuse_other_name(found(deployments=[deployment(1, name=revision(1))]), workload("web"))
    for name in ("web-api", "a-web"):
        with pytest.raises(Invalid, match=f"Deployment web serves, and this release is Deployment {name}"):
            refuse_other_name(there, workload(name))


def workload(name: str) -> Rendered:
    made = Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {}})
    return rendered([made], Key("apps", "Deployment", "", name))


def test_somebodys_service_of_another_name_is_not_taken_either(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(own())
    monkeypatch.setattr(api, "find", lambda *_: {"metadata": {"name": "any"}})
    marks = service("shop")["metadata"]["labels"]
    other = Manifest({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": marks}})
    with pytest.raises(Invalid, match=r"Service/web is there, and .* make it: \[targets.<name>\] adopt = true"):
        mind_owner(api, other, adopts=False, marks=True)
    asked = Manifest({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "labels": marks}})
    mind_owner(api, asked, adopts=False, marks=True)
    mind_owner(api, identified(workload("web").main, release_of()), adopts=False, marks=True)


# Carriers


@pytest.mark.parametrize(
    ("operations", "half"),
    [(["Update"], True), (["Apply"], False), (["Apply", "Update"], False), ([], False)],
)
def test_what_a_run_was_killed_over_is_handed_over_to_apply(operations: list[str], half: bool) -> None:
    fields: dict[str, Any] = {"f:spec": {"f:ports": {}}}
    ours = [{"manager": "shipper", "operation": one, "fieldsV1": fields} for one in operations]
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": fields}
    assert is_half_made({"metadata": {"managedFields": [*ours, theirs]}}) is half


def test_a_stamp_alone_is_no_creation() -> None:
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:shipper.dev/stamp": {}}}}
    marked = {"manager": "shipper", "operation": "Update", "fieldsV1": fields}
    assert not is_half_made({"metadata": {"managedFields": [marked]}})


def test_where_both_shapes_are_a_run_begins_with_the_object_of_the_other_one_too() -> None:
    rolling, blue = deployment(1), deployment(2, name=revision(2))
    assert of_both_shapes(found(deployments=[rolling, blue], service=service(revision(2))))
    assert not of_both_shapes(found(deployments=[rolling], service=service("shop")))
    assert not of_both_shapes(found(deployments=[blue], service=service(revision(2))))
    waiting = deployment(3, annotations={"shipper.dev/waits-for": f"{revision(2)}@0.0"})
    assert not of_both_shapes(found(deployments=[waiting, blue], service=service(revision(2))))
