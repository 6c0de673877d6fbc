"""Kinds of own manifests: those that only the cluster knows to belong to no namespace are refused as the others are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import DEPLOYMENT, Kind
from shipper_targets.kubernetes.manifest import Manifest, rendered
from shipper_targets.kubernetes.own_kinds import kinds_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.scopes import is_cluster_scoped
from tests.unit.kubernetes.kube_rendering import own, release_of

pytestmark = pytest.mark.unit

POLICY = Kind("kyverno.io", "v1", "clusterpolicies", "ClusterPolicy", namespaced=False)
ROUTE = Kind("traefik.io", "v1alpha1", "ingressroutes", "IngressRoute")


def kind_of(api_version: str, kind: str) -> Kind:
    for one in (POLICY, ROUTE, DEPLOYMENT):
        if (one.api_version, one.kind) == (api_version, kind):
            return one
    raise Invalid(f"this cluster does not know {api_version} {kind}")


CLUSTER: Any = SimpleNamespace(kind_of=kind_of)


def whole(*kinds: Kind) -> Any:
    main = render(release_of(), own(), "rolling")
    more = [
        Manifest({"apiVersion": one.api_version, "kind": one.kind, "metadata": {"name": "x", "namespace": "shops"}})
        for one in kinds
    ]
    return rendered([main.main, *more], main.workload)


def test_what_belongs_to_no_namespace_is_refused_whoever_made_its_kind() -> None:
    kinds, problems = kinds_of(CLUSTER, whole(POLICY, ROUTE), own(manifests=["a.yaml"]))

    assert kinds == [DEPLOYMENT, POLICY, ROUTE]
    (found,) = problems
    assert (found.code, found.key) == (2, "targets.manifests")
    assert found.message == "ClusterPolicy/x belongs to no namespace"
    assert "manifests_cluster_scoped" in found.hint


def test_where_it_is_allowed_it_passes() -> None:
    assert kinds_of(CLUSTER, whole(POLICY), own(manifests=["a.yaml"], manifests_cluster_scoped=True))[1] == []


def test_a_kind_that_is_not_there_yet_says_what_comes_first() -> None:
    stranger = Kind("example.com", "v1", "things", "Thing")

    kinds, (found,) = kinds_of(CLUSTER, whole(stranger, ROUTE), own(manifests=["a.yaml"]))

    assert kinds == [DEPLOYMENT, ROUTE]
    assert found.message == "Thing/x: this cluster does not know example.com/v1 Thing"
    assert "CustomResourceDefinition" in found.hint


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("networking.k8s.io/v1", "ServiceCIDR"),
        ("networking.k8s.io/v1", "IPAddress"),
        ("resource.k8s.io/v1", "DeviceClass"),
        ("resource.k8s.io/v1", "ResourceSlice"),
        ("storage.k8s.io/v1", "VolumeAttributesClass"),
    ],
)
def test_younger_kinds_of_kubernetes_are_known_to_belong_to_no_namespace(api_version: str, kind: str) -> None:
    assert is_cluster_scoped(api_version, kind)


class Sent(Api):
    """Notes what would be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def kind_of(self, api_version: str, kind: str) -> Kind:
        return kind_of(api_version, kind)

    def _object(self, *given: Any, **_: Any) -> dict[str, Any]:
        self.sent.append((given[2], given[4]))
        return {}


def test_what_belongs_to_no_namespace_is_sent_without_one() -> None:
    api = Sent()

    api.apply(whole(POLICY).manifests[-1].body)

    ((path, body),) = api.sent
    assert path == "/apis/kyverno.io/v1/clusterpolicies/x"
    assert body["metadata"] == {"name": "x"}
