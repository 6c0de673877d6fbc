"""The project's own manifests on the rig's control plane: replaced as they are, and everything of them comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipper.model import TargetSpec
from shipper.targets import Conflict, Invalid
from shipper_targets.kubernetes.kinds import CONFIG_MAP, CRD, CRON_JOB, DEPLOYMENT, SECRET, SERVICE
from shipper_targets.kubernetes.values import at, is_true, name_of, text
from tests.integration.kubernetes.kube_place import KubePlace, image_of, serving, until
from tests.integration.kubernetes.kube_service import REPOSITORY
from tests.integration.kubernetes.waiting import until as waiting_until
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-config
data:
  MODE: {mode}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
        - name: web
          image: {repository}:any
          envFrom: [{{configMapRef: {{name: web-config}}}}]
"""


@pytest.fixture
def web(kube_rig: KubeRig, kube_namespace: str, tmp_path: Path) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.behave("missing", namespace=kube_namespace, image=image_of("bad").reference.partition("@")[0])
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    place = KubePlace(kube_namespace, kube_rig.kubeconfig(), manifests=["web.yaml"])
    place.root = tmp_path
    says(place, "one")
    return place


def says(web: KubePlace, mode: str, more: str = "") -> None:
    assert web.root is not None
    (web.root / "web.yaml").write_text(MANIFESTS.format(mode=mode, repository=REPOSITORY) + more)


def test_manifests_of_ones_own_are_released_and_come_back_whole_from_elsewhere(web: KubePlace) -> None:
    one = web.release("one")
    web.rolls_out(one)
    now = web.rolling().observe()
    assert (serving(now), now.drift, now.in_flight, now.capacity) == ({1: 100}, (), None, 2)
    extra = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-extra}\ndata: {KEY: value}\n"
    says(web, "two", extra)
    two = web.release("two")
    web.rolls_out(two)
    assert _mode(web) == "two"
    assert web.api.find(CONFIG_MAP, "web-extra") is not None

    assert web.root is not None
    (web.root / "web.yaml").unlink()
    told = [(change.action, change.subject, change.after) for change in web.rolling().differences(two, one)]
    assert told == [
        ("change", "ConfigMap/web-config data.MODE", "one"),
        ("remove", "ConfigMap/web-extra", "will be removed"),
    ]
    web.rolls_out(web.release(back_to=one))

    assert _mode(web) == "one"
    target = web.rolling()
    now = target.observe()
    assert (serving(now), now.drift) == ({3: 100}, ())
    target.retire([found for found in now.revisions if not found.weight], "warm", web.stamp(now), now.seen)
    assert web.api.find(CONFIG_MAP, "web-extra") is None
    assert web.api.find(CONFIG_MAP, "web-config") is not None


def test_what_kubectl_had_applied_is_adopted_in_place_and_put_back_when_it_fails(
    web: KubePlace, kube_rig: KubeRig
) -> None:
    _applied_by_kubectl(web, kube_rig)
    before = web.api.get(DEPLOYMENT, "web")
    web.own["adopt"] = True
    web.begins()
    target = web.rolling()
    now = target.observe()
    assert [(one.name, one.number, one.weight) for one in now.serving] == [("web", 0, 100)]
    revision = target.replace(web.release("bad"), web.stamp(now), now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    now = target.observe()
    assert now.in_flight is not None

    target.abort(now.in_flight, web.stamp(now), now.seen)

    found = web.api.get(DEPLOYMENT, "web")
    assert at(found, "spec", "template") == at(before, "spec", "template")
    assert text(found, "metadata", "annotations", "shipper.dev/release") == ""


def test_what_kubectl_had_applied_becomes_a_release(web: KubePlace, kube_rig: KubeRig) -> None:
    _applied_by_kubectl(web, kube_rig)
    web.own["adopt"] = True
    web.rolls_out(web.release("one"))
    now = web.rolling().observe()
    assert (serving(now), now.drift, now.in_flight) == ({1: 100}, (), None)
    assert f"{REPOSITORY}-one@" in str(at(web.api.get(DEPLOYMENT, "web"), "spec", "template"))


def test_a_deployment_of_another_name_is_refused_and_what_serves_goes_on(web: KubePlace) -> None:
    web.rolls_out(web.release("one"))
    assert web.root is not None
    there, renamed = "  name: web\nspec:\n  replicas", "  name: web-api\nspec:\n  replicas"
    text_of_now = MANIFESTS.format(mode="two", repository=REPOSITORY)
    assert there in text_of_now
    (web.root / "web.yaml").write_text(text_of_now.replace(there, renamed))
    web.begins()
    target = web.rolling()
    now = target.observe()
    with pytest.raises(Invalid, match="Deployment web serves, and this release is Deployment web-api"):
        target.replace(web.release("two"), web.stamp(now), now.seen)
    assert web.api.find(DEPLOYMENT, "web-api") is None
    assert (_mode(web), serving(target.observe()), target.observe().drift) == ("one", {1: 100}, ())


def test_a_config_map_that_a_failed_release_had_changed_is_as_it_was(web: KubePlace) -> None:
    web.rolls_out(web.release("one"))
    says(web, "two")
    web.begins()
    target = web.rolling()
    now = target.observe()
    revision = target.replace(web.release("bad"), web.stamp(now), now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    now = target.observe()
    assert now.in_flight is not None
    target.abort(now.in_flight, web.stamp(now), now.seen)
    now = until(target, lambda now: now.in_flight is None)
    assert (_mode(web), serving(now), now.drift) == ("one", {1: 100}, ())


def test_removal_takes_exactly_what_was_applied(web: KubePlace) -> None:
    web.rolls_out(web.release("one"))
    target = web.rolling()
    now = target.observe()
    target.remove(web.stamp(now), now.seen)
    left = [name_of(one) for kind in (DEPLOYMENT, SERVICE, SECRET, CONFIG_MAP) for one in web.api.list(kind).items]
    assert left == ["kube-root-ca.crt"]


# What runs beside the workload


BESIDE = """---
apiVersion: apps/v1
kind: {kind}
metadata: {{name: worker}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: worker}}}}
  {named}
  template:
    metadata: {{labels: {{app: worker}}}}
    spec: {{containers: [{{name: worker, image: "registry.example.com/team/worker:1"}}]}}
"""
SCALER = """---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: scaler}}
spec:
  minReplicas: 1
  maxReplicas: 20
  scaleTargetRef: {{apiVersion: apps/v1, kind: {kind}, name: {name}}}
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}}}]
"""


def _beside(replicas: int, kind: str = "Deployment") -> str:
    return BESIDE.format(kind=kind, replicas=replicas, named="serviceName: worker" if kind == "StatefulSet" else "")


def _scaled_by_controller(web: KubePlace, rig: KubeRig, plural: str, name: str, replicas: int) -> None:
    """As the autoscaler's controller does it: through the subresource, under its own name."""
    path = f"/apis/apps/v1/namespaces/{web.namespace}/{plural}/{name}/scale?fieldManager=kube-controller-manager"
    status, answer = rig.request("PATCH", path, {"spec": {"replicas": replicas}}, "application/merge-patch+json")
    assert status < 300, answer


def _count(web: KubePlace, rig: KubeRig, plural: str, name: str) -> object:
    status, found = rig.request("GET", f"/apis/apps/v1/namespaces/{web.namespace}/{plural}/{name}")
    assert status == 200, found
    return found["spec"]["replicas"]


def test_a_rollback_gives_the_workload_its_own_number_of_pods(web: KubePlace, kube_rig: KubeRig) -> None:
    says(web, "one", _beside(6))
    one = web.release("one")
    web.rolls_out(one)
    web.rolls_out(web.release("two"))
    web.rolls_out(web.release(back_to=one))
    assert _count(web, kube_rig, "deployments", "web") == 2
    assert _count(web, kube_rig, "deployments", "worker") == 6
    assert web.rolling().observe().drift == ()


@pytest.mark.parametrize(("kind", "plural"), [("Deployment", "deployments"), ("StatefulSet", "statefulsets")])
def test_a_worker_keeps_the_pods_that_its_autoscaler_gave_it(
    web: KubePlace, kube_rig: KubeRig, kind: str, plural: str
) -> None:
    says(web, "one", _beside(2, kind) + SCALER.format(kind=kind, name="worker"))
    one = web.release("one")
    web.rolls_out(one)
    _scaled_by_controller(web, kube_rig, plural, "worker", 5)
    for number in range(2):
        web.rolls_out(web.release(f"good{number}"))
        assert _count(web, kube_rig, plural, "worker") == 5
    says(web, "three", _beside(2, kind) + SCALER.format(kind=kind, name="worker"))
    web.rolls_out(web.release("four"))
    web.rolls_out(web.release(back_to=one))
    assert _count(web, kube_rig, plural, "worker") == 5
    assert _count(web, kube_rig, "deployments", "web") == 2
    assert web.rolling().observe().drift == ()


def test_what_somebody_elses_autoscaler_counts_passes_preflight_again_and_again(
    web: KubePlace, kube_rig: KubeRig
) -> None:
    web.rolls_out(web.release("one"))
    path = f"/apis/autoscaling/v2/namespaces/{web.namespace}/horizontalpodautoscalers?fieldManager=keda"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    hpa = {"metadata": {"name": "keda-web"}, "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 20}}
    status, answer = kube_rig.request("POST", path, hpa)
    assert status < 300, answer
    _scaled_by_controller(web, kube_rig, "deployments", "web", 5)
    for number in range(3):
        assert web.rolling().preflight(TargetSpec(settings=web.settings, target="kube")) == []
        web.rolls_out(web.release(f"good{number}"))
        assert _count(web, kube_rig, "deployments", "web") == 5


def test_a_front_end_that_is_called_like_the_service_hides_no_workload(web: KubePlace) -> None:
    front = _beside(1).replace("metadata: {name: worker}", "metadata: {name: shop}")
    asks = "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"
    asks += "spec: {selector: {app: worker}, ports: [{port: 80}]}\n"
    says(web, "one", front + asks)
    one = web.release("one")
    for release in (one, web.release("two"), web.release(back_to=one)):
        web.rolls_out(release)
        now = web.rolling().observe()
        assert (serving(now), now.drift, now.in_flight) == ({release.number: 100}, (), None)


def test_a_key_with_dots_that_somebody_changed_is_taken_over_by_a_rollback(web: KubePlace, kube_rig: KubeRig) -> None:
    """Preflight and write know whose it was."""
    says(web, "one", '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\nbinaryData: {model.bin: "AAAA"}\n')
    one = web.release("one")
    web.rolls_out(one)
    web.rolls_out(web.release("two"))
    path = f"/api/v1/namespaces/{web.namespace}/configmaps/m?fieldManager=kubectl-edit"
    edited = {"binaryData": {"model.bin": "BBBB"}}
    status, answer = kube_rig.request("PATCH", path, edited, "application/merge-patch+json")
    assert status < 300, answer
    assert [one.field for one in web.rolling().observe().drift] == ["ConfigMap/m binaryData.model.bin"]
    web.rolls_out(web.release(back_to=one))
    assert web.api.get(CONFIG_MAP, "m")["binaryData"] == {"model.bin": "AAAA"}


def test_a_run_that_is_overtaken_writes_none_of_what_others_need_the_first_for(
    web: KubePlace, kube_rig: KubeRig
) -> None:
    web.own["kubeconfig"] = str(kube_rig.kubeconfig(gate=True))
    says(web, "one", _beside(1))
    web.rolls_out(web.release("one"))
    says(web, "two", _beside(3))
    web.begins()
    theirs = KubePlace(web.namespace, kube_rig.kubeconfig(), manifests=["web.yaml"])
    theirs.root, theirs.epoch, theirs.number = web.root, web.epoch, web.number
    target = web.rolling()
    now = target.observe()

    def overtake(_: object) -> None:
        theirs.begins()
        other = theirs.rolling()
        seen = other.observe()
        other.write_stamp(theirs.stamp(seen), seen.seen)

    with (
        kube_rig.gate.meanwhile(web.namespace, overtake, 1, resource="configmaps"),
        pytest.raises(Conflict, match="epoch 2 was overtaken by epoch 3"),
    ):
        target.replace(web.release("two"), web.stamp(now), now.seen)
    assert _count(web, kube_rig, "deployments", "worker") == 1
    assert serving(web.rolling().observe()) == {1: 100}


# What was there before


def test_a_second_first_release_that_fails_is_put_back_to_what_was_there_by_then(
    web: KubePlace, kube_rig: KubeRig
) -> None:
    _applied_by_kubectl(web, kube_rig)
    web.own["adopt"] = True
    for image, count in (("legacy", 2), ("newer", 4)):
        container = {"name": "web", "image": f"{REPOSITORY}:{image}"}
        changed = {"spec": {"replicas": count, "template": {"spec": {"containers": [container]}}}}
        path = f"/apis/apps/v1/namespaces/{web.namespace}/deployments/web?fieldManager=kubectl-set"
        status, answer = kube_rig.request("PATCH", path, changed, "application/strategic-merge-patch+json")
        assert status < 300, answer
        until(web.rolling(), lambda now: bool(now.serving) and now.serving[0].state == "running")
        web.begins()
        target = web.rolling()
        now = target.observe()
        revision = target.replace(web.release("bad"), web.stamp(now), now.seen)
        assert list(target.progress(revision))[-1].state == "failed"
        now = target.observe()
        assert now.in_flight is not None
        target.abort(now.in_flight, web.stamp(now), now.seen)
        found = web.api.get(DEPLOYMENT, "web")
        assert f"{REPOSITORY}:{image}" in str(at(found, "spec", "template"))
        assert at(found, "spec", "replicas") == count


def test_what_was_adopted_in_place_is_there_again_after_a_removal(web: KubePlace, kube_rig: KubeRig) -> None:
    """Its Service is the one that has the service's name."""
    _applied_by_kubectl(web, kube_rig)
    _nightly_by_kubectl(web, kube_rig)
    web.own.update(adopt=True, name="web")
    says(web, "one", NIGHTLY.format(repository=REPOSITORY))
    for text_of in ("one", "two"):
        web.rolls_out(web.release(text_of))
    target = web.rolling()
    assert target.given_back() == "Deployment web"
    assert text(web.api.get(CRON_JOB, "nightly"), "metadata", "labels", "shipper.dev/instance") == "web"
    now = target.observe()
    target.remove(web.stamp(now), now.seen)
    found = web.api.get(DEPLOYMENT, "web")
    assert f"{REPOSITORY}:legacy" in str(at(found, "spec", "template"))
    service = web.api.get(SERVICE, "web")
    assert at(service, "spec", "selector") == {"app": "web"}
    nightly = web.api.get(CRON_JOB, "nightly")
    assert at(nightly, "metadata", "labels") == {"team": "web"}
    for one in (found, service, nightly):
        marks = {**(at(one, "metadata", "labels") or {}), **(at(one, "metadata", "annotations") or {})}
        assert not [key for key in marks if key.startswith("shipper.dev/")]
    assert web.api.list(SECRET).items == ()
    target.remove(web.stamp(target.observe()), target.observe().seen)
    assert web.api.find(DEPLOYMENT, "web") is not None, "done again, it is the same"
    assert web.rolling().given_back() == ""


NIGHTLY = """---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly, labels: {{team: web}}}}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: "{repository}:any"}}]}}}}}}
"""


def _nightly_by_kubectl(web: KubePlace, rig: KubeRig) -> None:
    container = {"name": "a", "image": f"{REPOSITORY}:legacy"}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pod}}}
    path = f"/apis/batch/v1/namespaces/{web.namespace}/cronjobs?fieldManager=kubectl-client-side-apply"
    status, answer = rig.request(
        "POST", path, {"metadata": {"name": "nightly", "labels": {"team": "web"}}, "spec": spec}
    )
    assert status < 300, answer


def _applied_by_kubectl(web: KubePlace, rig: KubeRig) -> None:
    labels = {"app": "web"}
    container: dict[str, Any] = {"name": "web", "image": f"{REPOSITORY}:legacy"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    made = {"selector": {"matchLabels": labels}, "replicas": 2, "template": template}
    paths = {
        f"/apis/apps/v1/namespaces/{web.namespace}/deployments": {"metadata": {"name": "web"}, "spec": made},
        f"/api/v1/namespaces/{web.namespace}/services": {
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    }
    for path, body in paths.items():
        status, answer = rig.request("POST", f"{path}?fieldManager=kubectl-client-side-apply", body)
        assert status < 300, answer
    until(web.rolling(), lambda now: bool(now.serving) and now.serving[0].state == "running")


def _mode(web: KubePlace) -> str:
    return str(web.api.get(CONFIG_MAP, "web-config")["data"]["MODE"])


@pytest.fixture
def makers(web: KubePlace) -> Iterator[str]:
    """The group of a kind of this test alone, of which somebody makes Secrets."""
    group = f"{web.namespace}.example.com"
    name = f"externalsecrets.{group}"
    names = {"plural": "externalsecrets", "singular": "externalsecret", "kind": "ExternalSecret"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": CRD.kind, "metadata": {"name": name}, "spec": spec}
    web.api.create(CRD, body)
    waiting_until(lambda: is_true(web.api.get(CRD, name), "Established"))
    yield group
    web.api.delete(CRD, name)


def test_a_secret_that_an_operator_makes_after_the_pods_is_waited_for(web: KubePlace, makers: str) -> None:
    assert web.root is not None
    file = web.root / "web.yaml"
    file.write_text(
        file.read_text().replace("[{configMapRef: {name: web-config}}]", "[{secretRef: {name: db}}]")
        + f"---\napiVersion: {makers}/v1\nkind: ExternalSecret\nmetadata: {{name: db}}\n"
    )
    release, target = web.release("one"), web.rolling()
    now = target.observe()
    revision = target.replace(release, web.stamp(now), now.seen)
    steps = target.progress(revision)

    lacks = next(step for step in steps if 'secret "db" not found' in step.reason)
    web.api.create(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}})
    *_, last = steps

    assert lacks.state == "waiting"
    assert last.state == "ready", last.reason
