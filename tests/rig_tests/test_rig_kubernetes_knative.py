"""Knative on the rig: its own webhooks refuse, its own reconcilers make revisions and traffic."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

PORTS = [{"containerPort": 8080}, {"containerPort": 8081}]


def service(
    image: str = "rig.test/app:1",
    revision: str | None = None,
    traffic: list[dict[str, Any]] | None = None,
    annotations: dict[str, str] | None = None,
    **container: Any,
) -> dict[str, Any]:
    named = {"name": revision} if revision else {}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {
            "template": {
                "metadata": {**named, "annotations": annotations or {}},
                "spec": {"containers": [{"image": image, **container}]},
            },
            **({"traffic": traffic} if traffic else {}),
        },
    }


def scaled(**values: str) -> dict[str, str]:
    return {f"autoscaling.knative.dev/{name.replace('_', '-')}": value for name, value in values.items()}


LATEST: dict[str, Any] = {"latestRevision": True}
REFUSED = {
    "traffic of 90": (service(traffic=[{**LATEST, "percent": 90}]), "Traffic targets sum to 90, want 100"),
    "a tag twice": (
        service(traffic=[{**LATEST, "percent": 100, "tag": "a"}, {**LATEST, "percent": 0, "tag": "a"}]),
        "Multiple definitions for",
    ),
    "a name and latest": (
        service(traffic=[{**LATEST, "percent": 100, "revisionName": "shop-1"}]),
        "may not set revisionName",
    ),
    "a bad tag": (service(traffic=[{**LATEST, "percent": 100, "tag": "Green_"}]), "spec.traffic.tag[0]"),
    "a revision of no service": (service(revision="other-1"), 'must have prefix "shop-"'),
    "a scale in words": (service(annotations=scaled(min_scale="two")), "invalid value: two"),
    "at least more than at most": (
        service(annotations=scaled(min_scale="3", max_scale="2")),
        "max-scale=2 is less than",
    ),
    "two ports": (service(ports=PORTS), "more than one container port is set"),
    "an image that is none": (service("x:1:2"), "Failed to parse image reference"),
}


def path(namespace: str, kind: str = "services", name: str = "") -> str:
    return f"/apis/serving.knative.dev/v1/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


@pytest.mark.parametrize("case", REFUSED)
def test_its_own_webhook_refuses(knative_rig: KubeRig, case: str) -> None:
    body, words = REFUSED[case]
    status, said = knative_rig.request("POST", f"{path('default')}?dryRun=All", body)
    assert status == 400, said
    assert words in said["message"]


def test_a_service_without_a_container_is_refused_by_the_schema(knative_rig: KubeRig) -> None:
    body = service()
    del body["spec"]["template"]["spec"]["containers"]
    status, said = knative_rig.request("POST", f"{path('default')}?dryRun=All", body)
    assert (status, said["reason"]) == (422, "Invalid")


def test_its_reconcilers_make_a_revision_with_its_deployment(knative_rig: KubeRig, kube_namespace: str) -> None:
    def found(kind: str, name: str) -> tuple[int, Any]:
        return knative_rig.request("GET", path(kube_namespace, kind, name))

    status, said = knative_rig.request("POST", path(kube_namespace), service(revision="shop-1"))
    assert status == 201
    assert said["spec"]["template"]["spec"]["timeoutSeconds"] == 300, "filled in by its defaulting webhook"
    until(lambda: found("revisions", "shop-1")[0] == 200)
    deployment = f"/apis/apps/v1/namespaces/{kube_namespace}/deployments/shop-1-deployment"
    until(lambda: knative_rig.request("GET", deployment)[0] == 200)
    until(lambda: "url" in found("services", "shop")[1]["status"])
    assert found("services", "shop")[1]["status"]["url"] == f"http://shop.{kube_namespace}.rig.test"
    assert knative_rig.request("DELETE", path(kube_namespace, "services", "shop"))[0] == 200


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.05)
