"""The project's own manifests on the rig's control plane: replaced as they are, and everything of them comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE
from shipper_targets.kubernetes.values import at, name_of, text
from tests.integration.kubernetes.kube_place import KubePlace, image_of, serving, until
from tests.integration.kubernetes.kube_service import REPOSITORY
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
    web.rolls_out(web.release("two"))
    assert _mode(web) == "two"
    assert web.api.find(CONFIG_MAP, "web-extra") is not None

    assert web.root is not None
    (web.root / "web.yaml").unlink()
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
