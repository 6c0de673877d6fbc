"""A service whose manifests are its own: plain YAML, kustomize, Helm. Images are pinned, and the rest stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import own_apps
from tests.e2e.cluster.conftest import Cluster
from tests.e2e.projects import QUICK, write_service

pytestmark = pytest.mark.e2e

Writes = Callable[..., None]

PLAIN = (own_apps.plain, {"manifests": ["deploy"]})
OVERLAY = (own_apps.kustomize, {"manifests_command": ["kubectl", "kustomize", "overlays/prod"]})


def written(cluster: Cluster, folder: Path, version: str, greeting: str, app: tuple[Writes, dict[str, Any]]) -> Path:
    """The project in this version, with its manifests."""
    writes, own = app
    settings = cluster.settings(
        **QUICK, targets={"kubernetes": {"ingress": None, **own, "manifests_url": f"http://{cluster.host}"}}
    )
    write_service(folder, version=version, settings=settings, git=False)
    writes(folder, image=settings["image"]["repository"], host=cluster.host, greeting=greeting)
    return folder


@pytest.mark.parametrize("app", [PLAIN, OVERLAY], ids=["plain", "kustomize"])
def test_it_is_released_as_it_is_and_its_configuration_comes_back_with_the_image(
    cluster: Cluster, tmp_path: Path, app: tuple[Writes, dict[str, Any]]
) -> None:
    folder = tmp_path / "shop"
    for version, greeting in (("1", "good morning"), ("2", "good evening")):
        ended = cluster.release(written(cluster, folder, version, greeting, app))
        assert ended.code == 0, ended
        assert cluster.ask().json["version"] == version
        assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == greeting
    deployment = json.loads(cluster.kubectl("get", "deployment", "storefront", "-o", "json"))
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "@sha256:" in image, image
    assert deployment["metadata"]["labels"]["tier"] == "web"
    back = cluster.from_nowhere("rollback")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == "good morning"


def test_a_change_in_the_manifests_alone_is_a_release_and_none_is_nothing_to_do(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    first = cluster.release(written(cluster, folder, "1", "good morning", PLAIN))
    assert first.code == 0, first
    again = cluster.release(folder)
    assert (again.code, again.finished["serves"]["changed"]) == (0, False), again
    changed = cluster.release(written(cluster, folder, "1", "good night", PLAIN))
    assert (changed.code, changed.finished["serves"]["changed"]) == (0, True), changed
    assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == "good night"


def test_a_canary_of_them_is_refused_before_the_build(cluster: Cluster, tmp_path: Path) -> None:
    folder = written(cluster, tmp_path / "shop", "1", "hello", PLAIN)
    with (folder / "shipper.toml").open("a") as configuration:
        configuration.write('\n[rollout]\nstrategy = "canary"\n')
    refused = cluster.release(folder)
    assert refused.code == 2, refused
    assert "build" not in refused.stages()


def test_a_mistake_in_them_is_told_with_file_and_line(cluster: Cluster, tmp_path: Path) -> None:
    folder = written(cluster, tmp_path / "shop", "1", "hello", PLAIN)
    (folder / "deploy" / "rest.yaml").write_text("apiVersion: v1\nkind: [Service\n")
    refused = cluster.release(folder)
    assert refused.code == 2, refused
    assert "deploy/rest.yaml" in refused.said
    assert "line" in refused.said or ":2" in refused.said or ":3" in refused.said, refused.said
