"""What is rendered is what the API server takes: strictly validated, read from our YAML, given back as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Settings
from shipper_targets.kubernetes.kinds import WELL_KNOWN
from shipper_targets.kubernetes.limits import limit_problems
from shipper_targets.kubernetes.manifest import Manifest, Rendered, identified, renamed
from shipper_targets.kubernetes.names import Shape
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.text import manifest_text
from tests.rig.kubernetes.handle import KubeRig
from tests.unit.kubernetes.kube_rendering import REPOSITORY, UID, own, release_of, settings_of

pytestmark = pytest.mark.integration

EVERYTHING = settings_of(
    run={
        "port": 9000,
        "command": ["serve", "--greeting", "$(PORT) costs $$5", "--yes", "no", "1e3"],
        "env": {"COLOUR": "red", "PRICE": "$(PORT)", "ON": "on", "NUMBER": "0x1f", "TEXT": 'two\nlines: "quoted" # ☂'},
        "secrets": {"API_KEY": "kubernetes:keys/api"},
        "cpu": 0.25,
        "memory": "96MB",
        "gpu": 1,
        "volumes": [
            {"source": "pvc:models/iris/v3", "target": "/models"},
            {"source": "pvc:models/labels", "target": "/labels"},
            {"source": "configmap:limits", "target": "/etc/limits"},
        ],
        "user": "1000:2000",
        "read_only": True,
        "stop_grace": 12.5,
    },
    scale={"min": 2, "max": 7},
    health={"path": "/ready?full=1", "status": 204, "liveness": "/alive", "startup": 300, "timeout": 2.5},
    rollout={"timeout": 120},
)
SETTLED: dict[str, Any] = {
    "labels": {"team": "shops", "example.com/cost-centre": "4711"},
    "annotations": {"sidecar.istio.io/inject": "false", "example.com/when": "2026-11-21"},
    "node_selector": {"pool": "general"},
    "tolerations": [{"key": "dedicated", "value": "shops", "effect": "NoSchedule"}, {"operator": "Exists"}],
    "runtime_class": "gvisor",
    "priority_class": "high",
    "image_pull_secrets": ["registry"],
    "scratch": ["/var/cache"],
    "security": {"capabilities": ["NET_BIND_SERVICE"]},
    "cpu_limit": True,
    "max_surge": 2,
    "max_unavailable": "10%",
    "min_ready": 5,
    "autoscale": {"cpu": 60, "memory": 80, "stabilize_up": 0, "stabilize_down": 120},
    "service_type": "LoadBalancer",
    "service_port": 8080,
    "service_annotations": {"example.com/internal": "true"},
}
INGRESS = {"host": "shop.example.com", "class_name": "nginx", "path": "/shop", "tls_secret": "shop-tls"}
GATEWAY = {"name": "front", "namespace": "edge", "section": "web", "hosts": ["shop.example.com", "www.example.com"]}
SECRETS = {"API_KEY": f"kubernetes:keys/api@{UID}.17"}


def strictly_applied(rig: KubeRig, namespace: str, manifest: Manifest) -> Any:
    """The API server's answer to the YAML text: a dry run that refuses whatever it does not know."""
    kind = WELL_KNOWN[(manifest.api_version, manifest.kind)]
    query = "dryRun=All&fieldManager=shipper&fieldValidation=Strict"
    path = f"{kind.path(namespace, manifest.name)}?{query}"
    text = manifest_text(manifest).encode()
    status, said = rig.request("PATCH", path, text, "application/apply-patch+yaml")
    assert status in (200, 201), f"{manifest.key}: {status} {said}"
    return said


def missing(sent: Any, found: Any, path: str = "") -> list[str]:
    """Where what came back is not what was sent; what the server added is its own."""
    if isinstance(sent, Mapping) and isinstance(found, Mapping):
        return [one for key, value in sent.items() for one in missing(value, found.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        pairs = enumerate(zip(sent, found, strict=True))
        return [one for at, (value, there) in pairs for one in missing(value, there, f"{path}[{at}]")]
    return [] if sent == found else [f"{path}: sent {sent!r}, found {found!r}"]


@pytest.mark.parametrize("shape", ["rolling", "weighted"])
@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (settings_of(), {}),
        (EVERYTHING, SETTLED),
        (EVERYTHING, {**SETTLED, "ingress": INGRESS}),
        (settings_of(rollout={"strategy": "recreate"}), {"gateway": GATEWAY, "service_account_token": True}),
        (settings_of(run={"secrets_as": "environment"}), {"topology_spread": False, "pre_stop": 0, "max_surge": 1}),
    ],
    ids=["plain", "everything", "ingress", "gateway", "other choices"],
)
def test_everything_rendered_is_taken_strictly_and_comes_back_as_it_was_sent(
    settings: Settings, more: dict[str, Any], shape: Shape, kube_rig: KubeRig, kube_namespace: str
) -> None:
    target = own(namespace=kube_namespace, **more)
    assert limit_problems(settings, target) == []
    secrets = SECRETS if settings.run.secrets or settings.run.secrets_as == "environment" else {}
    release = release_of(settings, secrets=secrets, started_in=3.0, rollback_to=3)
    for manifest in render(release, target, shape).manifests:
        marked = identified(manifest, release, "v1 e=12 h=44")
        assert missing(marked.body, strictly_applied(kube_rig, kube_namespace, marked)) == []


def test_a_release_under_another_name_is_taken_as_well(kube_rig: KubeRig, kube_namespace: str) -> None:
    target = own(namespace=kube_namespace, **SETTLED, gateway=GATEWAY)
    whole: Rendered = render(release_of(EVERYTHING, secrets=SECRETS), target, "weighted")
    for manifest in renamed(whole, whole.workload.name, "shop-44-abcdef").manifests:
        assert missing(manifest.body, strictly_applied(kube_rig, kube_namespace, manifest)) == []


def test_own_manifests_are_taken_as_their_authors_wrote_them(
    kube_rig: KubeRig, kube_namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text(
        f"""\
apiVersion: v1
kind: Secret
metadata: {{name: web-files}}
stringData: {{when: 2026-11-21, octal: "0644"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: "{REPOSITORY}:v1"}}]
      volumes: [{{name: files, secret: {{secretName: web-files, defaultMode: 0640}}}}]
"""
    )
    target: KubernetesSettings = own(namespace=kube_namespace, manifests=["app.yaml"])
    whole = render_own(Source(target, tmp_path).objects, release_of(), target)
    for manifest in whole.manifests:
        said = strictly_applied(kube_rig, kube_namespace, manifest)
        assert missing(manifest.body, said) == []
        if manifest.kind == "Deployment":
            assert said["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"] == 0o640
