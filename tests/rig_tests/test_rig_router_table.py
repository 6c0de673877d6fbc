"""The pure parts of the rig's router: weights, endpoints, and what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rig.kubernetes.router import gateway_routes, routes
from tests.rig.kubernetes.router.endpoints import by_service, of_revision, of_service
from tests.rig.kubernetes.router.table import Endpoint, Route, Share, servers

pytestmark = pytest.mark.unit

UNAVAILABLE, BROKEN = Endpoint("", "127.0.0.1", 1503), Endpoint("", "127.0.0.1", 1500)


def weights(*shares: Share) -> dict[str, int]:
    return {one.name: one.weight for one in servers(Route("shop", shares), UNAVAILABLE, BROKEN)}


def pods(count: int, prefix: str) -> list[Endpoint]:
    return [Endpoint(f"{prefix}{number}", f"10.0.0.{number}", 8080) for number in range(count)]


def test_a_shares_weight_is_divided_among_its_pods() -> None:
    found = weights(Share("stable", 90, pods(9, "s")), Share("canary", 10, pods(1, "c")))
    assert set(found.values()) == {256}
    found = weights(Share("stable", 90, pods(1, "s")), Share("canary", 10, pods(1, "c")))
    assert found == {"s0:8080:stable": 256, "c0:8080:canary": 28}


def test_a_share_of_nothing_gets_nothing_and_a_small_one_something() -> None:
    found = weights(
        Share("stable", 1000, pods(1, "s")), Share("canary", 1, pods(1, "c")), Share("old", 0, pods(1, "o"))
    )
    assert found == {"s0:8080:stable": 256, "c0:8080:canary": 1, "o0:8080:old": 0}


def test_a_share_without_pods_or_service_answers_for_itself() -> None:
    found = weights(Share("stable", 1, pods(1, "s")), Share("empty", 1), Share("none", 1, found=False))
    assert found == {"s0:8080:stable": 256, ":1503:empty": 256, ":1500:none": 256}


def slice_of(service: str, *endpoints: dict[str, Any], port: int = 8080) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    metadata = {"namespace": "ns", "name": f"{service}-x", "labels": labels}
    return {"metadata": metadata, "ports": [{"name": "http", "port": port}], "endpoints": list(endpoints)}


def endpoint(pod: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [f"ip-{pod}"], "conditions": conditions, "targetRef": {"name": pod}}


SERVICE: dict[str, Any] = {
    "metadata": {"namespace": "ns", "name": "shop"},
    "spec": {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80}]},
}


def test_only_ready_endpoints_take_requests() -> None:
    slices = by_service([slice_of("shop", endpoint("a", ready=True), endpoint("b", ready=False), endpoint("c"))])
    assert [one.pod for one in of_service(SERVICE, 80, slices)] == ["a", "c"]
    assert of_service(SERVICE, 81, slices) == []


def test_those_that_end_serve_when_no_other_is_left() -> None:
    ending = endpoint("a", ready=False, serving=True, terminating=True)
    assert [one.pod for one in of_service(SERVICE, 80, by_service([slice_of("shop", ending)]))] == ["a"]
    both = by_service([slice_of("shop", ending, endpoint("b", ready=True))])
    assert [one.pod for one in of_service(SERVICE, 80, both)] == ["b"]


def test_a_revisions_pods_are_asked_at_the_user_containers_port() -> None:
    slices = by_service([slice_of("shop-1-private", endpoint("a", ready=True), port=8012)])
    containers = [{"name": "queue-proxy", "ports": [{"containerPort": 8012}]}]
    containers += [{"name": "user-container", "ports": [{"containerPort": 9090}]}]
    pod: dict[str, Any] = {"spec": {"containers": containers}}
    assert of_revision("ns", "shop-1", slices, {("ns", "a"): pod}) == [Endpoint("a", "ip-a", 9090)]


def gateway(**listener: Any) -> dict[str, Any]:
    metadata = {"namespace": "ways", "name": "in"}
    return {"metadata": metadata, "spec": {"listeners": [{"name": "http", "port": 80, **listener}]}}


def route(host: str = "shop.test", **rule: Any) -> dict[str, Any]:
    rules = [{"backendRefs": [{"name": "shop", "port": 80}], **rule}]
    return {"metadata": {"namespace": "ns", "name": "shop"}, "spec": {"hostnames": [host], "rules": rules}}


ALL = {"namespaces": {"from": "All"}}


@pytest.mark.parametrize(
    ("asked", "ref", "listener", "reason"),
    [
        (route(), {}, {"allowedRoutes": ALL}, "Accepted"),
        (route(), {"sectionName": "https"}, {"allowedRoutes": ALL}, "NoMatchingParent"),
        (route(), {}, {}, "NotAllowedByListeners"),
        (route(), {}, {"allowedRoutes": ALL, "hostname": "*.example.com"}, "NoMatchingListenerHostname"),
        (route(), {}, {"allowedRoutes": ALL, "hostname": "*.test"}, "Accepted"),
        (route("*.test"), {}, {"allowedRoutes": ALL}, "UnsupportedValue"),
        (route(matches=[{"path": {"type": "PathPrefix", "value": "/"}}]), {}, {"allowedRoutes": ALL}, "Accepted"),
        (route(matches=[{"path": {"type": "Exact", "value": "/x"}}]), {}, {"allowedRoutes": ALL}, "UnsupportedValue"),
        (route(matches=[{"headers": [{"name": "a", "value": "b"}]}]), {}, {"allowedRoutes": ALL}, "UnsupportedValue"),
        (route(filters=[{"type": "RequestMirror"}]), {}, {"allowedRoutes": ALL}, "UnsupportedValue"),
    ],
)
def test_what_a_gateway_accepts(
    asked: dict[str, Any], ref: dict[str, Any], listener: dict[str, Any], reason: str
) -> None:
    assert gateway_routes.accepted(asked, ref, gateway(**listener), {}).reason == reason


def test_a_listener_that_selects_namespaces() -> None:
    selecting = gateway(allowedRoutes={"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}})
    assert gateway_routes.accepted(route(), {}, selecting, {"ns": {"a": "b"}}).holds
    assert not gateway_routes.accepted(route(), {}, selecting, {"ns": {}}).holds


def test_what_resolves() -> None:
    assert gateway_routes.resolved(route(), {("ns", "shop"): SERVICE}).holds
    assert gateway_routes.resolved(route(), {}).reason == "BackendNotFound"
    bucket: dict[str, Any] = {"backendRefs": [{"kind": "Bucket", "group": "x", "name": "shop"}]}
    assert gateway_routes.resolved(route(**bucket), {}).reason == "InvalidKind"
    other: dict[str, Any] = {"backendRefs": [{"name": "shop", "namespace": "other", "port": 80}]}
    assert gateway_routes.resolved(route(**other), {}).reason == "RefNotPermitted"


def test_ingresses_are_of_our_class_or_none() -> None:
    assert routes.is_ours({"metadata": {}, "spec": {}})
    assert routes.is_ours({"metadata": {}, "spec": {"ingressClassName": "rig"}})
    assert not routes.is_ours({"metadata": {}, "spec": {"ingressClassName": "nginx"}})
    assert not routes.is_ours({"metadata": {"annotations": {"kubernetes.io/ingress.class": "nginx"}}, "spec": {}})
