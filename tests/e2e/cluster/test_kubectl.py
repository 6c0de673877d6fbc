"""What shipper deploys is native to kubectl: it reads it, and what it changes by hand is found and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service

pytestmark = pytest.mark.e2e

WORKLOAD = "deployment/shop-dev"


def release(cluster: Cluster, folder: Path, version: str, *words: str, **settings: Any) -> Ended:
    """Of the next commit; it may end as it likes."""
    write_service(folder, version=version, settings=cluster.settings(**QUICK, **settings))
    return cluster.release(folder, *words)


def released(cluster: Cluster, folder: Path, version: str, *words: str, **settings: Any) -> Ended:
    """Of the next commit; it has to end well."""
    ended = release(cluster, folder, version, *words, **settings)
    assert ended.code == 0, ended
    return ended


def deployment(cluster: Cluster) -> dict[str, Any]:
    """As kubectl has it."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", WORKLOAD, "-o", "json"))
    return found


def test_it_has_the_usual_labels_a_status_and_a_history(cluster: Cluster, tmp_path: Path) -> None:
    released(cluster, tmp_path / "shop", "1")
    released(cluster, tmp_path / "shop", "2")
    ours = "app.kubernetes.io/name=shop,app.kubernetes.io/managed-by=shipper"
    found = cluster.kubectl("get", "deployment,replicaset,pod,service,ingress", "-l", ours, "-o", "name").split()
    kinds = [name.partition("/")[0] for name in found]
    assert set(kinds) == {"deployment.apps", "replicaset.apps", "pod", "service", "ingress.networking.k8s.io"}
    assert kinds.count("replicaset.apps") == 2
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", WORKLOAD, "--timeout", "10s")
    history = [line.split()[0] for line in cluster.kubectl("rollout", "history", WORKLOAD).splitlines()[2:] if line]
    assert history == ["1", "2"]


def test_an_undo_of_configuration_alone_is_found_and_taken_over_too(cluster: Cluster, tmp_path: Path) -> None:
    for word in ("morning", "evening"):
        released(cluster, tmp_path / "shop", "1", run={"env": {"SHOP_GREETING": word}})
    cluster.kubectl("rollout", "undo", WORKLOAD)
    cluster.kubectl("rollout", "status", WORKLOAD)
    assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == "morning"
    refused = release(cluster, tmp_path / "shop", "1", run={"env": {"SHOP_GREETING": "night"}})
    assert refused.code == 31, refused
    back = cluster.run("rollback", "--service", "shop", "--to", "#2", "--json")
    assert back.code == 0, back
    assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == "evening"


def test_an_undo_is_found_by_the_next_release_and_a_rollback_takes_over(cluster: Cluster, tmp_path: Path) -> None:
    for version in ("1", "2"):
        released(cluster, tmp_path / "shop", version)
    cluster.kubectl("rollout", "undo", WORKLOAD)
    cluster.kubectl("rollout", "status", WORKLOAD)
    assert cluster.ask().json["version"] == "1"
    refused = release(cluster, tmp_path / "shop", "3")
    assert refused.code == 31, refused
    assert "Deployment/shop-dev metadata.annotations.shipper.dev/number: 2 -> 1 (by kubectl" in refused.said
    assert "build" not in refused.stages()
    back = cluster.run("rollback", "--service", "shop", "--to", "#2", "--json")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "2"
    released(cluster, tmp_path / "shop", "3")
    assert cluster.ask().json["version"] == "3"


BY_HAND = {
    "scale": (("scale", WORKLOAD, "--replicas", "3"), "Deployment/shop-dev spec.replicas"),
    "scale to nothing": (("scale", WORKLOAD, "--replicas", "0"), "Deployment/shop-dev spec.replicas"),
    "set image": (("set", "image", WORKLOAD, "*=IMAGE"), "Deployment/shop-dev spec.template.spec.containers"),
    "edit": (("edit", "ingress/shop-dev"), "Ingress/shop-dev spec.rules"),
}
EDITOR = "sed -i 's/host: shop/host: shopping/'"


@pytest.mark.parametrize("way", BY_HAND)
def test_what_is_changed_by_hand_is_named_before_a_build_and_a_rollback_takes_it_over(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", EDITOR)
    older, _ = (released(cluster, tmp_path / "shop", version).finished["serves"] for version in ("1", "2"))
    words, field = BY_HAND[way]
    cluster.kubectl(*(word.replace("IMAGE", older["image"]) for word in words))
    cluster.kubectl("rollout", "status", WORKLOAD)
    refused = release(cluster, tmp_path / "shop", "3")
    assert refused.code == 31, refused
    assert field in refused.said
    assert "build" not in refused.stages()
    back = cluster.run("rollback", "--service", "shop", "--json")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    released(cluster, tmp_path / "shop", "3")
    assert cluster.ask().json["version"] == "3"


@pytest.mark.sample(1)
@pytest.mark.parametrize("way", BY_HAND)
def test_what_serves_is_asked_for_by_its_number_and_is_as_it_was_released_again(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", EDITOR)
    older, _ = (released(cluster, tmp_path / "shop", version).finished["serves"] for version in ("1", "2"))
    words, _ = BY_HAND[way]
    cluster.kubectl(*(word.replace("IMAGE", older["image"]) for word in words))
    again = cluster.run("rollback", "--service", "shop", "--to", "#2", "--json")
    assert again.code == 0, again
    assert (again.finished["serves"]["changed"], again.finished["serves"]["rollback_to"]) == (True, 2)
    assert cluster.ask().json["version"] == "2"
    nothing = cluster.run("rollback", "--service", "shop", "--to", "#2", "--json")
    assert (nothing.code, nothing.finished["serves"]["changed"]) == (0, False), nothing
    released(cluster, tmp_path / "shop", "3")


def test_a_port_of_the_service_that_was_changed_by_hand_is_drift_and_no_mistake_in_the_configuration(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A rehearsal of the writes runs into it: two ports would have one name."""
    released(cluster, tmp_path / "shop", "1")
    change = '[{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]'
    cluster.kubectl("patch", "service", "shop-dev", "--type", "json", "--patch", change)
    refused = release(cluster, tmp_path / "shop", "2")
    assert refused.code == 31, refused
    assert "Service/shop-dev spec.ports" in refused.said
    back = cluster.run("rollback", "--service", "shop", "--to", "#1", "--json")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    released(cluster, tmp_path / "shop", "2")


def test_what_an_autoscaler_has_scaled_to_stays_through_releases(cluster: Cluster, tmp_path: Path) -> None:
    """There is no metrics server here: kubectl scale writes the same subresource as the HPA's controller does."""
    scaled = {"scale": {"min": 1, "max": 4}, "run": {"cpu": 0.1}}
    released(cluster, tmp_path / "shop", "1", **scaled)
    cluster.kubectl("scale", WORKLOAD, "--replicas", "3")
    for version in ("2", "3"):
        released(cluster, tmp_path / "shop", version, **scaled)
        assert deployment(cluster)["spec"]["replicas"] == 3
        assert cluster.ask().json["version"] == version


def test_what_others_apply_stays_theirs(cluster: Cluster, tmp_path: Path) -> None:
    released(cluster, tmp_path / "shop", "1")
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-dev", "annotations": {"team.example.com/owner": "search"}},
        "spec": {"template": {"spec": {"priorityClassName": "system-cluster-critical"}}},
    }
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(theirs))
    cluster.kubectl("apply", "--server-side", "--field-manager", "search-team", "-f", str(file))
    cluster.kubectl("rollout", "status", WORKLOAD)
    released(cluster, tmp_path / "shop", "2")
    now = deployment(cluster)
    assert now["metadata"]["annotations"]["team.example.com/owner"] == "search"
    assert now["spec"]["template"]["spec"]["priorityClassName"] == "system-cluster-critical"
    shown = json.loads(cluster.kubectl("get", WORKLOAD, "-o", "json", "--show-managed-fields"))
    fields = {one["manager"]: json.dumps(one["fieldsV1"]) for one in shown["metadata"]["managedFields"]}
    assert "f:priorityClassName" in fields["search-team"]
    assert "f:priorityClassName" not in fields["shipper"]


def test_services_and_revisions_of_knative_are_listed_by_their_usual_names(knative: Cluster, tmp_path: Path) -> None:
    names = [released(knative, tmp_path / "shop", version).finished["serves"]["revision"] for version in ("1", "2")]
    listed = knative.kubectl("get", "ksvc,revisions", "-l", "app.kubernetes.io/name=shop", "--no-headers")
    rows = {line.split()[0]: line.split() for line in listed.splitlines() if line.strip()}
    assert {f"revision.serving.knative.dev/{name}" for name in names} <= set(rows)
    service = rows["service.serving.knative.dev/shop-dev"]
    assert service[2:5] == [names[1], names[1], "True"]
