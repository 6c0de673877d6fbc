"""The HTTPRoute of a Gateway that is not configured any more: whose it is, who may look at it, and when it goes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.drift import drift_of
from shipper_targets.kubernetes.kinds import HTTP_ROUTE, Kind
from shipper_targets.kubernetes.labels import labels_of
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.records import secret_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.retiring import Retiring
from tests.unit.kubernetes.kube_api import Json, Server
from tests.unit.kubernetes.kube_found import LABELS, deployment, found, revision, service
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

GATEWAY = {"name": "edge", "hosts": ["a.example.com"]}
KEY = Key("gateway.networking.k8s.io", "HTTPRoute", "", "shop")


def route(*backends: str, **labels: str) -> Json:
    refs = [{"name": name, "weight": 100} for name in backends]
    metadata = {"name": "shop", "uid": "route", "labels": labels or LABELS}
    return {"kind": "HTTPRoute", "metadata": metadata, "spec": {"rules": [{"backendRefs": refs}]}}


class Closed(Server):
    """HTTPRoutes are not for us to look at."""

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        if kind == HTTP_ROUTE:
            raise Denied("httproutes")
        return super().find(kind, name, namespace)


def recorded(**gateway: Any) -> Json:
    """The record of a release, with a Gateway or without."""
    release = release_of()
    made = secret_of("shop", release, render(release, own(**gateway), "weighted"), labels_of(SETTINGS, "shop"), "shops")
    made["metadata"]["uid"] = "record"
    return made


SETTINGS = settings_of()


def read(server: Any, **settings: Any) -> Any:
    return Reading(server, SETTINGS, own(**settings), "weighted").now()


def test_a_route_of_ours_is_seen_without_a_gateway_and_nobody_elses_is() -> None:
    ours = labels_of(SETTINGS, "shop")
    assert read(Server(route("shop", **ours))).route is not None
    assert read(Server(route("shop", team="web"))).route is None
    assert read(Server(route("shop", **ours)), manifests=["a.yaml"]).route is None


def test_whoever_may_not_look_at_routes_is_stopped_only_where_one_of_ours_may_be() -> None:
    assert read(Closed()).route is None
    assert read(Closed(recorded())).route is None
    with pytest.raises(Denied, match=r"HTTPRoute shop of release .* needs httproutes until it is gone"):
        read(Closed(recorded(gateway=GATEWAY)))


@pytest.mark.parametrize(
    ("backend", "gateway", "goes"),
    [("shop", False, True), (revision(1), False, False), ("shop", True, False)],
    ids=["it leads to the Service", "it leads elsewhere", "there is a Gateway"],
)
def test_a_route_goes_when_the_service_has_its_traffic(backend: str, gateway: bool, goes: bool) -> None:
    server: Any = Server(route(backend))
    server.find_kind = server.kind_of
    whole = Rendered((Manifest({**route(), "apiVersion": "gateway.networking.k8s.io/v1"}),), KEY, "")
    reading = SimpleNamespace(records=SimpleNamespace(manifests=lambda _: whole))
    writing: Any = SimpleNamespace(api=server, reading=reading, dropped=(), report=None)
    there = found(
        shape="weighted",
        routes=gateway,
        deployments=[deployment(2, name=revision(2))],
        service=service(revision(2)),
        route=route(backend),
        records=[SimpleNamespace()],
    )
    assert (Retiring(writing).delete(there, [KEY]) == [KEY]) is goes


def test_the_stamp_of_a_route_that_goes_is_on_the_service() -> None:
    there = found(shape="weighted", service=service("shop"), route=route("shop"))
    assert [one["kind"] for one in there.carriers] == ["Service", "HTTPRoute"]


def test_a_route_that_is_not_there_any_more_is_drift() -> None:
    applied = [Manifest({**route("shop"), "apiVersion": "gateway.networking.k8s.io/v1"})]
    there = found(shape="weighted", routes=True, service=service(revision(2)), applied=applied)
    assert [(one.field, one.found) for one in drift_of(there)] == [("HTTPRoute/shop", "(nothing)")]
