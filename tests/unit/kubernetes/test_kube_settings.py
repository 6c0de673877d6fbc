"""The kind's own settings: closed, and the traits that follow from them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shipper_targets.kubernetes.content import NOT_CONTENT, content_of
from shipper_targets.kubernetes.exposing import url_of
from shipper_targets.kubernetes.settings import TRAITS, KubernetesSettings, traits_of
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit

GATEWAY = {"name": "front", "hosts": ["shop.example.com"]}


@pytest.mark.parametrize(
    "given",
    [
        {"namespace": "Shops"},
        {"namespace": "a" * 64},
        {"name": "9shop"},
        {"name": "a" * 41},
        {"max_surge": "101%"},
        {"max_surge": -1},
        {"labels": {"a b": "c"}},
        {"labels": {"a": "-"}},
        {"gpu_resource": "gpu"},
        {"address": "shop.example.com"},
        {"scratch": ["relative"]},
        {"nonsense": True},
        {"gateway": {"name": "front", "hosts": []}},
        {"ingress": {"host": "shop.example.com"}, "gateway": GATEWAY},
        {"manifests": ["a"], "manifests_command": ["b"]},
        {"in_cluster": True},
        {"security": {"privileged": True}},
        {"security": {"capabilities": ["CAP_NET_ADMIN"]}},
        {"tolerations": [{"effect": "Never"}]},
        {"pre_stop": -1},
    ],
)
def test_what_kubernetes_would_refuse_is_refused_here(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        own(**given)


def test_a_namespace_is_needed() -> None:
    with pytest.raises(ValidationError, match="namespace"):
        KubernetesSettings.model_validate({"context": "prod"})


@pytest.mark.parametrize(
    ("strategy", "target", "strategies", "step"),
    [
        (None, {}, ("rolling", "recreate"), None),
        ("recreate", {"gateway": GATEWAY}, ("rolling", "recreate"), None),
        ("blue-green", {}, ("all-at-once", "blue-green"), None),
        ("all-at-once", {"gateway": GATEWAY}, ("all-at-once", "blue-green", "canary"), 1),
        ("canary", {"gateway": GATEWAY}, ("all-at-once", "blue-green", "canary"), 1),
    ],
)
def test_what_a_target_can_do_follows_from_strategy_and_gateway(
    strategy: str | None, target: dict[str, Any], strategies: tuple[str, ...], step: int | None
) -> None:
    traits = traits_of(settings_of(rollout={"strategy": strategy} if strategy else {}), own(**target))
    assert (traits.strategies, traits.weight_step) == (strategies, step)
    assert {*traits.strategies} <= {*TRAITS.strategies}


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ({}, "http://shop.shops.svc"),
        ({"service_port": 8080}, "http://shop.shops.svc:8080"),
        ({"ingress": {"host": "a.example.com", "tls_secret": "tls", "path": "/shop/"}}, "https://a.example.com/shop"),
        ({"gateway": {**GATEWAY, "tls": True, "port": 8443}}, "https://shop.example.com:8443"),
        ({"gateway": {**GATEWAY, "port": 80}}, "http://shop.example.com"),
    ],
)
def test_the_address_is_what_users_write(target: dict[str, Any], url: str) -> None:
    assert url_of(own(**target), "shop") == url


def test_where_it_is_and_how_one_gets_there_is_not_what_it_is() -> None:
    elsewhere = own(context="other", namespace="else", kubeconfig="k", adopt=True, address="http://1.2.3.4")
    assert content_of(elsewhere, None) == ""
    fields = KubernetesSettings.model_fields.items()
    reach = {name for name, field in fields if dict(field.json_schema_extra or {}).get("reach")}  # type: ignore[arg-type]
    assert reach <= NOT_CONTENT <= {*KubernetesSettings.model_fields}


@pytest.mark.parametrize("given", [{"cpu_limit": True}, {"labels": {"a": "b"}}, {"gateway": GATEWAY}, {"pre_stop": 0}])
def test_what_decides_how_it_runs_is_part_of_the_fingerprint(given: dict[str, Any]) -> None:
    assert content_of(own(**given), None).startswith("sha256:")
    assert content_of(own(**given), None) == content_of(own(**given, namespace="else"), None)
