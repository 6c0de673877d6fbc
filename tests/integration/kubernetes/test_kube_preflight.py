"""What would make a release fail on the rig's cluster, found before anything is built, and without a write."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Problem, Settings
from shipper_targets.kubernetes.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    LIMIT_RANGE,
    PDB,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE,
    Kind,
)
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.permissions import Uses, needs, required, rules
from shipper_targets.kubernetes.preflight import Preflight
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.values import at, is_true, number, text
from tests.integration.kubernetes.kube_service import KubeService, settings_of
from tests.integration.kubernetes.waiting import until
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


class Remarks:
    """A reporter that keeps remarks."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def remark(self, text: str) -> None:
        self.told.append(text)


class Looking(KubeService):
    """Preflight in one namespace."""

    def problems(self, settings: Settings | None = None, **more: Any) -> list[Problem]:
        settings = settings or self.settings
        self.remarks = Remarks()
        shape = shape_of(settings.rollout.strategy)
        check = Preflight(
            self.api,
            self.own,
            lambda release: render(release, self.own, shape),
            report=self.remarks,  # type: ignore[arg-type]
            **more,
        )
        return check.problems(settings, "kube")

    def own_problems(self, root: Path) -> list[Problem]:
        """Of the project's own manifests, beside shipper.toml in `root`."""
        source = Source(self.own, root)
        self.remarks = Remarks()
        check = Preflight(
            self.api,
            self.own,
            lambda release: render_own(source.objects, release, self.own),
            report=self.remarks,  # type: ignore[arg-type]
        )
        return check.problems(self.settings, "kube")

    def make(self, kind: Any, name: str, **members: Any) -> None:
        self.admin.create(
            kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **members}
        )

    def named(self, **own: Any) -> Looking:
        """The same namespace with other settings of the target."""
        return Looking(self.rig, self.namespace, **own)


@pytest.fixture
def place(kube_rig: KubeRig, kube_namespace: str) -> Looking:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    return Looking(kube_rig, kube_namespace)


@pytest.fixture
def gpu_node(kube_rig: KubeRig, kube_namespace: str) -> Iterator[dict[str, Any]]:
    """A node with two GPUs for this test alone; what a target's settings say to get there."""
    name = f"gpu-{kube_namespace}"
    taint = {"key": "pool", "value": kube_namespace, "effect": "NoSchedule"}
    kube_rig.nodes.add(name, {"nvidia.com/gpu": "2"}, labels={"pool": kube_namespace}, taints=[taint])
    yield {"node_selector": {"pool": kube_namespace}, "tolerations": [taint]}
    kube_rig.nodes.remove(name)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_a_service_that_fits_has_no_problem_and_leaves_no_trace(kube_rig: KubeRig, kube_namespace: str) -> None:
    place = Looking(kube_rig, kube_namespace, gate=True)
    settings = settings_of(run={"env": {"MODE": "fast"}, "memory": "256MiB", "cpu": 0.1}, scale={"min": 2, "max": 4})

    assert place.problems(settings) == []
    assert kube_rig.gate.writes(kube_namespace) == []


def test_a_namespace_that_is_not_there(kube_rig: KubeRig) -> None:
    found = only(Looking(kube_rig, "nobody-made-this").problems())

    assert (found.code, found.key) == (2, "targets.namespace")
    assert "kubectl create namespace nobody-made-this" in found.hint


def test_a_missing_permission_is_named_with_the_line_for_the_role(kube_rig: KubeRig, kube_namespace: str) -> None:
    given = [
        one.rule([verb for verb in one.verbs if (one.resource, verb) != ("services", "patch")])
        for one in required(needs("release", Uses(account=True)))
    ]
    place = Looking(kube_rig, kube_namespace, kubeconfig=kube_rig.kubeconfig_for(kube_namespace, given))

    found = only(place.problems())

    assert (found.code, found.message) == (
        32,
        f"permission to patch services in namespace {kube_namespace} is missing",
    )
    assert '- {apiGroups: [""], resources: ["services"], verbs: [patch]}' in found.hint


def test_the_least_role_is_enough_and_what_is_not_looked_at_is_told(kube_rig: KubeRig, kube_namespace: str) -> None:
    given = rules(required(needs("release", Uses(account=True))))
    place = Looking(kube_rig, kube_namespace, kubeconfig=kube_rig.kubeconfig_for(kube_namespace, given))

    assert place.problems() == []
    assert any("(list nodes)" in text for text in place.remarks.told)
    assert any("quota" in text for text in place.remarks.told)


def test_secrets_and_their_keys_are_there(place: Looking) -> None:
    place.make(SECRET, "db", data={"url": base64.b64encode(b"x").decode()})
    references = {"GOOD": "kubernetes:db/url", "WORD": "kubernetes:db/password", "GONE": "kubernetes:nobody/key"}

    found = place.problems(settings_of(run={"secrets": references, "secrets_as": "environment"}))

    assert {(one.code, one.key) for one in found} == {(2, "run.secrets.WORD"), (2, "run.secrets.GONE")}


def test_everything_that_pods_refer_to_is_there(place: Looking) -> None:
    volumes = [{"source": "pvc:models", "target": "/models"}, {"source": "configmap:labels", "target": "/labels"}]
    looking = place.named(image_pull_secrets=["robot"], service_account="shopkeeper")

    found = looking.problems(settings_of(run={"volumes": volumes}))

    assert {one.message.split(" in ")[0] for one in found} >= {
        "there is no PersistentVolumeClaim models",
        "there is no ConfigMap labels",
        "there is no Secret robot",
        "there is no ServiceAccount shopkeeper",
    }
    place.make(CONFIG_MAP, "labels", data={"a": "b"})
    assert not any("ConfigMap" in one.message for one in looking.problems(settings_of(run={"volumes": volumes})))


def test_a_claim_that_no_pod_gets_a_volume_from_is_told_of_before_the_build(place: Looking) -> None:
    size = {"resources": {"requests": {"storage": "1Gi"}}}
    place.make(CLAIM, "weights", spec={"accessModes": ["ReadOnlyMany"], "storageClassName": "", **size})

    place.problems(settings_of(run={"volumes": [{"source": "pvc:weights", "target": "/models"}]}))

    assert any(
        "claim weights is Pending since 2" in text and "without a storage class" in text for text in place.remarks.told
    )


def test_quota_that_leaves_too_little(place: Looking) -> None:
    place.make(RESOURCE_QUOTA, "small", spec={"hard": {"limits.memory": "512Mi", "pods": "10"}})
    _until_used(place)

    found = only(place.problems(settings_of(run={"memory": "400MiB"}, scale={"min": 2})))

    assert (found.code, found.key) == (2, "run.memory")
    assert "ResourceQuota small leaves" in found.message


def test_a_limit_range_that_does_not_allow_it(place: Looking) -> None:
    place.make(LIMIT_RANGE, "range", spec={"limits": [{"type": "Container", "max": {"memory": "128Mi"}}]})

    found = only(place.problems(settings_of(run={"memory": "256MiB"})))

    assert (found.code, found.key) == (2, "run.memory")
    assert "LimitRange range allows" in found.message


def test_what_no_node_could_ever_hold(place: Looking) -> None:
    found = only(place.problems(settings_of(run={"memory": "900GB"})))

    assert (found.code, found.key) == (2, "run.memory")
    assert "no node has more than" in found.message


def test_gpus_that_nobody_has_free_deadlock_a_surge(place: Looking, gpu_node: dict[str, Any]) -> None:
    """The node has two: the service holds both, and rolling would wait for a third."""
    room: dict[str, Any] = {"run": {"gpu": 2}}
    looking = place.named(**gpu_node)
    looking.apply(looking.release(settings=settings_of(**room)))
    _until_scheduled(looking)

    found = only(looking.problems(settings_of(**room)))

    assert (found.code, found.key) == (2, "run.gpu")
    assert 'strategy = "recreate"' in found.hint
    assert looking.problems(settings_of(**room, rollout={"strategy": "recreate"})) == []
    assert place.named(**gpu_node, max_surge=0, max_unavailable=1).problems(settings_of(**room)) == []
    patient = place.named(**gpu_node, unschedulable_window="10m")
    assert patient.problems(settings_of(**room)) == []
    assert any("an autoscaler is to add nodes" in text for text in patient.remarks.told)


def test_an_image_of_another_architecture(place: Looking) -> None:
    found = only(
        place.problems(settings_of(image={"repository": "registry.example.com/team/shop", "platform": "linux/s390x"}))
    )

    assert (found.code, found.key) == (2, "image.platform")


def test_a_level_of_pod_security_that_it_does_not_meet(kube_rig: KubeRig) -> None:
    namespace = kube_rig.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    tight = Looking(kube_rig, namespace)
    loose = Looking(kube_rig, namespace, security={"run_as_root": True})

    assert tight.problems() == []
    found = only(loose.problems())
    assert (found.code, found.key) == (2, "targets.security.run_as_root")
    kube_rig.drop(namespace)


def test_a_gateway_that_is_not_there(place: Looking) -> None:
    looking = place.named(gateway={"name": "front", "hosts": ["shop.example.com"]})

    found = only(looking.problems(settings_of(rollout={"strategy": "canary"})))

    assert (found.code, found.key) == (2, "targets.gateway.name")


def test_what_somebody_else_made_under_this_name(place: Looking) -> None:
    place.make(SERVICE, "shop", spec={"ports": [{"port": 80}]})

    found = only(place.problems())

    assert (found.code, found.key) == (2, "targets.adopt")
    assert "[targets.<name>] adopt = true" in found.hint
    assert place.named(adopt=True).problems() == []


def test_a_service_with_one_unnamed_port_of_another_number_can_be_taken_over(place: Looking) -> None:
    """As `kubectl expose deployment shop --port 8080` makes it."""
    place.make(SERVICE, "shop", spec={"ports": [{"port": 8080}], "selector": {"app": "legacy"}})

    assert place.named(adopt=True).problems() == []


def test_a_gitops_tool_that_would_put_its_own_back(place: Looking) -> None:
    place.apply(place.release())

    def argo(there: Mapping[str, Any]) -> str:
        return "Argo CD (application shop)" if there["kind"] == "Deployment" else ""

    found = only(place.problems(managed_by=argo))

    assert found.code == 2
    assert "Argo CD (application shop)" in found.message
    assert "shipper publish" in found.hint
    assert "shipper render" in found.hint


def test_a_field_that_somebody_else_owns_is_found_by_the_rehearsal(place: Looking) -> None:
    place.apply(place.release())
    status, said = place.rig.request(
        "PATCH",
        f"/apis/apps/v1/namespaces/{place.namespace}/deployments/shop?fieldManager=hpa-like",
        {"spec": {"replicas": 5}},
        "application/merge-patch+json",
    )
    assert status == 200, said

    found = only(place.problems())

    assert found.code == 2
    assert 'spec.replicas is owned by "hpa-like"' in found.message
    assert "force_conflicts = true" in found.hint
    assert place.named(force_conflicts=True).problems() == []


def test_an_immutable_field_is_found_by_the_rehearsal(place: Looking) -> None:
    labels = {"app": "old"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
    place.make(DEPLOYMENT, "shop", spec={"selector": {"matchLabels": labels}, "template": pod})

    found = only(place.named(adopt=True).problems())

    assert found.code == 2
    assert "spec.selector" in found.message


def test_evictions_that_are_never_allowed_are_remarked_upon(place: Looking) -> None:
    revision = place.apply(place.release(settings=settings_of(scale={"min": 2})))
    assert place.follow(revision)[-1].state == "ready"
    place.make(
        PDB,
        "strict",
        spec={"minAvailable": 2, "selector": {"matchLabels": {"app.kubernetes.io/instance": "shop"}}},
    )
    _until_budgeted(place)

    assert place.problems(settings_of(scale={"min": 2})) == []
    assert any("PodDisruptionBudget strict allows no eviction" in text for text in place.remarks.told)


def test_a_cluster_that_cannot_be_reached(kube_rig: KubeRig, kube_namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(re.sub(r"https://127\.0\.0\.1:[0-9]+", "https://127.0.0.1:9", kube_rig.kubeconfig().read_text()))

    found = only(Looking(kube_rig, kube_namespace, kubeconfig=file).problems())

    assert found.code == 33


def _until_used(place: Looking) -> None:
    until(lambda: at(place.admin.get(RESOURCE_QUOTA, "small"), "status", "used") is not None)


def _until_scheduled(place: Looking) -> None:
    until(lambda: [text(pod, "spec", "nodeName") for pod in place.admin.list(POD).items] == [f"gpu-{place.namespace}"])


def _until_budgeted(place: Looking) -> None:
    def known() -> bool:
        there = place.admin.get(PDB, "strict")
        return at(there, "status", "disruptionsAllowed") == 0 and number(there, "status", "currentHealthy") == 2

    until(known)


OWN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: registry.example.com/team/shop:latest, envFrom: [{secretRef: {name: db}}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: "registry.example.com/team/shop:latest"}]}
"""


def test_own_manifests_are_looked_at_as_they_are(place: Looking, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(OWN)
    looking = place.named(manifests=["app.yaml"])

    found = only(looking.own_problems(tmp_path))

    assert (found.code, found.message) == (2, f"there is no Secret db in namespace {place.namespace}")
    place.make(SECRET, "db", data={})
    assert looking.own_problems(tmp_path) == []
    (tmp_path / "app.yaml").write_text(OWN.replace("schedule:", "shedule:"))
    found = only(looking.own_problems(tmp_path))
    assert "shedule" in found.message


def test_own_manifests_that_cannot_be_read_are_problems_with_their_lines(place: Looking, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("kind: Deployment\n  name: [")

    found = only(place.named(manifests=["app.yaml"]).own_problems(tmp_path))

    assert (found.code, found.key) == (2, "targets.manifests")
    assert "app.yaml, line 2" in found.message


CRD = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
POLICY = """
---
apiVersion: {group}/v1
kind: ClusterPolicy
metadata: {{name: strict}}
"""


@pytest.fixture
def policies(place: Looking) -> Iterator[str]:
    """The group of a kind of this test alone, whose objects belong to no namespace."""
    group = f"{place.namespace}.example.com"
    name = f"clusterpolicies.{group}"
    names = {"plural": "clusterpolicies", "singular": "clusterpolicy", "kind": "ClusterPolicy"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    place.make(CRD, name, spec={"group": group, "names": names, "scope": "Cluster", "versions": [version]})
    until(lambda: is_true(place.admin.get(CRD, name), "Established"))
    yield group
    place.admin.delete(CRD, name)


def test_what_belongs_to_no_namespace_is_refused_although_only_the_cluster_knows(
    place: Looking, policies: str, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text(OWN.partition("---")[0].replace(", envFrom: [{secretRef: {name: db}}]", ""))
    with (tmp_path / "app.yaml").open("a") as file:
        file.write(POLICY.format(group=policies))

    found = only(place.named(manifests=["app.yaml"]).own_problems(tmp_path))

    assert (found.code, found.message) == (2, "ClusterPolicy/strict belongs to no namespace")
    assert place.named(manifests=["app.yaml"], manifests_cluster_scoped=True).own_problems(tmp_path) == []


def test_a_priority_class_that_is_not_there_is_found_by_a_pod_of_the_rehearsal(place: Looking) -> None:
    found = only(place.named(priority_class="typo").problems())

    assert found.code == 2
    assert "no PriorityClass with name typo was found" in found.message
    assert "kubectl get priorityclass" in found.hint


def test_a_value_that_the_cluster_does_not_take_names_its_setting(place: Looking) -> None:
    found = only(place.named(tolerations=[{"key": "gpu", "operator": "Exists", "value": "yes"}]).problems())

    assert (found.code, found.key) == (2, "targets.tolerations"), found
    assert "spec.template.spec.tolerations[0]" in found.hint
    assert "Deployment/shop" in found.hint


def test_kinds_of_own_manifests_need_permission_too(kube_rig: KubeRig, kube_namespace: str, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(OWN)
    given = rules(required(needs("release", Uses())))
    file = kube_rig.kubeconfig_for(kube_namespace, given)
    looking = Looking(kube_rig, kube_namespace, kubeconfig=file, manifests=["app.yaml"])

    found = looking.own_problems(tmp_path)

    assert {one.code for one in found} == {32}
    assert f"cronjobs.batch in namespace {kube_namespace} is missing" in found[0].message
