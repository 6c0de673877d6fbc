"""Others beside us on the rig's control plane: who owns a field, what was there before, what was changed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import DEPLOYMENT, HPA, INGRESS, POD, SERVICE
from shipper_targets.kubernetes.kube_errors import Owned
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import at, objects, text
from tests.integration.kubernetes.kube_place import KubePlace, serving, until, until_ready
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    return KubePlace(kube_namespace, kube_rig.kubeconfig())


class Somebody:
    """Another field manager, such as a person with kubectl."""

    def __init__(self, rig: KubeRig, namespace: str, manager: str) -> None:
        self._rig, self._namespace, self._manager = rig, namespace, manager

    def patch(self, path: str, body: dict[str, Any], *, apply: bool = False) -> None:
        kind = "application/apply-patch+yaml" if apply else "application/strategic-merge-patch+json"
        force = "&force=true" if apply else ""
        where = f"{path}?fieldManager={self._manager}{force}"
        status, answer = self._rig.request("PATCH", where, body, kind)
        assert status < 300, answer

    def changes_deployment(self, spec: dict[str, Any], name: str = "shop") -> None:
        self.patch(f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{name}", {"spec": spec})

    def makes(self, path: str, body: dict[str, Any]) -> None:
        status, answer = self._rig.request("POST", f"{path}?fieldManager={self._manager}", body)
        assert status < 300, answer


@pytest.fixture
def somebody(kube_rig: KubeRig, kube_namespace: str) -> Somebody:
    return Somebody(kube_rig, kube_namespace, "kubectl-edit")


def test_a_field_that_somebody_else_owns_is_not_taken(shop: KubePlace, somebody: Somebody) -> None:
    shop.rolls_out(shop.release("one"))
    somebody.changes_deployment({"template": {"spec": {"priorityClassName": "system-cluster-critical"}}})
    until(shop.rolling(), lambda now: now.in_flight is None)
    shop.own["priority_class"] = "system-node-critical"
    shop.begins()
    target = shop.rolling()
    now = target.observe()
    with pytest.raises(Invalid, match=r'priorityClassName is owned by "kubectl-edit"') as caught:
        target.replace(shop.release("two"), shop.stamp(now), now.seen)
    assert "force_conflicts" in caught.value.hint
    plan = target.plan(shop.release("three"), now)
    assert any("priorityClassName is owned by" in remark for remark in plan.remarks)
    assert serving(target.observe()) == {1: 100}

    shop.own["force_conflicts"] = True
    shop.rolls_out(shop.release("four"))
    found = shop.api.get(DEPLOYMENT, "shop")
    assert text(found, "spec", "template", "spec", "priorityClassName") == "system-node-critical"


def test_what_others_add_stays_and_is_no_drift(shop: KubePlace, somebody: Somebody) -> None:
    shop.rolls_out(shop.release("one"))
    somebody.changes_deployment({"template": {"metadata": {"annotations": {"example.com/mesh": "on"}}}})
    now = until(shop.rolling(), lambda now: now.in_flight is None)
    assert now.drift == ()
    shop.rolls_out(shop.release("two"))
    found = shop.api.get(DEPLOYMENT, "shop")
    assert text(found, "spec", "template", "metadata", "annotations", "example.com/mesh") == "on"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"template": {"spec": {"containers": [{"name": "app", "image": "other:1"}]}}}, "containers.app.image"),
        ({"replicas": 3}, "spec.replicas"),
        ({"paused": True}, "spec.paused"),
        ({"progressDeadlineSeconds": 77}, "spec.progressDeadlineSeconds"),
    ],
    ids=["image", "replicas", "paused", "deadline"],
)
def test_what_somebody_changed_is_drift_and_a_rollback_takes_it_over(
    shop: KubePlace, somebody: Somebody, spec: dict[str, Any], field: str
) -> None:
    one = shop.release("one")
    shop.rolls_out(one)
    shop.rolls_out(shop.release("two"))
    somebody.changes_deployment(spec)
    now = shop.rolling().observe()
    assert [one.field for one in now.drift if one.field.endswith(field)], f"{now.drift} has no {field}"
    assert all(one.ours != one.found for one in now.drift)

    shop.rolls_out(shop.release(back_to=one))

    now = shop.rolling().observe()
    assert (serving(now), now.drift) == ({3: 100}, ())


def test_traffic_that_somebody_moved_is_drift(shop: KubePlace, kube_rig: KubeRig) -> None:
    shop.sets(rollout={"strategy": "blue-green"})
    one = shop.goes_over(shop.release("one"))
    two = shop.goes_over(shop.release("two"))
    selector = {"spec": {"selector": {"shipper.dev/workload": one.name}}}
    Somebody(kube_rig, shop.namespace, "kubectl-patch").patch(
        f"/api/v1/namespaces/{shop.namespace}/services/shop", selector
    )
    now = shop.weighted().observe()
    assert serving(now) == {1: 100}
    assert [(drift.field, drift.ours, drift.found) for drift in now.drift] == [
        ("Service/shop spec.selector", f"{two.name} 100 %", f"{one.name} 100 %")
    ]


def test_a_variable_that_kubectl_added_is_told_as_long_as_it_is_there(
    shop: KubePlace, somebody: Somebody, kube_rig: KubeRig
) -> None:
    """It is no drift, and stays: server-side apply takes nothing away that another manager has."""
    one = shop.release("one")
    shop.rolls_out(one)
    assert shop.rolling().observe().remarks == ()
    kubectl = Somebody(kube_rig, shop.namespace, "kubectl-set")
    evil = {"name": "EVIL", "value": "1"}
    name = at(shop.api.get(DEPLOYMENT, "shop"), "spec", "template", "spec", "containers")[0]["name"]
    kubectl.changes_deployment({"template": {"spec": {"containers": [{"name": name, "env": [evil]}]}}})
    now = until(shop.rolling(), lambda now: now.in_flight is None)
    assert now.drift == ()
    (told,) = now.remarks
    assert f"kubectl set env -n {shop.namespace} deployment/shop -c {name} EVIL-" in told
    for release in (shop.release("two"), shop.release(back_to=one)):
        shop.rolls_out(release)
        assert evil in at(shop.api.get(DEPLOYMENT, "shop"), "spec", "template", "spec", "containers")[0]["env"]
        assert shop.rolling().observe().remarks == (told,)
    away = {"name": "EVIL", "$patch": "delete"}
    kubectl.changes_deployment({"template": {"spec": {"containers": [{"name": name, "env": [away]}]}}})
    assert until(shop.rolling(), lambda now: now.in_flight is None).remarks == ()


def test_an_object_of_ours_that_somebody_deleted_is_drift(shop: KubePlace) -> None:
    shop.sets(scale={"min": 2, "max": 4})
    shop.rolls_out(shop.release("one"))
    shop.api.delete(HPA, "shop")
    (found,) = [one for one in shop.rolling().observe().drift if "HorizontalPodAutoscaler" in one.field]
    assert found.found == "(nothing)"


def test_where_there_is_no_namespace_nobody_says_that_nothing_serves(shop: KubePlace) -> None:
    assert shop.rolling().observe().serving == ()
    shop.own["namespace"] = "nobody-made-this"
    for target in (shop.rolling(), shop.weighted()):
        with pytest.raises(Invalid, match="there is no namespace nobody-made-this"):
            target.observe()


def test_what_nobody_asked_us_to_take_over_is_refused(shop: KubePlace, somebody: Somebody) -> None:
    _somebodys_service(shop, somebody)
    target = shop.rolling()
    now = target.observe()
    assert [(one.name, one.number, one.weight) for one in now.serving] == [("legacy", 0, 100)]
    with pytest.raises(Invalid, match=r"\[targets.<name>\] adopt = true"):
        target.replace(shop.release("one"), shop.stamp(now), now.seen)
    found = shop.api.get(SERVICE, "shop")
    assert "shipper.dev/stamp" not in at(found, "metadata").get("annotations", {})


@pytest.mark.parametrize("port", [80, 8080])
@pytest.mark.parametrize("shape", ["rolling", "blue-green"])
def test_what_was_there_is_adopted_serves_on_and_is_the_way_back(
    shop: KubePlace, somebody: Somebody, shape: str, port: int
) -> None:
    """Its Service has one port without a name, as `kubectl expose` makes it."""
    _somebodys_service(shop, somebody, port)
    shop.own["adopt"] = True
    shop.sets(rollout={"strategy": shape})
    shop.begins()
    target: Any = shop.rolling() if shape == "rolling" else shop.weighted()
    now = target.observe()
    begin = target.replace if shape == "rolling" else target.create
    revision = begin(shop.release("one"), shop.stamp(now), now.seen)
    until_ready(target, revision)
    now = target.observe()
    assert [(one.name, one.weight) for one in now.serving] == [("legacy", 100)]
    if shape == "rolling":
        target.finish(revision, shop.stamp(now), now.seen)
    else:
        target.shift({revision.name: 100}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.in_flight, now.drift) == ({1: 100}, None, ())
    assert ("legacy", 0, None) in [(one.name, one.number, one.release) for one in now.revisions]
    assert at(shop.api.get(SERVICE, "shop"), "spec", "selector").get("app") is None

    if shape != "rolling":
        target.shift({"legacy": 100}, shop.stamp(now), now.seen)
        now = target.observe()
        assert [(one.name, one.number, one.weight) for one in now.serving] == [("legacy", 0, 100)]
        assert at(shop.api.get(SERVICE, "shop"), "spec", "selector") == {"app": "legacy"}
        assert {one["port"] for one in objects(shop.api.get(SERVICE, "shop"), "spec", "ports")} == {80, port}
        shop.goes_over(shop.release("two"))
        target = shop.weighted()
        now = target.observe()
        assert (serving(now), now.drift) == ({2: 100}, ())
        assert [one["port"] for one in objects(shop.api.get(SERVICE, "shop"), "spec", "ports")] == [80]
    target.remove(shop.stamp(now), now.seen)
    found = shop.api.get(SERVICE, "shop")
    assert at(found, "spec", "selector") == {"app": "legacy"}
    assert [one["port"] for one in objects(found, "spec", "ports")] == [port]
    assert at(found, "metadata").get("labels", {}).get("app.kubernetes.io/managed-by") is None
    assert "Service shop is given back: it asks legacy, as before shipper came" in shop.remarks
    assert not [key for key in at(found, "metadata").get("annotations", {}) if key.startswith("shipper.dev/")]
    assert shop.api.find(DEPLOYMENT, "legacy") is not None


def test_an_ingress_that_was_there_is_given_back_as_it_was(shop: KubePlace, somebody: Somebody) -> None:
    _somebodys_service(shop, somebody, 8080)
    backend = {"service": {"name": "shop", "port": {"number": 8080}}}
    rule = {"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": [rule]}}
    metadata = {"name": "shop", "labels": {"team": "web"}, "annotations": {"example.com/timeout": "5s"}}
    before = shop.api.create(INGRESS, {**body, "metadata": metadata})
    shop.own |= {"adopt": True, "ingress": {"host": "shop.example.com"}}
    shop.sets(rollout={"strategy": "blue-green"})
    shop.goes_over(shop.release("one"))
    assert shop.api.get(INGRESS, "shop")["spec"] != before["spec"]

    target = shop.weighted()
    now = target.observe()
    target.remove(shop.stamp(now), now.seen)
    found = shop.api.get(INGRESS, "shop")
    assert found["spec"] == before["spec"]
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]) == (
        before["metadata"]["labels"],
        before["metadata"]["annotations"],
    )
    assert "Ingress shop is given back as it was before shipper came" in shop.remarks


def test_what_is_being_deleted_is_drift_and_nobody_releases_over_it(shop: KubePlace, somebody: Somebody) -> None:
    """As a Service of type LoadBalancer is for minutes: it is there until a finalizer lets it go."""
    shop.sets(rollout={"strategy": "blue-green"})
    shop.goes_over(shop.release("one"))
    shop.api.merge(SERVICE, "shop", {"metadata": {"finalizers": ["example.com/hang"]}})
    shop.api.delete(SERVICE, "shop")
    try:
        (told,) = shop.weighted().observe().drift
        assert (told.field, told.found) == ("Service/shop", "being deleted, until example.com/hang lets it go")
    finally:
        shop.api.merge(SERVICE, "shop", {"metadata": {"finalizers": None}})


def test_a_name_that_another_service_has_is_refused(shop: KubePlace) -> None:
    shop.rolls_out(shop.release("one"))
    theirs = KubePlace(shop.namespace, shop.own["kubeconfig"], name="shop")
    theirs.sets(service="other")
    theirs.epoch = shop.epoch + 1
    target = theirs.rolling()
    now = target.observe()
    with pytest.raises(Invalid, match="is that of shop in production"):
        target.replace(theirs.release("one"), theirs.stamp(now), now.seen)


def test_an_unknown_field_is_invalid_and_a_conflict_says_field_and_owner(shop: KubePlace, somebody: Somebody) -> None:
    shop.rolls_out(shop.release("one"))
    api = Api(KubernetesSettings.model_validate(shop.own))
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    with pytest.raises(Invalid, match="field not declared in schema"):
        api.apply({**body, "spec": {"bogus": 1}}, dry_run=True)
    with pytest.raises(Invalid, match="strict decoding error"):
        api.merge(DEPLOYMENT, "shop", {"spec": {"bogus": 1}}, dry_run=True)
    somebody.changes_deployment({"minReadySeconds": 3})
    with pytest.raises(Owned) as caught:
        api.apply({**body, "spec": {"minReadySeconds": 4}}, dry_run=True)
    assert list(caught.value.owners) == [".spec.minReadySeconds"]
    assert caught.value.owners[".spec.minReadySeconds"][0].startswith('"kubectl-edit"')


def test_nothing_to_change_is_said_and_a_change_has_no_noise(shop: KubePlace) -> None:
    one = shop.release("one")
    shop.rolls_out(one)
    target = shop.rolling()
    now = target.observe()
    again = one.model_copy(update={"id": shop.release("one").id, "number": 2})
    assert target.plan(again, now).empty
    shop.sets(run={"env": {"MODE": "two"}, "memory": "64 MiB"})
    target = shop.rolling()
    changes = {
        change.subject: (change.before, change.after) for change in target.plan(shop.release("one"), now).changes
    }
    subjects = sorted(subject for subject in changes if subject.startswith("Deployment/"))
    assert changes["revision"][1] == "shop-…"
    assert any("memory" in subject for subject in subjects)
    assert not [subject for subject in subjects if "status" in subject or "generation" in subject]
    assert shop.rolling().observe().seen == now.seen, "planning wrote something"


def _somebodys_service(shop: KubePlace, somebody: Somebody, port: int = 80) -> None:
    labels = {"app": "legacy"}
    pod = {"containers": [{"name": "app", "image": "registry.example.com/legacy:1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    somebody.makes(
        f"/apis/apps/v1/namespaces/{shop.namespace}/deployments",
        {"metadata": {"name": "legacy"}, "spec": {"selector": {"matchLabels": labels}, "template": template}},
    )
    somebody.makes(
        f"/api/v1/namespaces/{shop.namespace}/services",
        {"metadata": {"name": "shop"}, "spec": {"selector": labels, "ports": [{"port": port}]}},
    )
    until_there(shop)


def until_there(shop: KubePlace) -> None:
    """The foreign pod is ready."""
    import time

    deadline = time.monotonic() + 60
    while True:
        pods = shop.api.list(POD, labels="app=legacy").items
        ready = [c for pod in pods for c in objects(pod, "status", "conditions") if c.get("type") == "Ready"]
        if any(one.get("status") == "True" for one in ready):
            return
        assert time.monotonic() < deadline, "the foreign pod is not ready"
        time.sleep(0.1)


def test_what_argo_owns_goes_back_with_a_remark_and_is_not_removed(shop: KubePlace, somebody: Somebody) -> None:
    one = shop.release("one")
    shop.rolls_out(one)
    shop.rolls_out(shop.release("two"))
    tracked = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shops:apps/Deployment:ns/shop"}}}
    somebody.patch(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/shop", tracked)

    shop.rolls_out(shop.release(back_to=one))
    assert [text for text in shop.remarks if "managed by Argo CD (shops), which may take this back" in text]
    target = shop.rolling()
    now = target.observe()
    with pytest.raises(Invalid, match="Deployment shop is managed by Argo CD"):
        target.remove(shop.stamp(now), now.seen)
    assert serving(target.observe()) == {3: 100}
