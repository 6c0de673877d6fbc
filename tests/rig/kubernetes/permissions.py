"""ServiceAccounts that may do exactly what a test says, and their tokens. Needs the development environment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.rig.kubernetes import asking

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Rule = Mapping[str, Sequence[str]]
_GROUP = "rbac.authorization.k8s.io"
_HOURS = 8


def grant(
    client: ApiClient, namespace: str, name: str, rules: Sequence[Rule], cluster_rules: Sequence[Rule] = ()
) -> None:
    """A ServiceAccount, its Role, and a ClusterRole when there are rules for one."""
    meta: dict[str, Any] = {"metadata": {"name": name}}
    asking.done(client, "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", meta)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    if rules:
        there = f"/apis/{_GROUP}/v1/namespaces/{namespace}"
        asking.done(client, "POST", f"{there}/roles", {**meta, "rules": rules})
        bound = {"subjects": [subject], "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name}}
        asking.done(client, "POST", f"{there}/rolebindings", {**meta, **bound})
    if cluster_rules:
        wide = f"{namespace}-{name}"
        meta = {"metadata": {"name": wide}}
        asking.done(client, "POST", f"/apis/{_GROUP}/v1/clusterroles", {**meta, "rules": cluster_rules})
        bound = {"subjects": [subject], "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": wide}}
        asking.done(client, "POST", f"/apis/{_GROUP}/v1/clusterrolebindings", {**meta, **bound})


def token(client: ApiClient, namespace: str, name: str) -> str:
    """Valid for a working day."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    said = asking.done(client, "POST", path, {"spec": {"expirationSeconds": _HOURS * 3600}})
    return str(said["status"]["token"])


def wait(kubeconfig: Path, namespace: str, rules: Sequence[Rule], cluster_rules: Sequence[Rule] = ()) -> None:
    """Until the API server knows of them: its authorizer learns from watches, some milliseconds later."""
    client = asking.client_of(kubeconfig)
    wanted = [(rule, namespace) for rule in rules[-1:]] + [(rule, "") for rule in cluster_rules[-1:]]
    deadline = time.monotonic() + 20
    for rule, where in wanted:
        while not _may(client, rule, where):
            if time.monotonic() > deadline:
                pytest.fail(f"a ServiceAccount may not do what it was allowed to: {rule}")
            time.sleep(0.02)


def _may(client: ApiClient, rule: Rule, namespace: str) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    said = asking.done(client, "POST", path, {"spec": _question(rule, namespace)})
    return bool(said["status"]["allowed"])


def _question(rule: Rule, namespace: str) -> dict[str, Any]:
    if "nonResourceURLs" in rule:
        return {"nonResourceAttributes": {"path": rule["nonResourceURLs"][0], "verb": rule["verbs"][0]}}
    resource, _, subresource = rule["resources"][0].partition("/")
    attributes = {
        "namespace": namespace,
        "verb": rule["verbs"][0],
        "group": rule["apiGroups"][0],
        "resource": resource,
        "subresource": subresource,
        "name": (rule.get("resourceNames") or [""])[0],
    }
    return {"resourceAttributes": attributes}
