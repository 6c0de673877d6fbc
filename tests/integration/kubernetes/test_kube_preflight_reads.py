"""What one preflight asks the API server for: everything of the service once, however many of its questions need it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shipper.model import TargetSpec
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import CLAIM
from tests.integration.kubernetes.kube_place import KubePlace
from tests.integration.kubernetes.kube_service import REPOSITORY
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    return KubePlace(kube_namespace, kube_rig.kubeconfig())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each path was read, by any connection of this process."""
    counted: Counter[str] = Counter()
    inner = Api.request

    def request(self: Api, method: str, path: str, **more: Any) -> Any:
        if method == "GET":
            counted[path.rpartition("/namespaces/")[2].partition("/")[2] or path] += 1
        return inner(self, method, path, **more)

    monkeypatch.setattr(Api, "request", request)
    return counted


def preflight(shop: KubePlace) -> None:
    target = shop.rolling() if not shop.sections.get("rollout") else shop.weighted()
    assert target.preflight(TargetSpec(settings=shop.settings, target="kube")) == []


@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_each_list_is_read_once(shop: KubePlace, read: Counter[str], strategy: str) -> None:
    if strategy == "rolling":
        shop.rolls_out(shop.release("one"))
    else:
        shop.sets(rollout={"strategy": strategy})
        shop.goes_over(shop.release("one"))
    read.clear()
    preflight(shop)
    lists = ("deployments", "replicasets", "services", "secrets", "horizontalpodautoscalers", "httproutes/shop")
    assert {path: read[path] for path in lists} == dict.fromkeys(lists, 1), read


def test_a_claim_is_read_once(shop: KubePlace, read: Counter[str]) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    shop.api.create(CLAIM, {"apiVersion": "v1", "kind": CLAIM.kind, "metadata": {"name": "data"}, "spec": spec})
    shop.sets(run={"volumes": [{"source": "pvc:data", "target": "/data"}]})
    preflight(shop)
    assert read["persistentvolumeclaims/data"] == 1


def test_of_own_manifests_too(shop: KubePlace, read: Counter[str], tmp_path: Path) -> None:
    shop.root, shop.own["manifests"] = tmp_path, ["web.yaml"]
    (tmp_path / "web.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n"
        "  template:\n    metadata: {labels: {app: web}}\n"
        f"    spec: {{containers: [{{name: web, image: {REPOSITORY}:any}}]}}\n"
    )
    preflight(shop)
    assert (read["deployments"], read["secrets"]) == (1, 1), read


def test_another_preflight_reads_anew(shop: KubePlace, read: Counter[str]) -> None:
    target = shop.rolling()
    spec = TargetSpec(settings=shop.settings, target="kube")
    assert target.preflight(spec) == []
    shop.rolls_out(shop.release("one"))
    read.clear()
    assert target.preflight(spec) == []
    assert read["deployments"] == 1, "what was written since is seen"
