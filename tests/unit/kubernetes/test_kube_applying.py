"""Whose a field is that an apply would take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shipper_targets.kubernetes.applying import has_field, others_fields
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.kube_errors import Owned, error_of

pytestmark = pytest.mark.unit

APPLIED: dict[str, Any] = {
    "metadata": {"labels": {"app.kubernetes.io/name": "shop"}, "annotations": {"example.com/a.b": "1"}},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "env": [{"name": "MODE", "value": "one"}],
                        "ports": [{"containerPort": 8080}],
                        "args": ["serve"],
                        "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}},
                    }
                ]
            }
        },
    },
    "binaryData": {"model.bin": "AA==", "model": {"bin.old": "AA=="}},
}


@pytest.mark.parametrize(
    ("field", "there"),
    [
        (".spec.replicas", True),
        (".spec.paused", False),
        (".metadata.labels.app.kubernetes.io/name", True),
        (".metadata.annotations.example.com/a.b", True),
        (".metadata.annotations.example.com/other", False),
        ('.spec.template.spec.containers[name="app"].env[name="MODE"].value', True),
        ('.spec.template.spec.containers[name="app"].env[name="OTHER"].value', False),
        ('.spec.template.spec.containers[name="side"].image', False),
        ('.spec.template.spec.containers[name="app"].ports[containerPort=8080,protocol="TCP"].containerPort', True),
        ('.spec.template.spec.containers[name="app"].args', True),
        (".spec.template.spec.containers[0].args", True),
        (".spec.template.spec.containers[7].args", False),
        (".spec.replicas.deeper", False),
        ('.spec.template.spec.containers[name="app"].resources.limits.nvidia.com/gpu', True),
        ('.spec.template.spec.containers[name="app"].resources.limits.nvidia.com/other', False),
        ('.spec.template.spec.containers[name="app"].resources.limits.memory', True),
        (".binaryData.model.bin", True),
        (".binaryData.model.bin.old", False),
        (".binaryData.other.bin", False),
    ],
)
def test_whether_a_field_of_a_conflict_was_applied_by_us(field: str, there: bool) -> None:
    assert has_field(APPLIED, field) is there


def test_ours_under_another_operation_and_what_we_had_applied_is_not_others() -> None:
    error = Owned(
        "conflict",
        {
            ".metadata.annotations.shipper.dev/stamp": ['"shipper" using apps/v1'],
            ".spec.replicas": ['"kubectl-edit" using apps/v1'],
            ".spec.minReadySeconds": ['"kubectl-edit" using apps/v1'],
            ".spec.paused": ['"kubectl-rollout" using apps/v1'],
            ".metadata.annotations.shipper.dev/release": ['"kubectl-rollout" using apps/v1'],
            ".metadata.annotations.kubernetes.io/change-cause": ['"kubectl-annotate" using apps/v1'],
        },
    )
    assert list(others_fields(error, APPLIED)) == [".spec.minReadySeconds"]
    assert list(others_fields(error, None)) == [".spec.replicas", ".spec.minReadySeconds"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_owners_of_a_field_the_one_that_is_not_us_counts(order: tuple[int, int]) -> None:
    said = ['conflict with "argocd-controller" using apps/v1', 'conflict with "shipper" using v1']
    causes = [{"message": said[one], "field": ".spec.selector.app"} for one in order]
    answer = {"kind": "Status", "reason": "Conflict", "details": {"causes": causes}}
    error = error_of("apply Service shop", 409, json.dumps(answer).encode())
    assert isinstance(error, Owned)
    assert others_fields(error, None) == {".spec.selector.app": '"argocd-controller" using apps/v1'}
    assert "argocd-controller" in str(error)


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({}, ""),
        ({"labels": {"app.kubernetes.io/instance": "shop"}}, ""),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/shop"}}, "Argo CD (shop)"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD (shop)"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux (apps)"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux (shop)"),
        ({"annotations": {"configmanagement.gke.io/managed": "enabled"}}, "Config Sync"),
        ({"managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {}}}]}, "Argo CD"),
        ({"managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:metadata": {}}}]}, ""),
        ({"managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]}, ""),
    ],
)
def test_who_manages_an_object(metadata: dict[str, Any], tool: str) -> None:
    assert managed_by({"metadata": metadata}) == tool
