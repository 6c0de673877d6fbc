"""The project's own manifests: the image pinned, labels added, nothing else touched; problems with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.errors import ConfigError
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.pinning import repository_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source
from tests.unit.kubernetes.kube_rendering import DIGEST, REPOSITORY, own, release_of

pytestmark = pytest.mark.unit

PINNED = f"{REPOSITORY}@{DIGEST}"
DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {{app: web, app.kubernetes.io/managed-by: Helm}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      initContainers:
      - {{name: migrate, image: "{REPOSITORY}:v3", args: [migrate]}}
      containers:
      - name: web
        image: {REPOSITORY}:latest
        envFrom: [{{configMapRef: {{name: web-settings}}}}]
      - {{name: proxy, image: "envoyproxy/envoy:v1.30"}}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-settings}
data: {COLOUR: red}
"""


def render_text(text: str, target: KubernetesSettings | None = None, tmp: Path | None = None) -> Rendered:
    assert tmp is not None
    (tmp / "app.yaml").write_text(text)
    target = target or own(manifests=["app.yaml"])
    return render_own(Source(target, tmp).objects, release_of(), target)


def by_kind(whole: Rendered, kind: str) -> Any:
    return whole.of_kind(kind)[0].body


def refused(text: str, tmp: Path, target: KubernetesSettings | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        render_text(text, target, tmp)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_image_is_pinned_everywhere_and_others_are_left_alone(tmp_path: Path) -> None:
    whole = render_text(DEPLOYMENT, tmp=tmp_path)
    spec = by_kind(whole, "Deployment")["spec"]["template"]["spec"]
    assert [one["image"] for one in spec["containers"]] == [PINNED, "envoyproxy/envoy:v1.30"]
    assert spec["initContainers"][0]["image"] == PINNED
    assert whole.workload.name == "web"


def test_nothing_but_labels_namespace_and_images_is_another(tmp_path: Path) -> None:
    whole = render_text(DEPLOYMENT, tmp=tmp_path)
    body = by_kind(whole, "Deployment")
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    (before,) = Source(own(manifests=["app.yaml"]), tmp_path).objects
    before.value["metadata"] = body["metadata"]
    for containers in ("containers", "initContainers"):
        before.value["spec"]["template"]["spec"][containers][0]["image"] = PINNED
    assert body == before.value
    labels = body["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    assert labels["shipper.dev/instance"] == "shop"
    assert body["metadata"]["namespace"] == "shops"


def test_jobs_and_kinds_that_we_do_not_know_are_pinned_too(tmp_path: Path) -> None:
    others = f"""\
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: a, image: {REPOSITORY}}}]}}}}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: other}}
spec: {{steps: [{{template: {{containers: [{{name: a, image: "{REPOSITORY}:x"}}]}}}}]}}
"""
    whole = render_text(DEPLOYMENT + others, tmp=tmp_path)
    cron = by_kind(whole, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert cron["containers"][0]["image"] == PINNED
    assert by_kind(whole, "Workflow")["spec"]["steps"][0]["template"]["containers"][0]["image"] == PINNED


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx"),
        ("team/shop@sha256:ab", "docker.io/team/shop"),
        ("docker.io/team/shop:v1", "docker.io/team/shop"),
        ("docker.io/nginx:1.27", "docker.io/library/nginx"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("localhost/shop:v1", "localhost/shop"),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000/shop"),
        ("registry.example.com:443/a/b:v1@sha256:ab", "registry.example.com:443/a/b"),
    ],
)
def test_a_repository_is_compared_by_its_full_name(image: str, repository: str) -> None:
    assert repository_of(image) == repository


def test_another_configuration_makes_new_pods(tmp_path: Path) -> None:
    def template(text: str) -> Any:
        return by_kind(render_text(f"{text}---\n{DEPLOYMENT}", tmp=tmp_path), "Deployment")["spec"]["template"]

    red, blue = template(SETTINGS), template(SETTINGS.replace("red", "blue"))
    assert red["metadata"]["annotations"]["shipper.dev/config"] != blue["metadata"]["annotations"]["shipper.dev/config"]
    assert red["spec"] == blue["spec"]
    assert (
        "annotations"
        not in by_kind(render_text(DEPLOYMENT, tmp=tmp_path), "Deployment")["spec"]["template"]["metadata"]
    )


def test_plain_text_of_a_secret_is_what_the_api_server_makes_of_it(tmp_path: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: b25l}\nstringData: {b: two}\n"
    found = by_kind(render_text(f"{secret}---\n{DEPLOYMENT}", tmp=tmp_path), "Secret")
    assert found["data"] == {"a": "b25l", "b": "dHdv"}
    assert "stringData" not in found


def test_what_others_need_comes_first(tmp_path: Path) -> None:
    whole = render_text(f"{DEPLOYMENT}---\n{SETTINGS}", tmp=tmp_path)
    assert [one.kind for one in whole.manifests] == ["ConfigMap", "Deployment"]


def test_lists_are_taken_apart(tmp_path: Path) -> None:
    item = DEPLOYMENT.replace("\n", "\n  ").rstrip()
    text = f"apiVersion: v1\nkind: List\nitems:\n- {item}\n- {{apiVersion: v1, kind: Secret, metadata: {{name: s}}}}\n"
    whole = render_text(text, tmp=tmp_path)
    assert [str(key) for key in sorted(whole.keys)] == ["Secret/s", "Deployment/web"]


def test_where_nothing_runs_the_image_the_images_are_shown_with_their_lines(tmp_path: Path) -> None:
    error = refused(DEPLOYMENT.replace(REPOSITORY, "ghcr.io/other/shop"), tmp_path)
    assert error.message == f'no manifest has the image "{REPOSITORY}"'
    assert "app.yaml, line 16: ghcr.io/other/shop:latest" in error.details


def test_of_several_deployments_one_has_to_be_named(tmp_path: Path) -> None:
    second = DEPLOYMENT.replace("name: web\n  labels", "name: worker\n  labels")
    error = refused(f"{DEPLOYMENT}---\n{second}", tmp_path)
    assert "manifests_workload" in error.hint
    assert error.details == ("app.yaml, line 1: Deployment/web", "app.yaml, line 20: Deployment/worker")
    named = own(manifests=["app.yaml"], manifests_workload="Deployment/worker")
    assert render_text(f"{DEPLOYMENT}---\n{second}", named, tmp_path).workload.name == "worker"
    other = own(manifests=["app.yaml"], manifests_workload="nobody")
    assert 'manifests_workload "nobody"' in refused(f"{DEPLOYMENT}---\n{second}", tmp_path, other).message


def test_only_a_deployment_can_be_the_workload(tmp_path: Path) -> None:
    error = refused(DEPLOYMENT.replace("kind: Deployment", "kind: StatefulSet"), tmp_path)
    assert "StatefulSet/web" in error.details[0]


def test_another_namespace_is_refused_and_none_is_filled_in(tmp_path: Path) -> None:
    error = refused(DEPLOYMENT.replace("name: web\n", "name: web\n  namespace: elsewhere\n", 1), tmp_path)
    assert error.details == (
        'app.yaml, line 5: Deployment/web: is for namespace "elsewhere", and this target is "shops"',
    )


def test_what_belongs_to_no_namespace_needs_to_be_allowed(tmp_path: Path) -> None:
    role = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\nrules: []\n"
    assert "manifests_cluster_scoped" in refused(DEPLOYMENT + role, tmp_path).details[0]
    allowed = own(manifests=["app.yaml"], manifests_cluster_scoped=True)
    found = by_kind(render_text(DEPLOYMENT + role, allowed, tmp_path), "ClusterRole")
    assert "namespace" not in found["metadata"]


def test_an_object_that_stands_twice_is_refused(tmp_path: Path) -> None:
    error = refused(f"{DEPLOYMENT}---\n{SETTINGS}---\n{SETTINGS}", tmp_path)
    assert error.details == ("app.yaml, line 25: ConfigMap/web-settings: stands twice, first in app.yaml, line 20",)


def test_hooks_of_helm_are_not_applied_as_if_they_were_manifests(tmp_path: Path) -> None:
    hook = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\nspec: {}\n"
    assert "--no-hooks" in refused(DEPLOYMENT + hook, tmp_path).details[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: Service\n", "app.yaml, line 1: expected an object with apiVersion"),
        ("apiVersion: v1\nkind: Service\n", "app.yaml, line 1: expected metadata.name"),
        ("apiVersion: v1\nkind: Job\nmetadata: {generateName: a-}\n", "app.yaml, line 1: expected metadata.name"),
        ("- a\n- b\n", "app.yaml, line 1: expected an object"),
        ("", "there is no object in them"),
        ("a: [\n", "app.yaml, line 2:"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: {on: true}}\n",
            "put numbers and truth values",
        ),
    ],
)
def test_what_is_no_object_is_refused_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused(text, tmp_path).details[0]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    error = refused("kind: A\n---\nkind: B\n", tmp_path)
    assert len(error.details) == 2


def test_a_directory_is_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "k8s" / "inside").mkdir(parents=True)
    (tmp_path / "k8s" / "b.yml").write_text(SETTINGS)
    (tmp_path / "k8s" / "a.yaml").write_text(DEPLOYMENT)
    (tmp_path / "k8s" / "notes.txt").write_text("no: yaml: at: all")
    (tmp_path / "k8s" / "inside" / "c.yaml").write_text("x")
    source = Source(own(manifests=["k8s"]), tmp_path)
    assert [one.origin for one in source.objects] == ["k8s/a.yaml", "k8s/b.yml"]


@pytest.mark.parametrize(("file", "command"), [("kustomization.yaml", "kustomize"), ("Chart.yaml", "helm")])
def test_templates_of_a_tool_are_refused_with_the_command(file: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / file).write_text("{}")
    with pytest.raises(ConfigError) as caught:
        _ = Source(own(manifests=["app"]), tmp_path).objects
    assert "manifests_command" in caught.value.hint
    assert command in caught.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'manifests "nothing.yaml": no such file'):
        _ = Source(own(manifests=["nothing.yaml"]), tmp_path).objects


def test_a_set_is_read_once_and_its_content_is_what_it_says(tmp_path: Path) -> None:
    target = own(manifests=["app.yaml"])
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    source = Source(target, tmp_path)
    before = source.content
    (tmp_path / "app.yaml").write_text("# another comment\n" + DEPLOYMENT)
    assert Source(target, tmp_path).content == before
    (tmp_path / "app.yaml").write_text(DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    assert source.objects[0].value["spec"]["replicas"] == 2
    assert Source(target, tmp_path).content != before
