"""Own manifests that are not what Kubernetes means: refused with file and line, and without any value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import ConfigError
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.manifests import counted
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.values import mapping
from tests.unit.kubernetes.kube_found import found
from tests.unit.kubernetes.kube_rendering import REPOSITORY, own, release_of

pytestmark = pytest.mark.unit

HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
CONTAINERS = f"containers: [{{name: a, image: {REPOSITORY}}}]"
TEMPLATE = f"  template: {{spec: {{{CONTAINERS}}}}}\n"
WEB = f"{HEAD}spec:\n{TEMPLATE}"
HPA = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  minReplicas: two\n"


def render_text(text: str, tmp: Path) -> Rendered:
    (tmp / "a.yaml").write_text(text)
    target = own(manifests=["a.yaml"])
    return render_own(Source(target, tmp).objects, release_of(), target)


def refused(text: str, tmp: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        render_text(text, tmp)
    assert caught.value.exit_code == 2
    (told,) = caught.value.details
    return told


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{HEAD}spec: {{{CONTAINERS}}}\n", 4, "spec.template.spec.containers: expected a list of containers"),
        (f"{HEAD}spec:\n  template: {{{CONTAINERS}}}\n", 5, "spec.template.spec.containers: expected a list"),
        (f"{HEAD}template: {{spec: {{{CONTAINERS}}}}}\n", 1, "spec.template.spec.containers: expected a list"),
        (f"{WEB}  replicas: three\n", 6, "spec.replicas: expected a whole number"),
        (f"{WEB}  strategy:\n    rollingUpdate:\n      maxSurge: 0.25\n", 8, "maxSurge: expected a whole number, or"),
        (f"{WEB}  strategy:\n    rollingUpdate:\n      maxUnavailable: one\n", 8, "maxUnavailable: expected a whole"),
        (
            f"{HEAD}spec:\n  template:\n    metadata:\n      annotations: [a]\n    spec: {{{CONTAINERS}}}\n",
            7,
            "spec.template.metadata.annotations: expected an object",
        ),
        (
            f"{WEB}{HPA}",
            11,
            "spec.minReplicas: expected a whole number",
        ),
    ],
)
def test_what_has_another_shape_is_refused_with_its_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    told = refused(text, tmp_path)
    assert told.startswith(f"a.yaml, line {line}: ")
    assert words in told


@pytest.mark.parametrize(
    ("kind", "members", "told"),
    [
        ("Secret", "stringData:\n  password: 123456\n", "stringData.password: expected text: put it in quotes"),
        ("Secret", "data:\n  password: [123456]\n", "data.password: expected text: put it in quotes"),
        ("Secret", "stringData: {a: b}\ndata: [123456]\n", "data: expected an object"),
        (
            "Secret",
            "data:\n  password: hunter2!\n",
            "data.password: expected base64: what is plain text belongs into stringData",
        ),
        ("Secret", "data:\n  password: aHVudGVyMg\n", "data.password: expected base64"),
        ("Secret", "data:\n  password: aHVu-_Vy\n", "data.password: expected base64"),
        ("Secret", "data:\n  password: geheimß\n", "data.password: expected base64"),
        ("ConfigMap", "binaryData:\n  model: abc\n", "binaryData.model: expected base64"),
        ("ConfigMap", "data:\n  on: true\n", "data.on: expected text: put it in quotes"),
        ("ConfigMap", "binaryData:\n  model: 123456\n", "binaryData.model: expected text: put it in quotes"),
    ],
)
def test_a_value_that_is_no_text_is_refused_and_not_told(kind: str, members: str, told: str, tmp_path: Path) -> None:
    text = f"{WEB}---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: c}}\n{members}"
    found = refused(text, tmp_path)
    assert found.startswith(f"a.yaml, line 11: {kind}/c: {told}")
    assert not any(value in found for value in ("123456", "hunter2", "aHVu", "geheim"))


def test_base64_may_be_broken_into_lines_and_be_empty(tmp_path: Path) -> None:
    secret = (
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata:\n  a: |\n    aHVu\n    dGVyMg==\n  b: ''\n  c:\n"
    )
    render_text(f"{WEB}{secret}", tmp_path)


def of_name(name: str, kind: str = "ConfigMap", version: str = "v1") -> str:
    head = f"apiVersion: {json.dumps(version)}\nkind: {json.dumps(kind)}\n"
    return f"{WEB}---\n{head}metadata:\n  labels: {{a: b}}\n  name: {json.dumps(name)}\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../../secrets/x?y=z#", "ConfigMap"),
        ("a\nb", "ConfigMap"),
        ("a\x1b[31m", "ConfigMap"),
        ("A", "ConfigMap"),
        ("a" * 254, "ConfigMap"),
        ("-a", "Service"),
        ("a_b", "ExternalSecret"),
        ("a/b", "Role"),
        ("a%2Fb", "RoleBinding"),
        ("..", "Role"),
        ("a\u202eb", "Role"),
    ],
)
def test_what_is_no_name_is_refused_with_its_line_and_nothing_that_no_terminal_prints(
    name: str, kind: str, tmp_path: Path
) -> None:
    told = refused(of_name(name, kind), tmp_path)
    assert told.startswith("a.yaml, line 11: metadata.name: expected ")
    assert told.isprintable()
    assert len(told) < 250


@pytest.mark.parametrize(("kind", "version"), [("Config\nMap", "v1"), ("ConfigMap", "../v1"), ("../x", "v1")])
def test_what_is_no_kind_is_refused(kind: str, version: str, tmp_path: Path) -> None:
    told = refused(of_name("a", kind, version), tmp_path)
    assert "expected a " in told
    assert told.isprintable()


@pytest.mark.parametrize(("name", "kind"), [("a", "ConfigMap"), ("a.b-c.9", "ConfigMap"), ("system:reader", "Role")])
def test_what_is_a_name_is_taken(name: str, kind: str, tmp_path: Path) -> None:
    render_text(of_name(name, kind), tmp_path)


def test_a_key_that_no_terminal_prints_is_told_without(tmp_path: Path) -> None:
    told = refused(f'{WEB}---\n"a\\n\\e[31m": 1\n"a\\n\\e[31m": 2\n', tmp_path)
    assert told.isprintable()


def test_a_link_that_leads_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "repository" / "services" / "shop"
    (project / "deploy").mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / "outside.yaml").write_text(WEB)
    (tmp_path / "repository" / "shared.yaml").write_text(WEB)
    (project / "deploy" / "shared.yaml").symlink_to("../../../shared.yaml")
    assert len(Source(own(manifests=["deploy"]), project).objects) == 1
    (project / "deploy" / "web.yaml").symlink_to(tmp_path / "outside.yaml")
    for named in ("deploy", "deploy/web.yaml"):
        with pytest.raises(ConfigError, match=r"deploy/web.yaml leads out of the repository") as caught:
            _ = Source(own(manifests=[named]), project).objects
        assert caught.value.exit_code == 2


def test_a_null_is_what_it_is_to_kubernetes_the_default(tmp_path: Path) -> None:
    nulls = "  replicas:\n  strategy: {rollingUpdate: {maxSurge: null, maxUnavailable: 1}}\n"
    whole = render_text(f"{WEB}{nulls}", tmp_path)
    spec: Any = whole.main.body["spec"]
    assert "replicas" not in spec
    assert mapping(spec, "strategy", "rollingUpdate") == {"maxUnavailable": 1}
    assert counted(whole, found(), coming_back=True).body["spec"]["replicas"] == 1


def test_a_directory_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k8s").mkdir()

    def closed(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(ConfigError, match=r'manifests "k8s": permission denied'):
        _ = Source(own(manifests=["k8s"]), tmp_path).objects
