"""A Helm chart as the source of manifests, rendered by a Helm 3 of its own: in `make sweep` only, Go builds it once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.cluster import own_apps
from tests.e2e.cluster.conftest import Cluster
from tests.e2e.projects import QUICK, write_service
from tests.rig.helm import build
from tests.rig.machine import survey

pytestmark = [pytest.mark.e2e, pytest.mark.sweep, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def helm() -> Path:
    """Built when it is missing: about three minutes."""
    return build.make(survey())


def written(cluster: Cluster, folder: Path, helm: Path, version: str, greeting: str) -> Path:
    """The project in this version, with its chart."""
    rendered = [str(helm), "template", "storefront", "chart", "--set", "image.tag=stable"]
    own = {"ingress": None, "manifests_command": rendered, "manifests_url": f"http://{cluster.host}"}
    settings = cluster.settings(**QUICK, targets={"kubernetes": own})
    write_service(folder, version=version, settings=settings, git=False)
    own_apps.chart(folder, image=settings["image"]["repository"], host=cluster.host, greeting=greeting)
    return folder


def test_a_chart_is_released_with_its_image_pinned_and_its_values_come_back_with_the_image(
    cluster: Cluster, helm: Path, tmp_path: Path
) -> None:
    for version, greeting in (("1", "good morning"), ("2", "good evening")):
        ended = cluster.release(written(cluster, tmp_path / "shop", helm, version, greeting))
        assert ended.code == 0, ended
        assert cluster.ask().json["version"] == version
        assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == greeting
    deployment = json.loads(cluster.kubectl("get", "deployment", "storefront", "-o", "json"))
    assert "@sha256:" in deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    back = cluster.from_nowhere("rollback")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    assert cluster.ask("/env?name=SHOP_GREETING").json["value"] == "good morning"


def test_a_chart_that_does_not_render_is_told_in_helms_words_before_the_build(
    cluster: Cluster, helm: Path, tmp_path: Path
) -> None:
    folder = written(cluster, tmp_path / "shop", helm, "1", "good morning")
    (folder / "chart" / "templates" / "rest.yaml").write_text("{{ required `a greeting is needed` .Values.nothing }}\n")
    refused = cluster.release(folder)
    assert refused.code == 2, refused
    assert "a greeting is needed" in refused.said
    assert "build" not in refused.stages()
