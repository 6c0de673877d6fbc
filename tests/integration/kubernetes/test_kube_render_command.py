"""`shipper render`: what Argo CD or Flux bring to a cluster, from an image in a registry; no cluster is asked."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import yaml

from tests.conftest import needed_or_skipped
from tests.integration.registries.pushed_by_hand import Pushed
from tests.rig.api import Rig

pytestmark = pytest.mark.integration

CONFIGURATION = """\
service = "shop"
target = "kube"

[image]
repository = "{repository}"

[run]
cpu = 0.5
memory = "128MiB"
env = {{ COLOUR = "red", ON = "on", WHEN = "2026-11-21", PRICE = "$(PORT)" }}
secrets = {{ API_KEY = "kubernetes:keys/api" }}

[scale]
min = 2
max = 5

[environments.production]

[targets.kube]
kind = "kubernetes"
context = "nowhere"
kubeconfig = "nothing-is-here"
namespace = "shops"
ingress = {{ host = "shop.example.com" }}
"""


class Project:
    """A directory with a shipper.toml, and an image in the rig's registry."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.folder = folder
        self.images = Pushed(f"{registry}/render-test/{uuid.uuid4().hex[:12]}")
        self.digest, self.config = self.images.image("linux/arm64", tag="v1")
        (folder / "shipper.toml").write_text(CONFIGURATION.format(repository=self.images.repository))

    @property
    def reference(self) -> str:
        return f"{self.images.repository}@{self.digest}"

    def render(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("shipper")
        ended = subprocess.run(
            [program, "render", "--env", "production", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended
        return ended


@pytest.fixture
def project(tmp_path: Path, rig: Rig) -> Project:
    return Project(tmp_path, rig.registry)


def test_the_same_image_is_the_same_bytes_and_pinned(project: Project) -> None:
    first = project.render("--image", project.reference)
    assert project.render("--image", f"{project.images.repository}:v1").stdout == first.stdout
    bodies = {body["kind"]: body for body in yaml.safe_load_all(first.stdout)}
    pod = bodies["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == project.reference
    assert pod["nodeSelector"]["kubernetes.io/arch"] == "arm64"
    assert bodies["ConfigMap"]["data"] == {"COLOUR": "red", "ON": "on", "WHEN": "2026-11-21", "PRICE": "$(PORT)"}
    assert "replicas" not in bodies["Deployment"]["spec"]
    assert {*bodies} == {
        "ServiceAccount", "ConfigMap", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Service",
        "Ingress",
    }  # fmt: skip


def test_kustomize_gives_back_what_was_written(project: Project) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        needed_or_skipped("kubectl is not here")
    project.render("--image", project.reference, "--out", "gitops", "--kustomize")
    folder = project.folder / "gitops"
    built = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    ours = [yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"]
    theirs = list(yaml.safe_load_all(built.stdout))
    assert sorted(map(str, map(_sorted, theirs))) == sorted(map(str, map(_sorted, ours)))


def test_a_second_service_needs_a_directory_of_its_own(project: Project) -> None:
    """Its kustomization would name its own files only: whoever prunes by that deletes the first service."""
    project.render("--image", project.reference, "--out", "gitops", "--kustomize")
    before = {path.name: path.read_bytes() for path in (project.folder / "gitops").iterdir()}
    file = project.folder / "shipper.toml"
    file.write_text(file.read_text().replace('service = "shop"', 'service = "iris"'))

    refused = project.render("--image", project.reference, "--out", "gitops", "--kustomize", code=2).stderr

    assert "is that of shop production" in refused
    assert {path.name: path.read_bytes() for path in (project.folder / "gitops").iterdir()} == before
    project.render("--image", project.reference, "--out", "gitops/iris", "--kustomize")


OWN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "{repository}:whatever"}}]}}
"""


def test_manifests_of_the_projects_own_are_pinned_without_a_cluster(project: Project) -> None:
    text = (project.folder / "shipper.toml").read_text()
    text = text.replace('secrets = { API_KEY = "kubernetes:keys/api" }', "").replace(
        "ingress", 'manifests = ["k8s"]\ningress'
    )
    (project.folder / "shipper.toml").write_text(text)
    (project.folder / "k8s").mkdir()
    (project.folder / "k8s" / "web.yaml").write_text(OWN.format(repository=project.images.repository))
    project.render("--image", project.reference, "--out", "gitops")
    (written,) = (project.folder / "gitops").iterdir()
    body = yaml.safe_load(written.read_text())
    assert written.name == "deployment-web.yaml"
    assert body["spec"]["template"]["spec"]["containers"][0]["image"] == project.reference
    assert body["metadata"]["namespace"] == "shops"


def test_an_image_that_is_not_there_and_a_configuration_that_cannot_be_are_refused(project: Project) -> None:
    assert "there is no image" in project.render("--image", f"{project.images.repository}:v2", code=2).stderr
    text = (project.folder / "shipper.toml").read_text().replace("min = 2", "min = 0")
    (project.folder / "shipper.toml").write_text(text)
    assert "scale.min" in project.render("--image", project.reference, code=2).stderr


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
