"""Own manifests that are not what Kubernetes means: refused with file and line, and without any value."""

from __future__ import annotations

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
        ("ConfigMap", "data:\n  on: true\n", "data.on: expected text: put it in quotes"),
        ("ConfigMap", "binaryData:\n  model: 123456\n", "binaryData.model: expected text: put it in quotes"),
    ],
)
def test_a_value_that_is_no_text_is_refused_and_not_told(kind: str, members: str, told: str, tmp_path: Path) -> None:
    text = f"{WEB}---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: c}}\n{members}"
    assert refused(text, tmp_path) == f"a.yaml, line 11: {kind}/c: {told}"


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
