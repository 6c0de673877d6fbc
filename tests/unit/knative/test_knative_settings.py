"""The kind's own settings, and places by URL."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from shipper.targets import TargetContext, UsageError
from shipper.targets.conformance import Values
from shipper_targets.knative import kind
from shipper_targets.knative.names import is_our_tag, service_name, tag_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.unit.knative.knative_objects import own, settings_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("knative://prod/shops", {"context": "prod", "namespace": "shops"}),
        ("knative:///shops", {"in_cluster": True, "namespace": "shops"}),
        ("knative://prod%2Feu/shops?visibility=cluster-local", {"context": "prod/eu", "visibility": "cluster-local"}),
    ],
)
def test_a_place_by_url(url: str, settings: dict[str, object]) -> None:
    assert settings.items() <= kind.from_url(url).items()


@pytest.mark.parametrize(
    "url", ["knative://prod", "kubernetes://prod/shops", "knative://prod/a/b", "knative://prod/shops?nonsense=1"]
)
def test_what_is_no_place(url: str) -> None:
    with pytest.raises(UsageError):
        kind.from_url(url)


def test_without_a_context_those_that_there_are_are_listed(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none")
    with pytest.raises(UsageError, match="no context is configured"):
        kind.connect(TargetContext("kn", settings_of(), {"namespace": "shops"}, Values({})))


def test_context_and_in_cluster_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="one of context and in_cluster, not both"):
        own(in_cluster=True)


@pytest.mark.parametrize("path", ["cache", "/a:b", "/a\n", ""])
def test_a_directory_that_is_none_is_a_mistake_of_the_configuration(path: str) -> None:
    with pytest.raises(ValidationError, match="scratch"):
        own(scratch=[path])


@pytest.mark.parametrize(
    "extreme",
    [
        {"kubeconfig": "k" * 4096, "context": "c" * 4096, "namespace": "n" * 63, "name": "s" * 40},
        {"service_account": "a" * 253, "image_pull_secrets": ["a" * 253] * 10},
        {"labels": {f"{'a' * 253}/{n}": "v" * 63 for n in range(50)}},
        {"annotations": {f"{'a' * 253}/{n}": "v" * 4096 for n in range(50)}},
        {"gpu_resource": f"{'g' * 201}/{'r' * 63}", "cpu_limit": True},
        {"scratch": ["/" + "d" * 1023] * 10, "tmp_size": "1TiB"},
        {"scratch": ["/"], "tmp_size": 1},
        {"security": {"run_as_root": True, "user": 2**31 - 1, "group": 0, "capabilities": ["SYS_TTY_CONFIG"] * 40}},
        {"node_selector": {f"{'a' * 253}/{n}": "" for n in range(20)}},
        {"tolerations": [{"key": "a" * 63, "value": "v" * 63, "effect": "NoExecute"}] * 20},
        {"runtime_class": "r" * 253, "priority_class": "p" * 253, "unschedulable_window": "24h"},
        {"unschedulable_window": 0.001},
    ],
    ids="-".join,
)
def test_whatever_is_taken_here_is_a_place_of_kubernetes_too(extreme: dict[str, Any]) -> None:
    chosen = own(**extreme)
    mirrored = chosen.cluster
    assert {name: getattr(mirrored, name) for name in extreme} == {name: getattr(chosen, name) for name in extreme}


def test_what_is_mirrored_has_the_same_type_in_both() -> None:
    theirs = KubernetesSettings.model_fields
    alike = (name for name in KnativeSettings.model_fields if name in theirs and name not in ("autoscale", "reach"))
    differ = [name for name in alike if _type(KnativeSettings.model_fields[name]) != _type(theirs[name])]
    assert differ == []


def _type(field: FieldInfo) -> tuple[object, ...]:
    return (field.annotation, *field.metadata)


def test_names() -> None:
    assert service_name(settings_of(), own()) == "shop"
    assert service_name(settings_of(environment="dev"), own()) == "shop-dev"
    assert service_name(settings_of(service="a" * 40, environment="staging"), own()).startswith("a" * 33)
    assert len(service_name(settings_of(service="a" * 40, environment="staging"), own())) <= 40
    assert is_our_tag(tag_of(12))
    assert not is_our_tag("new")
