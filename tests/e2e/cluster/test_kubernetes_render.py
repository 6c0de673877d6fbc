"""`shipper render` of what serves: the same bytes each time, taken strictly by a server, passed on by kustomize."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.cluster.conftest import Cluster, FreshCluster, new_cluster
from tests.e2e.projects import QUICK, write_service
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SCALED: dict[str, Any] = {
    "scale": {"min": 1, "max": 3},
    "run": {"cpu": 0.1, "memory": "128MiB", "env": {"ON": "on", "WHEN": "2026-11-21", "PRICE": "$(PORT)", "N": "007"}},
}
"""Every kind of object, and strings that YAML would like to be something else."""


@pytest.fixture(scope="module")
def cluster(
    shipper: Path,
    rig: Rig,
    kube_rig: KubeRig,
    ledger_store: RunningStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """A namespace in which a project was released once; nothing here writes to it."""
    made = new_cluster("kubernetes", shipper, rig, kube_rig, ledger_store, tmp_path_factory.mktemp("rendered"))
    write_service(made.home / "shop", version="1", settings=made.settings(**QUICK, **SCALED))
    ended = made.release(made.home / "shop")
    assert ended.code == 0, ended
    yield made
    kube_rig.drop(made.namespace)


def rendered(cluster: Cluster, out: Path, *words: object) -> dict[str, bytes]:
    """File name to bytes."""
    words = ("render", "--target", "kubernetes", "-C", cluster.home / "shop", "--kustomize", "--out", out, *words)
    done = subprocess.run(
        cluster.command(*words),
        env=cluster.variables(),
        cwd=cluster.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def documents(text: bytes | str) -> dict[tuple[str, str], Any]:
    """Kind and name to the object."""
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text) if one}


def of_files(files: dict[str, bytes]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for name, text in files.items():
        if name != "kustomization.yaml":
            found |= documents(text)
    return found


def test_it_is_the_same_bytes_each_time_and_from_the_image_alone(cluster: Cluster, tmp_path: Path) -> None:
    first = rendered(cluster, tmp_path / "first")
    assert rendered(cluster, tmp_path / "second") == first
    image = json.loads(cluster.kubectl("get", "deployment", "shop-dev", "-o", "json"))["spec"]["template"]["spec"][
        "containers"
    ][0]["image"]
    assert "@sha256:" in image
    assert rendered(cluster, tmp_path / "third", "--image", image) == first
    deployment = of_files(first)["Deployment", "shop-dev"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
    kinds = {kind for kind, _ in of_files(first)}
    assert {"Deployment", "Service", "Ingress", "ConfigMap", "ServiceAccount", "HorizontalPodAutoscaler"} <= kinds


def test_kustomize_passes_every_object_on_unchanged(cluster: Cluster, tmp_path: Path) -> None:
    files = rendered(cluster, tmp_path / "out")
    passed_on = documents(cluster.kubectl("kustomize", str(tmp_path / "out")))
    assert passed_on == of_files(files)


def test_the_server_takes_it_strictly_and_sees_what_serves_in_it(cluster: Cluster, tmp_path: Path) -> None:
    rendered(cluster, tmp_path / "out")
    words = ("--server-side", "--field-manager", "gitops", "--force-conflicts", "--validate=strict", "--dry-run=server")
    told = cluster.kubectl("apply", *words, "-k", str(tmp_path / "out"), "-o", "json")
    would_be = {(one["kind"], one["metadata"]["name"]): one for one in json.loads(told)["items"]}
    now = json.loads(cluster.kubectl("get", "deployment", "shop-dev", "-o", "json"))
    assert would_be["Deployment", "shop-dev"]["spec"]["template"] == now["spec"]["template"], "its pods would stay"


def test_what_is_published_is_rendered_and_serves_once_somebody_else_applies_it(
    fresh_cluster: FreshCluster, tmp_path: Path
) -> None:
    """As a pipeline for Argo CD or Flux does it, with kubectl in their place."""
    cluster = fresh_cluster("kubernetes")
    project = cluster.home / "shop"
    write_service(project, version="1", settings=cluster.settings(scan={"enabled": False}))
    here = ("--target", "kubernetes", "-C", project)
    published = cluster.run("publish", "-q", *here)
    assert published.code == 0, published
    reference = published.stdout.strip()
    assert published.stdout == f"{reference}\n"
    assert reference.startswith(f"{cluster.settings()['image']['repository']}@sha256:")
    assert cluster.kubectl("get", "deployments,services,ingresses,secrets,leases", "-o", "name") == ""

    rendered(cluster, tmp_path / "out", "--image", reference)
    cluster.kubectl("apply", "-k", str(tmp_path / "out"))
    image = f"jsonpath={{.spec.template.spec.containers[0].image}}={reference}"
    cluster.kubectl("wait", "deployment/shop-dev", f"--for={image}", "--timeout=10s")
    cluster.kubectl("rollout", "status", "deployment/shop-dev", "--timeout=60s")
    tracked = f"argocd.argoproj.io/tracking-id=shop:apps/Deployment:{cluster.namespace}/shop-dev"
    cluster.kubectl("annotate", "deployment", "shop-dev", tracked)
    assert cluster.ask().json["version"] == "1"

    verified = cluster.run("verify", *here)
    assert (verified.code, verified.stdout) == (
        0,
        f"shop in dev on kubernetes: shop-dev serves at {cluster.hands.edge_url}, proof: answer\n",
    )
    status = cluster.run("status", *here).stdout
    assert "(no release that is known) shop-dev, 100 % of the traffic" in status
    assert "rollback: not possible: nothing was released here before" in status
    refused = cluster.release(project)
    assert refused.code == 2, refused
    assert "Argo CD (shop)" in refused.said
    assert "shipper publish makes the image" in refused.said

    again = cluster.run("publish", "--json", *here)
    assert (again.code, again.finished["image"], again.finished["serves"]) == (0, reference, None), again
    assert {again.stages()[name] for name in ("build", "smoke")} == {"reused"}
    words = ("render", *here, "--kustomize", "--out", tmp_path / "out", "--image", reference)
    assert cluster.run(*words).stderr.splitlines() == [f"{len(list((tmp_path / 'out').iterdir()))} unchanged"]


def test_without_a_way_to_the_cluster_it_is_built_for_the_usual_platform(
    fresh_cluster: FreshCluster, tmp_path: Path
) -> None:
    """A runner that has no kubeconfig at all."""
    cluster = fresh_cluster("kubernetes")
    project = cluster.home / "shop"
    write_service(project, version="1", settings=cluster.settings(**QUICK))
    (nowhere := tmp_path / "kubeconfig").write_text("")
    ended = cluster.run("publish", "--json", "-t", "kubernetes", "-C", project, env={"KUBECONFIG": str(nowhere)})
    assert ended.code == 0, ended
    told = [event["text"] for event in ended.events if event["event"] == "remark"]
    assert any("kubernetes cannot be asked for its platform: there is no context rig" in text for text in told), told
    assert any(text.startswith("built for linux/amd64: [image] platform") for text in told), told
