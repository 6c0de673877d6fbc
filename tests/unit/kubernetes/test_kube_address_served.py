"""The address is that of what serves, by its record: not of a configuration that never served, or was left again."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.addresses import address_of
from shipper_targets.kubernetes.exposing import ingress_of, route_of
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.unit.kubernetes.kube_found import deployment, found
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

EDGE = "http://192.0.2.1"


def ingress(host: str, **more: Any) -> KubernetesSettings:
    return own(ingress={"host": host, **more})


def gateway(host: str, **more: Any) -> KubernetesSettings:
    return own(gateway={"name": "front", "hosts": [host], **more})


def fronts(then: KubernetesSettings) -> list[Manifest]:
    """What was applied with these settings."""
    made = (ingress_of(then, "shop", {}), route_of(then, "shop", {}, {"shop": 100}))
    service = Manifest({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": {}})
    return [service, *(one for one in made if one is not None)]


def asked(then: KubernetesSettings, now: KubernetesSettings) -> tuple[str, str | None]:
    address = address_of(found(deployments=[deployment(1)], applied=fronts(then)), now)
    assert address is not None
    return address.url, address.host


@pytest.mark.parametrize(
    ("then", "now", "url"),
    [
        (ingress("old.example.com"), ingress("new.example.com"), "http://old.example.com"),
        (ingress("old.example.com"), ingress("new.example.com", tls_secret="cert"), "http://old.example.com"),
        (ingress("a.example.com", tls_secret="cert"), ingress("a.example.com"), "https://a.example.com"),
        (ingress("a.example.com", path="/v1"), ingress("a.example.com", path="/v2"), "http://a.example.com/v1"),
        (gateway("old.example.com"), gateway("new.example.com", tls=True), "https://old.example.com"),
        (ingress("a.example.com"), gateway("b.example.com", tls=True), "http://a.example.com"),
        (gateway("a.example.com"), ingress("b.example.com", tls_secret="cert"), "https://a.example.com"),
        (own(), ingress("new.example.com"), "http://shop.shops.svc"),
        (ingress("old.example.com"), own(), "http://shop.shops.svc"),
    ],
)
def test_what_serves_is_asked_where_it_is_led_to(then: KubernetesSettings, now: KubernetesSettings, url: str) -> None:
    assert asked(then, now) == (url, None)


def test_an_address_that_is_configured_is_asked_with_the_host_of_what_serves() -> None:
    now = own(address=EDGE, ingress={"host": "new.example.com"})
    assert asked(ingress("old.example.com"), now) == (EDGE, "old.example.com")
    assert asked(own(), now) == ("http://shop.shops.svc", None)


@pytest.mark.parametrize(
    "front",
    [
        {"ingress": {"host": "a.example.com", "path": "/v1/"}},
        {"gateway": {"name": "front", "hosts": ["a.example.com"], "path": "/v1"}},
    ],
)
def test_an_address_that_is_configured_is_asked_at_the_path_that_leads_to_the_service(front: dict[str, Any]) -> None:
    now = own(address=EDGE, **front)
    assert asked(now, now) == (f"{EDGE}/v1", "a.example.com")
    first = address_of(found(deployments=[deployment(1)]), now)
    assert first is not None
    assert first.url == f"{EDGE}/v1"


def test_without_a_record_the_configuration_says_it() -> None:
    address = address_of(found(deployments=[deployment(1)]), ingress("new.example.com"))
    assert address is not None
    assert address.url == "http://new.example.com"


@pytest.mark.parametrize(
    "spec", [{}, {"rules": "none"}, {"rules": [{"host": "a b"}]}, {"rules": [{"host": 7}], "tls": 3}]
)
@pytest.mark.parametrize("kind", ["Ingress", "HTTPRoute"])
def test_a_record_that_says_nothing_of_use_is_not_followed(kind: str, spec: dict[str, Any]) -> None:
    applied = [Manifest({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "shop"}, "spec": spec})]
    for now in (ingress("new.example.com"), gateway("new.example.com")):
        address = address_of(found(deployments=[deployment(1)], applied=applied), now)
        assert address is not None
        assert address.url == "http://new.example.com"
