"""The kind's own settings, and places by URL."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shipper.targets import TargetContext, UsageError
from shipper.targets.conformance import Values
from shipper_targets.knative import kind
from shipper_targets.knative.names import is_our_tag, service_name, tag_of
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


@pytest.mark.parametrize("path", ["relative", "/a:b"])
def test_a_scratch_directory_is_an_absolute_path(path: str) -> None:
    with pytest.raises(ValidationError, match="scratch"):
        own(scratch=[path])


def test_what_pods_of_both_kinds_have_is_the_same_for_what_kubernetes_does() -> None:
    given = {
        "service_account": "runner",
        "image_pull_secrets": ("registry",),
        "labels": {"team": "a"},
        "scratch": ("/cache",),
        "cpu_limit": True,
        "tmp_size": 2**20,
        "priority_class": "high",
        "unschedulable_window": 60.0,
    }
    place = own(**given, autoscale={"by": "hpa"}, reach="internal", address="http://127.0.0.1:1").cluster

    assert {name: getattr(place, name) for name in given} == given
    assert (place.context, place.namespace) == (own().context, own().namespace)
    assert (place.autoscale.cpu, place.reach, place.address) == (70, None, None)
    assert (place.topology_spread, place.pre_stop) == (False, 0.0)


def test_names() -> None:
    assert service_name(settings_of(), own()) == "shop"
    assert service_name(settings_of(environment="dev"), own()) == "shop-dev"
    assert service_name(settings_of(service="a" * 40, environment="staging"), own()).startswith("a" * 33)
    assert len(service_name(settings_of(service="a" * 40, environment="staging"), own())) <= 40
    assert is_our_tag(tag_of(12))
    assert not is_our_tag("new")
