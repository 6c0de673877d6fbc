"""How many pods are asked for: what comes back takes none away, and an autoscaler is not overruled."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Release
from shipper.targets import Conflict
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kube_errors import Owned
from shipper_targets.kubernetes.manifest import Manifest, Rendered, rendered
from shipper_targets.kubernetes.manifests import Manifests, coming_count, counted
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.rehearsal import rehearsal_problems
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.writing_rolling import RollingWriting
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import deployment, found, marks, revision
from tests.unit.kubernetes.kube_rendering import REPOSITORY, own, release_of, settings_of

pytestmark = pytest.mark.unit

SCALER = '"kube-controller-manager" with subresource "scale" using apps/v1'
OURS = {"managedFields": [{"manager": "shipper", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}


def workload(name: str, replicas: int | None, **metadata: Any) -> dict[str, Any]:
    """As it is written in a project's own manifests."""
    spec: dict[str, Any] = {"replicas": replicas, "template": {"spec": {"containers": []}}}
    where = {"name": name, "namespace": "shops", **metadata}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": where, "spec": spec}


def whole_of(*bodies: dict[str, Any]) -> Rendered:
    """The first is the one that is followed."""
    manifests = [Manifest(one) for one in bodies]
    return rendered(manifests, manifests[0].key)


def scaler(name: str, kind: str = "Deployment") -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    metadata = {"name": name, "namespace": "shops"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"scaleTargetRef": target},
    }


def beside(name: str, replicas: int, **metadata: Any) -> dict[str, Any]:
    """One of ours that carries no release."""
    one = deployment(0, name=name, replicas=replicas)
    one["metadata"].update(annotations={}, **metadata)
    return one


def count(manifest: Manifest | None) -> Any:
    assert manifest is not None
    return manifest.body["spec"].get("replicas", "none")


# What comes back


def test_what_comes_back_has_as_many_pods_as_what_it_comes_back_into_and_not_as_a_worker_beside_it() -> None:
    web, worker = deployment(1, name="web", replicas=3), beside("worker", 20)
    whole = whole_of(workload("web", 2), workload("worker", 20))
    assert count(counted(whole, found(deployments=[web, worker]), coming_back=True)) == 3


def test_where_each_release_has_a_deployment_what_serves_counts() -> None:
    serving = deployment(2, name=revision(2), replicas=7)
    state = found(shape="weighted", deployments=[serving, beside("worker", 20)])
    assert count(counted(whole_of(workload(revision(3), 2)), state, coming_back=True)) == 7
    assert count(counted(whole_of(workload("shop", 2)), found(deployments=[serving]), coming_back=True)) == 7


def test_a_count_that_is_written_as_null_is_the_default() -> None:
    whole = whole_of(workload("web", None))
    assert count(counted(whole, found(), coming_back=True)) == 1
    assert count(counted(whole, found(deployments=[deployment(1, name="web", replicas=4)]), coming_back=True)) == 4


# Autoscalers


def test_an_autoscaler_decides_for_its_own_workload_alone() -> None:
    whole = whole_of(workload("web", 2), workload("worker", 1), scaler("worker"))
    assert count(counted(whole, found(), coming_back=False)) == 2


def test_an_autoscaler_of_a_worker_asks_for_no_room_for_the_service() -> None:
    theirs = scaler("worker")
    theirs["spec"]["minReplicas"] = 8
    whole = whole_of(workload("web", 2), workload("worker", None), theirs)
    assert coming_count(whole, 0) == 2
    mine = scaler("web")
    mine["spec"]["minReplicas"] = 5
    assert coming_count(whole_of(workload("web", None), workload("worker", 9), mine), 0) == 5


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(("owned", "sent"), [({}, "none"), (OURS, 40)], ids=["scaled already", "the count is ours"])
def test_what_runs_beside_it_keeps_the_count_that_its_autoscaler_gave_it(
    tmp_path: Path, kind: str, owned: dict[str, Any], sent: object
) -> None:
    live = {**beside("worker", 40, **owned), "kind": kind}
    there = [deployment(1, name="web"), *([live] if kind == "Deployment" else [])]
    whole = whole_of(workload("web", 2), {**workload("worker", 1), "kind": kind})
    of = Manifests(None, own(), Source(own(), tmp_path, None), lambda _: live)  # type: ignore[arg-type]
    scaled = of.as_counted(whole, found(deployments=there, autoscalers=[scaler("worker", kind)]))
    assert (count(scaled.main), count(scaled.others[0])) == (2, sent)
    assert count(of.as_counted(whole, found(deployments=there)).others[0]) == 1, "nobody scales it"


def test_a_count_that_an_autoscaler_changes_meanwhile_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker beside the one that is followed: read as ours, scaled by the time of the write."""
    live = beside("worker", 3, **OURS)
    state = found(deployments=[deployment(1, name="web"), live], autoscalers=[scaler("worker")])
    whole = whole_of(workload("web", 2), workload("worker", 3, labels=live["metadata"]["labels"]))
    server = Server(live, deployment(1, name="web"))
    server.refuses = lambda body, force: (
        Owned("conflict", {".spec.replicas": [SCALER]}) if not force and "replicas" in body["spec"] else None
    )
    for force in (False, True):
        server.writes.clear()
        writing = writing_to(server, state, whole, force_conflicts=force)
        monkeypatch.setattr(writing.reading.records, "write", lambda *_: None)
        writing.harmless(release_of(), writing.manifests.as_counted(whole, state), state)
        assert [(verb, body["spec"].get("replicas")) for verb, _, body in server.writes] == [
            ("apply", 3),
            ("force", None),
        ]


def test_without_an_autoscaler_what_somebody_scaled_by_hand_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kubectl scale` is drift: whoever comes here has decided about it."""
    live = beside("worker", 3)
    state = found(deployments=[deployment(1, name="web"), live])
    whole = whole_of(workload("web", 2), workload("worker", 1, labels=live["metadata"]["labels"]))
    server = Server(live, deployment(1, name="web"))
    by_hand = {".spec.replicas": ['"kubectl" with subresource "scale" using apps/v1']}
    server.refuses = lambda body, force: None if force else Owned("conflict", by_hand)
    writing = writing_to(server, state, whole)
    monkeypatch.setattr(writing.reading.records, "write", lambda *_: None)
    writing.harmless(release_of(), whole, state)
    assert [(verb, body["spec"].get("replicas")) for verb, _, body in server.writes] == [("apply", 1), ("force", 1)]


def test_what_is_replaced_is_written_with_the_count_of_the_object_that_is_there_by_then() -> None:
    live = deployment(1, replicas=3)
    live["metadata"].update(resourceVersion="10", **OURS)
    now = copy.deepcopy(live)
    now["metadata"].update(resourceVersion="11", managedFields=[])
    now["spec"]["replicas"] = 12
    manifest = Manifest(workload("shop", 3, labels={**live["metadata"]["labels"], **marks(2)}))
    state, whole = found(deployments=[live], autoscalers=[scaler("shop")]), whole_of(dict(manifest.body))
    for force in (False, True):
        server = Server(now)
        server.refuses = lambda body, force: (
            Conflict("the object has been modified") if body["metadata"]["resourceVersion"] != "11" else None
        )
        writing = writing_to(server, state, whole)
        writing.carrier_applied(state, live, manifest, before=whole, force=force)
        assert [body["spec"].get("replicas") for body in server.sent("Deployment/shop")] == [3, None]


def writing_to(server: Any, state: Found, before: Rendered, **settings: Any) -> RollingWriting:
    """`before`: what was applied for whatever is there."""
    mine, place = own(**settings), settings_of()
    reading = Reading(server, place, mine, "rolling")
    manifests = Manifests(reading.records, mine, Source(mine, Path("/nonexistent"), None), reading.live)
    manifests.applied = lambda record: before  # type: ignore[method-assign]
    return RollingWriting(server, reading, Fence(server, reading, place, mine), manifests, place, mine)


# Preflight


def test_what_somebody_elses_autoscaler_counts_is_rehearsed_without_a_count() -> None:
    state = found(deployments=[deployment(1, replicas=5)], autoscalers=[scaler("shop")])
    settings = settings_of(scale={"min": 2})
    release = release_of(settings)
    whole = rehearsed(release, state)
    assert count(whole.main) == "none"
    server: Any = Server(*[{**one.copied()} for one in whole.manifests])
    server.refuses = lambda body, force: (
        Owned("conflict", {".spec.replicas": [SCALER]}) if "replicas" in body["spec"] else None
    )
    main = whole_of(dict(whole.main.body))
    assert list(rehearsal_problems(server, main, own(), before=lambda one: one, remark=lambda _: None)) == []


def rehearsed(release: Release, state: Found) -> Rendered:
    """What preflight rehearses of it."""
    target = RollingTarget.__new__(RollingTarget)
    target._own, target._base, target._settings = own(), "shop", release.settings
    reading = Reading(Server(), release.settings, own(), "rolling")  # type: ignore[arg-type]
    target._reading = reading
    target._source = Source(own(), Path("/nonexistent"), None)
    return target._as_rendered(lambda: state, release)


def test_own_manifests_that_have_an_autoscaler_for_a_worker_are_read_as_they_are(tmp_path: Path) -> None:
    """From files to what is sent: the web's count stays, the worker's is its autoscaler's."""
    (tmp_path / "a.yaml").write_text(
        f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec: {{replicas: 2, template: {{spec: {{containers: [{{name: a, image: {REPOSITORY}}}]}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: worker}}
spec: {{replicas: 1, template: {{spec: {{containers: [{{name: a, image: busybox}}]}}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: worker}}
spec: {{minReplicas: 1, maxReplicas: 9, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: worker}}}}
"""
    )
    mine = own(manifests=["a.yaml"])
    source = Source(mine, tmp_path, None)
    whole = render_own(source.objects, release_of(), mine)
    web, worker = deployment(1, name="web", replicas=2), beside("worker", 40)
    of = Manifests(None, mine, source)  # type: ignore[arg-type]
    state = found(deployments=[web, worker], autoscalers=[scaler("worker")])
    counts = {one.name: count(one) for one in of.as_counted(whole, state).of_kind("Deployment")}
    assert counts == {"web": 2, "worker": "none"}
