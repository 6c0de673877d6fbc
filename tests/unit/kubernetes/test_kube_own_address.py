"""Own manifests name their Services as they like: the address is that of the one that asks what serves."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.addresses import address_of
from tests.unit.kubernetes.kube_found import deployment, found
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

OWN = own(manifests=["app.yaml"])


def web() -> dict[str, Any]:
    one = deployment(1, name="web")
    one["spec"]["template"]["metadata"] = {"labels": {"app": "web"}}
    return one


def asking(name: str, selector: dict[str, str], port: int = 80) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shops"}
    return {"kind": "Service", "metadata": metadata, "spec": {"selector": selector, "ports": [{"port": port}]}}


@pytest.mark.parametrize(
    ("services", "url"),
    [
        ([asking("db", {"app": "db"}), asking("front", {"app": "web"})], "http://front.shops.svc"),
        ([asking("front", {"app": "web"}, 8080)], "http://front.shops.svc:8080"),
        ([asking("headless", {})], "http://shop.shops.svc"),
    ],
    ids=["the one that asks it", "at its port", "none does"],
)
def test_the_address_is_that_of_the_service_that_asks_what_serves(services: list[dict[str, Any]], url: str) -> None:
    address = address_of(found(deployments=[web()], services=services), OWN)
    assert address is not None
    assert (address.url, address.reach) == (url, "internal")
