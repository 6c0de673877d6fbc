"""The rig's control plane: what a real API server does, from a cold boot to a restart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, AppsV1Api, CoreV1Api

from tests.rig import parts
from tests.rig.kubernetes import asking, control_plane
from tests.rig.kubernetes.handle import SESSION, THEIRS, KubeRig
from tests.rig.kubernetes.place import Place
from tests.rig.kubernetes.rest import Rest
from tests.rig.machine import survey

pytestmark = pytest.mark.integration

APPLY = "application/apply-patch+yaml"
STRICT = "application/merge-patch+json"


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "rig.test/app:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def applied(client: ApiClient, namespace: str, body: dict[str, Any], manager: str, query: str = "") -> tuple[int, Any]:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{body['metadata']['name']}"
    return asking.request(client, "PATCH", f"{path}?fieldManager={manager}{query}", body, APPLY)


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[tuple[Place, str]]:
    """A second cluster beside the rig's, and what its boot said."""
    there = Place(tmp_path)
    try:
        yield there, control_plane.boot(there, "test")
    finally:
        control_plane.stop(there)


@pytest.mark.skipif(bool(os.environ.get(THEIRS)), reason="about the rig's own cluster")
@pytest.mark.usefixtures("kube_rig")
def test_a_cold_boot_is_a_whole_cluster(cold: tuple[Place, str], capsys: pytest.CaptureFixture[str]) -> None:
    there, said = cold
    with capsys.disabled():
        print(f"\n  cold boot: {said}; {control_plane.memory(there)}")
    api = Rest.of(there.kubeconfig)
    assert api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200
    assert api.request("GET", "/version")[1]["gitVersion"] == "v1.34.3"
    assert api.request("GET", "/apis/gateway.networking.k8s.io/v1/httproutes")[0] == 200
    assert control_plane.runs(there, "test")
    assert not control_plane.runs(there, "other sources")
    assert (there.kubeconfig.stat().st_mode & 0o777, there.folder.stat().st_mode & 0o777) == (0o600, 0o700)

    control_plane.stop(there)
    assert not control_plane.runs(there, "test")


@pytest.mark.skipif(bool(os.environ.get(THEIRS)), reason="about the rig's own cluster")
def test_a_second_set_up_is_warm(kube_rig: KubeRig, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    outcomes = parts.look_at(survey(), parts.select(["kubernetes"]))
    with capsys.disabled():
        print(f"\n  warm: {time.monotonic() - started:.2f} s for {', '.join(one.part for one in outcomes)}")
    assert {one.state for one in outcomes} == {"found"}


def test_owners_of_fields_are_kept_apart(kube_rig: KubeRig, kube_namespace: str) -> None:
    assert applied(kube_rig.client, kube_namespace, deployment("web"), "shipper")[0] == 201
    status, said = applied(kube_rig.client, kube_namespace, deployment("web", replicas=2), "somebody")
    assert (status, said["reason"]) == (409, "Conflict")
    assert [cause["field"] for cause in said["details"]["causes"]] == [".spec.replicas"]
    status, said = applied(kube_rig.client, kube_namespace, deployment("web", replicas=2), "somebody", "&force=true")
    assert (status, said["spec"]["replicas"]) == (200, 2)


def test_a_field_that_nobody_knows_is_refused(kube_rig: KubeRig, kube_namespace: str) -> None:
    status, said = applied(kube_rig.client, kube_namespace, deployment("web", replicaz=3), "shipper", "&dryRun=All")
    assert status == 500
    assert "field not declared in schema" in said["message"]
    applied(kube_rig.client, kube_namespace, deployment("web"), "shipper")
    path = f"/apis/apps/v1/namespaces/{kube_namespace}/deployments/web?fieldValidation=Strict&dryRun=All"
    status, said = kube_rig.request("PATCH", path, {"spec": {"replicaz": 3}}, STRICT)
    assert (status, said["reason"]) == (422, "Invalid")
    assert 'unknown field "spec.replicaz"' in said["message"]


def test_controllers_work(kube_rig: KubeRig, kube_namespace: str) -> None:
    """A quota is counted by the controller manager, and by admission: no pod comes, and the Deployment says why."""
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    asking.done(kube_rig.client, "POST", f"/api/v1/namespaces/{kube_namespace}/resourcequotas", quota)
    apps = AppsV1Api(kube_rig.client)
    assert applied(kube_rig.client, kube_namespace, deployment("web", replicas=1), "shipper")[0] == 201
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = apps.read_namespaced_deployment("web", kube_namespace).status
        failed = [one for one in (status and status.conditions) or () if one.type == "ReplicaFailure"]
        if failed:
            break
        time.sleep(0.05)
    assert "exceeded quota: none" in str(failed[0].message)


def test_pod_security_is_on(kube_rig: KubeRig) -> None:
    namespace = kube_rig.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "rig.test/app:1"}]}}
    status, said = kube_rig.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    assert status == 403
    assert "violates PodSecurity" in said["message"]


@pytest.mark.skipif(bool(os.environ.get(THEIRS)), reason="about the rig's own cluster")
def test_what_a_killed_session_left_behind_is_swept(kube_rig: KubeRig, kube_namespace: str) -> None:
    words = "import os,time; from tests.rig.kubernetes.handle import session_of; print(session_of(os.getpid()))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, env={"PYTHONPATH": "."})
    left = kube_rig.namespace(labels={SESSION: done.stdout.strip()})
    assert left in kube_rig.sweep()
    found = asking.found(kube_rig.client, f"/api/v1/namespaces/{left}")
    assert found is None or found["status"]["phase"] == "Terminating"
    assert asking.done(kube_rig.client, "GET", f"/api/v1/namespaces/{kube_namespace}")["status"]["phase"] == "Active"


@pytest.mark.parametrize("gate", [False, True])
def test_an_account_can_do_what_its_rules_say_and_no_more(kube_rig: KubeRig, kube_namespace: str, gate: bool) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    ]
    nodes = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    file = kube_rig.kubeconfig_for(kube_namespace, rules, nodes, gate=gate)
    client = config.new_client_from_config(str(file))  # type: ignore[no-untyped-call]
    there = f"/api/v1/namespaces/{kube_namespace}/configmaps"

    assert asking.request(client, "POST", there, {"metadata": {"name": "one"}})[0] == 201
    assert asking.request(client, "GET", f"{there}/one")[0] == 200
    assert AppsV1Api(client).list_namespaced_deployment(kube_namespace).items == []
    assert CoreV1Api(client).list_node().kind == "NodeList"
    status, said = asking.request(client, "DELETE", f"{there}/one")
    assert (status, said["reason"]) == (403, "Forbidden")
    assert 'cannot delete resource "configmaps"' in said["message"]
    with pytest.raises(ApiException, match="Forbidden"):
        CoreV1Api(client).list_namespaced_config_map("default")
    writes = [str(write) for write in kube_rig.gate.writes(kube_namespace)]
    assert writes == (["1. create configmaps one -> 201", "2. delete configmaps one -> 403"] if gate else [])


def test_a_restarted_server_has_what_it_had(
    kube_rig: KubeRig, kube_namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = f"/api/v1/namespaces/{kube_namespace}/configmaps"
    made = asking.done(kube_rig.client, "POST", there, {"metadata": {"name": "one"}})
    started = time.monotonic()
    kube_rig.restart_apiserver()
    with capsys.disabled():
        print(f"\n  restart of the API server: {time.monotonic() - started:.1f} s")
    found = asking.done(kube_rig.client, "GET", f"{there}/one")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert asking.done(kube_rig.api(gate=True), "GET", f"{there}/one")["metadata"]["uid"] == made["metadata"]["uid"]
    assert kube_rig.namespace().startswith("t-"), "its controllers follow it again"
